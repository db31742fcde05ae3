// What a department has beside the page: signing in, slides that come in, jobs, people.

import * as api from "../api";
import { showCard } from "./card";
import { showCharts } from "./charts";
import { find, h, kept, say } from "../dom";
import { reports } from "../panel";
import type { Scoring } from "../scoring";
import { asSlides, showSources } from "./sources";
import { showStudies } from "./studies";
import type { Session, Slide } from "../types";

const MAY_SEND = ["admin", "operator", "service"];
const WAYS: Record<string, string> = { dicomweb: "to the archive", fhir: "to the FHIR server" };
const ROLES = ["reader", "operator", "admin"];

/** Whether the page is a department's; for a folder of one person nobody signs in. */
export async function comeIn(): Promise<Session | null> {
  const session = await api.session();
  if (session.service === null) return null;
  document.body.classList.add("department");
  const told = new URLSearchParams(location.hash.slice(1));
  const [link, refused] = [told.get("link"), told.has("oidc")];
  if (link || refused) history.replaceState(null, "", location.pathname); // a link's secret stays in no history
  if (link) return useLink(link, session);
  if (session.name) return session;
  return signIn(session, refused ? `No way in by ${session.provider}: try again, or ask who runs lowpower.` : "");
}

function gate(title: string, lead: string, fields: HTMLElement[], word: string, send: (form: FormData) => Promise<Session>, provider: string | null = null, said = ""): Promise<Session> {
  return new Promise((done) => {
    const wrong = h("p", { class: "wrong", role: "alert" });
    const button = h("button", { type: "submit" }, word);
    const form = h("form", {
      class: "gate",
      onsubmit: async (event: Event) => {
        event.preventDefault();
        button.disabled = true;
        try {
          const session = await send(new FormData(form));
          box.close();
          box.remove();
          done(session);
        } catch (error) {
          wrong.textContent = (error as Error).message;
        }
        button.disabled = false;
      },
    }, h("h2", {}, title), h("p", {}, lead), fields, wrong, button,
      provider && h("a", { href: "./v1/oidc/start" }, `Sign in by ${provider}`));
    wrong.textContent = said;
    const box = h("dialog", { "aria-label": title, oncancel: (event: Event) => event.preventDefault() }, form);
    document.body.append(box);
    box.showModal();
  });
}

const text = (label: string, name: string, more: Record<string, string | number | boolean> = {}) =>
  h("label", {}, label, h("input", { name, required: true, maxlength: 100, ...more }));
const password = (label: string, autocomplete: string) =>
  text(label, "password", { type: "password", autocomplete, maxlength: 500 });

function signIn(session: Session, said = ""): Promise<Session> {
  return gate(session.service!, session.notice,
    [text("Name", "name", { autocomplete: "username", value: kept.get("name") }), password("Password", "current-password")],
    "Sign in",
    async (form) => {
      kept.set("name", String(form.get("name")));
      return api.signIn(String(form.get("name")), String(form.get("password")));
    }, session.provider, said);
}

async function useLink(secret: string, session: Session): Promise<Session> {
  try {
    const told = await api.readLink(secret);
    const lead = told.user ? `A new password for ${told.user}.` : `Make your account: ${told.role}.`;
    const name = told.user ? [] : [text("Name, as reviews and the audit log show it", "name", { autocomplete: "username" })];
    return gate(session.service!, lead, [...name, password("Password, at least 12 characters", "new-password")], "Go on",
      (form) => {
        const given = String(form.get("name") ?? told.user ?? "");
        kept.set("name", given.trim());
        return api.useLink(secret, given, String(form.get("password")));
      });
  } catch (error) {
    const wrong = (error as Error).message;
    if (!session.name) return signIn(session, wrong); // in the dialog, which would lie over any message
    say(wrong, true);
    return session;
  }
}

/** The department's part of the page's head, and what keeps it up to date. */
export class Department {
  constructor(private readonly session: Session, private readonly scoring: Scoring, private readonly changed: () => void) {
    document.body.classList.toggle("no-reviews", session.role !== "admin" && session.role !== "reader");
    const picker = h("input", { type: "file", multiple: true, class: "hush", "aria-label": "Slides to add", tabindex: -1,
      onchange: () => void this.add([...(picker.files ?? [])]).then(() => (picker.value = "")) });
    const add = h("button", { id: "add", onclick: () => picker.click() }, "Add slides");
    const charts = h("button", { class: "quiet", onclick: () => void showCharts() }, "Charts");
    const people = h("button", { class: "quiet", onclick: () => this.people() }, "People");
    const out = h("button", { class: "quiet", onclick: () => void this.signOut() }, "Sign out");
    if (MAY_SEND.includes(session.role!)) {
      const name = session.offers.some((one) => one === "roots" || one === "dicomweb") ? "From elsewhere" : "Laboratory";
      const elsewhere = h("button", { class: "quiet", onclick: () => showSources(session, name, () => this.changed()) }, name);
      find("folder").after(add, picker, elsewhere);
      this.takeDrops();
    }
    const studies = MAY_SEND.includes(session.role!) && session.offers.includes("studies") ? [h("button", { class: "quiet", onclick: showStudies }, "Studies")] : [];
    find("theme").before(h("span", { id: "who" }, `${session.name}, ${session.role}`), charts, ...studies, ...(session.role === "admin" ? [people] : []), out);
  }

