// Beside the slide: what is said of it, and why.

import * as api from "./api";
import { h, percent, plainly } from "./dom";
import type { CellNumbers, Earlier, Slide, SlideRecord } from "./types";
import { STATE_WORDS } from "./worklist";

const SHARE_WORDS: Record<string, string> = {
  faint_incomplete: "faint or incomplete",
  moderate_complete: "weak to moderate complete",
  intense_complete: "intense complete",
  weak: "weak",
  moderate: "moderate",
  strong: "strong",
};
const CELL_WORDS: Record<string, string> = {
  diameter: "Nucleus diameter, um",
  elongation: "Elongation (1 = round)",
  darkness: "Nuclear contrast",
  tumour: "Like tumour, 0 to 1",
  nuclear_dab: "DAB OD in the nucleus",
  body_dab: "DAB OD in the cell body",
  completeness: "Stained share of the membrane",
  density: "DAB OD of the membrane",
  grade: "Grade, 0 to 3",
};

type Go = (box: [number, number, number, number]) => void;

export function panel(slide: Slide, go: Go): HTMLElement[] {
  const title = h("div", { class: "headline" },
    h("h2", {}, slide.name),
    h("p", {}, h("span", { class: `state ${slide.state}` }, STATE_WORDS[slide.state]), " ",
      h("strong", {}, slide.headline ?? (slide.state === "hidden" ? "Score this slide; the answer is shown afterwards." : ""))),
    slide.waiting && h("p", {}, plainly(slide.waiting)),
  );
  const record = slide.record;
  if (!record) return [title];
  return [title, why(slide, record), cutoffs(slide, record), chances(record), measured(record), since(slide), quality(record, go), before(slide), made(slide, record)]
    .filter((part) => part !== null);
}

/** Links to what can be handed on of an answer. */
export function reports(slide: Slide): HTMLElement[] {
  if (!slide.record?.model || slide.record.state !== "ok") return [];
  return [["pdf", "PDF"], ["fhir", "FHIR"], ["dicom-sr", "DICOM SR"], ["geojson", "GeoJSON"]].map(([form, name]) =>
    h("a", { href: api.reportAddress(slide, form!), download: true }, name!));
}

export function cellPanel(cell: CellNumbers, close: () => void): HTMLElement {
  const rows = Object.entries(cell.numbers).map(([name, value]) =>
    h("tr", {}, h("th", { scope: "row" }, CELL_WORDS[name] ?? name), h("td", {}, String(Number(value.toFixed(3))))));
  return h("div", {},
    h("div", { class: "line apart" }, h("h3", {}, "Cell"), h("button", { class: "quiet small", onclick: close }, "Close")),
    h("p", {}, `${cell.class} (${cell.kind}${cell.counted ? "" : ", not counted"})`),
    h("table", {}, h("tbody", {}, rows)),
  );
}

const ofService = () => document.body.classList.contains("department");

function section(name: string, ...children: (Node | string | null | false | undefined)[]): HTMLElement {
  return h("section", { "aria-label": name }, h("h3", {}, name), ...children);
}

function why(slide: Slide, record: SlideRecord): HTMLElement | null {
  const reasons = record.reasons?.length ? record.reasons : record.reason ? [record.reason] : [];
  if (!reasons.length) return null;
  const name = { referred: "Why it is referred", refused: "Why it is refused", failed: "What went wrong" }[slide.state as string];
  return section(name ?? "To be doubted", h("ul", { class: "reasons" }, reasons.map((reason) => h("li", {}, plainly(reason.replace(`${record.file}: `, ""))))));
}

function cutoffs(slide: Slide, record: SlideRecord): HTMLElement | null {
  const answer = record.answer;
  if (!answer) return null;
  const rows = answer.cutoffs.map((one) =>
    h("tr", {},
      h("th", { scope: "row" }, one.question),
      h("td", {}, h("span", { class: `mark ${one.answer}` }, one.answer)),
      h("td", { class: "number" }, one.probability === null ? "" : one.probability.toFixed(2)),
      h("td", { class: "number" }, one.error === null ? "no rate" : percent(one.error)),
    ));
  const head = h("tr", {}, ["Cut-off", "Answer", "Chance", "Error"].map((name) => h("th", { scope: "col" }, name)));
  return section("Treatment cut-offs", h("table", {}, h("thead", {}, head), h("tbody", {}, rows)),
    slide.promise && h("p", { class: "dim" }, slide.promise));
}

function bars(shares: Record<string, number>, words: Record<string, string> = {}, colours: string[] = []): HTMLElement {
  const rows = Object.entries(shares).map(([name, share], index) => {
    const bar = h("span", { class: "share" });
    bar.style.width = `${100 * share}%`;
    if (colours[index]) bar.style.background = colours[index];
    return h("tr", {},
      h("th", { scope: "row" }, words[name] ?? name),
      h("td", { class: "bars" }, bar),
      h("td", { class: "number" }, percent(share)),
    );
  });
  return h("table", { class: "shares" }, h("tbody", {}, rows));
}

