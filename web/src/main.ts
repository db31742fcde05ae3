import "./style.css";
import * as api from "./api";
import { comeIn, Department } from "./department";
import { find, h, kept, say } from "./dom";
import { cellPanel, panel, reports } from "./panel";
import { ReviewForm } from "./review";
import { Scoring } from "./scoring";
import type { Slide, Worklist } from "./types";
import { SlideViewer } from "./viewer";
import { WorklistView } from "./worklist";

const worklist = new WorklistView((key) => void open(key), api.worklist, (error) => say(error.message, true));
let department: Department | null = null;
let scoring: Scoring | null = null; // where slides can be scored from here
const viewer = new SlideViewer();
const form = new ReviewForm(refresh);
const facts = h("div", { class: "facts", tabindex: 0, role: "region", "aria-label": "Answer" });
const cellPlace = h("div", { class: "cell", "aria-live": "polite" });
find("panel").append(facts, form.element);

let slide: Slide | null = null;

let asked = 0; // of answers that cross on their way, the one that was asked for last counts
async function list(): Promise<Worklist> {
  const mine = ++asked;
  const told = await api.worklist(worklist.asked());
  if (mine !== asked) return told;
  const named = told.folder === "lowpower" ? "" : told.folder; // that is the page's name already
  find("folder").textContent = `${named}${told.blind ? " (blind)" : ""}`.trim();
  find("folder").dataset.name = told.folder;
  find("notice").textContent = told.notice;
  document.title = named ? `${named}: lowpower` : "lowpower";
  document.body.classList.toggle("read-only", !told.reviews);
  worklist.show(told);
  return told;
}

let opening = ""; // the slide that is on its way
async function open(key: string): Promise<void> {
  opening = key;
  try {
    const opened = await api.openSlide(key);
    if (opening !== key) return; // another was chosen meanwhile
    slide = opened;
    worklist.open(key);
    history.replaceState(null, "", `#${encodeURIComponent(key)}`);
    show(opened);
    viewer.open(opened);
  } catch (error) {
    if (opening === key) say((error as Error).message, true);
  }
  if (opening === key) opening = "";
}

function show(opened: Slide): void {
  cellPlace.replaceChildren();
  facts.replaceChildren(cellPlace, ...panel(opened, (box) => viewer.goTo(box)), ...actions(opened));
  facts.scrollTop = 0;
  form.show(opened);
}

/** What can be done with a slide beside reviewing it. */
function actions(opened: Slide): HTMLElement[] {
  if (department) return [department.actions(opened, worklist.caseOf(opened.key))];
  const links = reports(opened);
  const button = scoring && opened.state !== "hidden" ? scoring.button(opened) : null;
  if (!links.length && !button) return [];
  return [h("section", { "aria-label": "Reports and scoring" }, scoring?.progress(opened),
    h("p", { class: "links" }, links.length > 0 && "Report: ", links, button))];
}

/** After a review: the worklist and the panel are told anew; the slide stays where it is. */
async function refresh(key: string): Promise<void> {
  await list();
  const before = slide?.state;
  const opened = await api.openSlide(key);
  if (slide?.key !== key) return;
  slide = opened;
  show(opened);
  if (before === "hidden") viewer.open(opened);
}

/** Another reader: what was hidden may be shown, or the other way. A choice made already stays otherwise. */
async function readAnew(): Promise<void> {
  await list();
  if (!slide) return;
  const opened = await api.openSlide(slide.key);
  if (opened.key === slide.key && opened.state !== slide.state) {
    slide = opened;
    show(opened);
    viewer.open(opened);
  }
}

let cell: number | null = null; // that was clicked last
viewer.onCell = (number) => {
  const opened = slide;
  cell = number;
  if (number === null || !opened) return cellPlace.replaceChildren();
  api.cell(opened, number).then(
    (told) => {
      if (opened !== slide || number !== cell) return;
      cellPlace.replaceChildren(cellPanel(told, () => viewer.leaveCell()));
      facts.scrollTop = 0;
    },
    (error: Error) => say(error.message, true),
  );
};

function step(by: number): void {
  const key = worklist.neighbour(by);
  if (key) void open(key);
  else say(by > 0 ? "That was the last slide of the list." : "That was the first slide of the list.");
}

const KEYS: [string, string, () => void][] = [
  ["n", "next slide", () => step(1)],
  ["p", "previous slide", () => step(-1)],
  ["a", "agree (then Enter saves)", () => form.agree()],
  ["c", "cells on or off", () => press("cells")],
  ["m", "network's map on or off", () => press("network")],
  ["/", "search", () => worklist.focusSearch()],
];

