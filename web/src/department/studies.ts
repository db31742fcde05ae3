// Studies that were asked for as jobs: how far each is, and what is handed out of it.

import * as api from "../api";
import { h, percent, say } from "../dom";
import type { StudyJob } from "../types";

const STATES: Record<string, string> = { waiting: "Waits", running: "Being run", done: "Done", failed: "Failed", cancelled: "Cancelled" };

export function showStudies(): void {
  const place = h("div", { class: "studies", "aria-live": "polite" });
  const fill = () => void api.studies().then((told) => place.replaceChildren(told.length ? table(told) : h("p", {}, "No study has been asked for yet. Programs ask for one: docs/serve.md says how.")),
    (error: Error) => say(error.message, true));
  const box = h("dialog", { class: "wide", "aria-label": "Studies", onclose: () => {
    document.removeEventListener("jobs", fill);
    box.remove();
  } },
    h("h2", {}, "Studies"), place,
    h("form", { method: "dialog" }, h("button", {}, "Close")));
  document.addEventListener("jobs", fill); // somebody's job goes on
  document.body.append(box);
  box.showModal();
  fill();
}

function table(studies: StudyJob[]): HTMLElement {
  const head = ["Study", "State", "Asked for", "Result"].map((name) => h("th", { scope: "col" }, name));
  return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, studies.map(row)));
}

function row(job: StudyJob): HTMLElement {
  const made = job.state === "done" && !job.reason;
  const state = job.state === "done" && job.reason ? "Came to no end" : (STATES[job.state] ?? job.state);
  const far = job.state === "running" && job.progress !== null ? `, ${percent(job.progress)}` : "";
  const name = job.asked.study.replace(/^.*[\\/]/, "");
  return h("tr", {},
    h("th", { scope: "row" }, name),
    h("td", {}, `${state}${far}`),
    h("td", {}, `${job.by}, `, h("time", { datetime: job.created }, new Date(job.created).toLocaleString())),
    h("td", {}, made && h("a", { href: `./v1/jobs/${encodeURIComponent(job.id)}/files/report.html`, download: true, "aria-label": `Report of ${name}, ${job.created}` }, "Report"), job.reason));
}