function chances(record: SlideRecord): HTMLElement | null {
  if (!record.probabilities) return null;
  const joint = record.answer && record.answer.by !== "network" ? record.answer.probabilities : null;
  return section("Probabilities",
    h("h4", {}, "Network alone"), bars(record.probabilities),
    joint && h("h4", {}, record.answer?.by === "measurement" ? "By the measurement, which decides" : "Network and measurement"), joint && bars(joint),
    record.agreement && h("p", {}, record.agreement.sentence));
}

function measured(record: SlideRecord): HTMLElement | null {
  const told = record.measured;
  if (!told) return null;
  const colours = ["#406edc", "#f0c828", "#f57d14", "#cd142d"];
  const facts = [
    `${told.tumour_cells.toLocaleString("en")} tumour-like cells`,
    told.h_score !== null && `H-score ${told.h_score.toFixed(0)}`,
    `laboratory file: ${told.laboratory ?? "none"}`,
  ].filter(Boolean).join("; ");
  return section("Measured, cell by cell",
    h("p", {}, told.sentence.charAt(0).toUpperCase() + told.sentence.slice(1)),
    told.shares && bars(told.shares, { ...SHARE_WORDS, none: told.marker === "HER2" ? "no membrane" : "negative" }, colours),
    told.reading && h("p", {}, told.reading.sentence.charAt(0).toUpperCase() + told.reading.sentence.slice(1)),
    h("p", { class: "dim" }, `${facts}.`));
}

function quality(record: SlideRecord, go: Go): HTMLElement | null {
  const qc = record.qc;
  if (!qc) return null;
  const flags = qc.flags.map((flag) =>
    h("li", { class: flag.effect }, flag.message,
      flag.box && h("button", { class: "quiet small", onclick: () => go(flag.box!) }, "Show")));
  return section("Quality",
    h("p", {}, `Tissue ${qc.area_mm2.toFixed(2)} mm², ${qc.pieces} piece${qc.pieces === 1 ? "" : "s"}.`),
    flags.length ? h("ul", { class: "reasons" }, flags) : h("p", {}, "Nothing was found wrong."));
}

function regions(told: NonNullable<SlideRecord["regions"]>): string {
  const counts = Object.entries(told.counted).map(([name, count]) => `${count} ${name}`);
  return `${counts.join(", ")}; ${told.area_mm2.toFixed(2)} mm²`;
}

/** Where an answer was found, and when. */
function whereAndWhen(one: Earlier): (Node | string)[] {
  const inside = one.regions ? `inside ${Object.entries(one.regions).map(([name, count]) => `${count} ${name}`).join(", ")}` : "whole slide";
  return [`${inside}, control tissue ${one.control}, `, h("time", { datetime: one.written }, new Date(one.written).toLocaleString())];
}

/** A measurement that is newer than the answer, which it does not replace. */
function since(slide: Slide): HTMLElement | null {
  const told = slide.measured_since;
  if (!told) return null;
  return section("Measured since, without a model", h("p", {}, h("strong", {}, told.headline)),
    told.sentence && h("p", {}, told.sentence.charAt(0).toUpperCase() + told.sentence.slice(1)),
    h("p", { class: "dim" }, ...whereAndWhen(told), ". The answer above stays until the slide is scored again."));
}

/** What was answered before it was scored again. */
function before(slide: Slide): HTMLElement | null {
  if (!slide.earlier.length) return null;
  const told = slide.earlier.map((one) => h("li", {}, `${one.headline}: `, ...whereAndWhen(one)));
  return h("details", {}, h("summary", {}, `${told.length} earlier answer${told.length > 1 ? "s" : ""}`), h("ul", { class: "reasons" }, told));
}

function made(slide: Slide, record: SlideRecord): HTMLElement {
  const facts: [string, string | null | undefined][] = [
    ["Model", record.model && `${record.model.name}, version ${record.model.version}`],
    ["Trained on", record.model?.trained_on],
    ["um/px", record.mpp ? `${record.mpp.toPrecision(4)} (${record.mpp_source})` : null],
    ["Network saw", record.view_mpp ? `${record.view_mpp.toPrecision(3)} um/px` : null],
    ["Control tissue", record.control],
    ["Regions", record.regions && regions(record.regions)],
    ["File", ofService() ? record.file.replace(/^.*[\\/]/, "") : record.file], // where a service keeps it is nobody's business
    ["SHA-256", record.slide_sha256],
    ["lowpower", record.software_version],
  ];
  const rows = facts.filter(([, value]) => value).map(([name, value]) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "fact" }, value)));
  const pictures = slide.pictures.map((name) =>
    h("a", { href: api.pictureAddress(slide, name), target: "_blank", rel: "noreferrer" }, `${name}.png`));
  return h("details", {}, h("summary", {}, "How it was made"),
    h("table", {}, h("tbody", {}, rows)),
    pictures.length > 0 && h("p", { class: "links" }, "Pictures: ", pictures),
    h("p", { class: "dim" }, slide.notice));
}