function press(layer: string): void {
  const box = document.querySelector<HTMLInputElement>(`input[data-layer="${layer}"]`);
  if (box) box.click();
  else say(slide ? "Of this slide there is nothing of that kind to show." : "The slide is not shown yet; try again when it is.", true);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || kept.get("keys") === "off") return;
  const key = KEYS.find(([letter]) => letter === event.key.toLowerCase());
  if (!key) return;
  event.preventDefault();
  key[2]();
});

function help(): void {
  const on = h("input", { type: "checkbox", checked: kept.get("keys") !== "off",
    onchange: () => kept.set("keys", on.checked ? "on" : "off") });
  const rows = KEYS.map(([letter, what]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, letter)), h("td", {}, what)));
  const dialog = h("dialog", { "aria-label": "Keys", onclose: () => dialog.remove() },
    h("h2", {}, "Keys"),
    h("table", {}, h("tbody", {}, rows)),
    h("p", {}, "In the slide: arrows move, + and − zoom; a click on a cell shows its numbers."),
    h("p", {}, h("label", { class: "check" }, on, "Single letters act as keys")),
    h("form", { method: "dialog" }, h("button", {}, "Close")),
  );
  document.body.append(dialog);
  dialog.showModal();
}

function theme(change: boolean): void {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  let now = kept.get("theme") || (dark ? "dark" : "light");
  if (change) kept.set("theme", (now = now === "dark" ? "light" : "dark"));
  document.documentElement.dataset.theme = now;
  find("theme").textContent = now === "dark" ? "Light" : "Dark";
  find("theme").setAttribute("aria-label", `Change to ${now === "dark" ? "light" : "dark"} colours`);
}

find("theme").addEventListener("click", () => theme(true));
find("help").addEventListener("click", help);
find("list-toggle").addEventListener("click", () => {
  const closed = document.body.classList.toggle("list-closed");
  find("list-toggle").setAttribute("aria-expanded", String(!closed));
});

const reader = find<HTMLInputElement>("reader");
reader.value = kept.get("reader");
api.readAs(reader.value.trim());
reader.addEventListener("change", () => {
  kept.set("reader", reader.value.trim());
  api.readAs(reader.value.trim());
  void readAnew();
});

/** Something about jobs changed: the worklist is told anew, and the open slide where its job has ended. */
let telling: Promise<unknown> | null = null;
let later: Promise<unknown> | null = null; // one more, for what changed after the one under way was asked
function tellAnew(): Promise<unknown> {
  const tell = () => (telling = list().catch((error: Error) => say(error.message, true)).finally(() => (telling = null)));
  if (!telling) return tell();
  later ??= telling.then(() => {
    later = null;
    return tell();
  });
  return later;
}

async function jobsChanged(ended: Set<string>): Promise<void> {
  await tellAnew();
  if (!slide) return opening ? undefined : openFirst();
  const before = slide;
  if (ended.has(before.key)) {
    const opened = await api.openSlide(before.key);
    if (slide !== before) return;
    slide = opened;
    worklist.open(opened.key); // a result may have another name than the slide had
    show(opened);
    if (opened.version !== before.version) viewer.open(opened);
  } else {
    const [now] = actions(before);
    const then = facts.lastElementChild;
    if (now && then && !now.isEqualNode(then)) swap(then, now);
  }
}

/** Puts one element in another's place; who was at a button of it stays at that button. */
function swap(then: Element, now: Element): void {
  const at = [...then.querySelectorAll("a, button, input")].indexOf(document.activeElement!);
  then.replaceWith(now);
  if (at >= 0) now.querySelectorAll<HTMLElement>("a, button, input")[at]?.focus();
}

function openFirst(): void {
  const first = decodeURIComponent(location.hash.slice(1)) || worklist.neighbour(0);
  if (first) void open(first);
}

async function start(): Promise<void> {
  const session = await comeIn();
  const told = await list();
  if (session || told.scores) {
    const changed = (ended: Set<string>) => void jobsChanged(ended).catch((error: Error) => say(error.message, true));
    scoring = new Scoring(changed, () => viewer.control);
    if (session) department = new Department(session, scoring, () => changed(new Set()));
    else worklist.scoreAll = (keys) => void scoring!.all(keys);
    viewer.scores((opened, inside) => void scoring!.score(opened.key, inside, inside ? "It is being scored inside the regions." : "It is being scored."));
    document.body.classList.add("scores");
    worklist.draw();
  }
  openFirst();
}

theme(false);
start().catch((error: Error) => say(error.message, true));