  /** Under the answer: reports, the case, and scoring again. */
  actions(slide: Slide, belongs: string | null): HTMLElement {
    const links = reports(slide);
    const ways = Object.entries(WAYS).filter(([to]) => links.length > 0 && this.session.offers.includes(to));
    return h("section", { "aria-label": "Reports and scoring" },
      this.scoring.progress(slide),
      ways.length > 0 && h("p", { class: "links" }, "Send: ", ways.map(([to, name]) =>
        h("button", { class: "quiet small", onclick: () => void api.sendReport(slide, to).then(() => say(`Sent ${name}.`), (error: Error) => say(error.message, true)) }, name))),
      h("p", { class: "links" }, links.length > 0 && "Report: ", links, slide.record?.model && this.card(slide.record.model.name), belongs && caseButton(belongs), h("span", { class: "line begin" }, this.scoring.button(slide), this.scoring.measureButton(slide))));
  }

  private card(name: string): HTMLElement {
    return h("button", { class: "quiet small", onclick: () => void showCard(name).catch((error: Error) => say(error.message, true)) }, "Model card");
  }

  private takeDrops(): void {
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("dropping");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      void this.add([...(event.dataTransfer?.files ?? [])]);
    });
  }

  private async add(files: File[]): Promise<void> {
    const told: string[] = []; // a line for each slide: the next must not take the place of a refusal
    let wrong = false;
    for (const parts of await asSlides(files)) {
      const [line, taken] = await this.addSlide(parts);
      wrong ||= !taken;
      told.push(line);
      say(told.join("\n"), wrong);
    }
  }

  /** Sends the files of one slide; what became of it, and whether it was taken. */
  private async addSlide(files: File[]): Promise<[string, boolean]> {
    const name = files.length === 1 ? files[0]!.name : `${files[0]!.name} and ${files.length - 1} more`;
    const bar = h("progress", { max: files.length, value: 0, "aria-label": `Sending ${name}` });
    const line = h("li", {}, h("span", {}, name), bar);
    uploads().append(line);
    try {
      if (files.some((file) => file.size === 0)) throw new Error("is empty.");
      let made: { slide: string | null; waits_for: string | null } = { slide: null, waits_for: null };
      for (const [index, file] of files.entries()) made = await api.upload(file, files.length, (share) => (bar.value = index + share));
      this.changed();
      if (!made.slide) return [`${name}: ${made.waits_for}`, false];
      return [`${name} is here as ${made.slide}${kept.get("laboratory") && `, stained by ${kept.get("laboratory")}`}, and is being scored.`, true];
    } catch (error) {
      return [`${name}: ${(error as Error).message.replace(`${name}: `, "")}`, false];
    } finally {
      line.remove();
    }
  }

  private async signOut(): Promise<void> {
    await api.signOut();
    location.reload();
  }

  private people(): void {
    const role = h("select", { "aria-label": "Role" }, ROLES.map((name) => h("option", {}, name)));
    const made = h("output", { class: "link" });
    const list = h("ul", { class: "people" });
    const show = async () => {
      const users = await api.users();
      list.replaceChildren(...users.map((user) =>
        h("li", {}, `${user.name}, ${user.role}${user.disabled ? ", may not come in" : ""}`,
          user.name !== this.session.name && h("button", { class: "quiet small", onclick: () => void api.changeUser(user.name, { disabled: !user.disabled }).then(show, tell) },
            user.disabled ? "Let in again" : "Shut out"))));
    };
    const tell = (error: Error) => say(error.message, true);
    const make = async () => {
      made.textContent = (await api.makeLink(role.value)).address;
    };
    const box = h("dialog", { "aria-label": "People", onclose: () => box.remove() },
      h("h2", {}, "People"), list,
      h("p", {}, "A link makes one account, once. Hand it to the person yourself."),
      h("div", { class: "line" }, role, h("button", { class: "quiet", onclick: () => void make().catch(tell) }, "Make a link")),
      made,
      h("form", { method: "dialog" }, h("button", {}, "Close")));
    document.body.append(box);
    box.showModal();
    void show().catch(tell);
  }
}

/** Shows a case: its slides of all markers, and the subtype that they give together. */
function caseButton(code: string): HTMLElement {
  const show = async () => {
    const told = await api.caseOf(code);
    const rows = told.slides.map((one) => h("tr", {},
      h("th", { scope: "row" }, one.slide), h("td", {}, one.marker), h("td", {}, one.score || one.missing), h("td", {}, one.by)));
    const box = h("dialog", { "aria-label": `Case ${told.case}`, onclose: () => box.remove() },
      h("h2", {}, `Case ${told.case}`),
      h("p", {}, "Subtype (St Gallen 2013 surrogate): ", h("strong", {}, told.subtype)),
      told.missing && h("p", { class: "dim" }, told.missing),
      h("table", {}, h("thead", {}, h("tr", {}, ["Slide", "Marker", "Score", "Said by"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows)),
      h("form", { method: "dialog" }, h("button", {}, "Close")));
    document.body.append(box);
    box.showModal();
  };
  return h("button", { class: "quiet small", onclick: () => void show().catch((error: Error) => say(error.message, true)) }, "Case");
}

function uploads(): HTMLElement {
  const there = document.getElementById("uploads");
  if (there) return there;
  const made = h("ul", { id: "uploads", "aria-label": "Slides on their way" });
  find("worklist").append(made);
  return made;
}
