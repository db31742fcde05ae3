// Slides that do not come by this browser: from folders of the service, and from the picture archive. And who stained them.

import * as api from "../api";
import { h, kept, say } from "../dom";
import type { Session } from "../types";

const tell = (error: Error) => say(error.message, true);

/** Asks where slides come from and who stained them; `added` is told of each that was taken. */
export function showSources(session: Session, name: string, added: () => void): void {
  const took = (slide: string) => {
    say(`It is here as ${slide}, and is being scored.`);
    added();
  };
  const laboratory = h("input", { maxlength: 60, autocomplete: "off", value: kept.get("laboratory"),
    onchange: () => kept.set("laboratory", laboratory.value.trim()) });
  const box = h("dialog", { "aria-label": name, class: "sources", onclose: () => box.remove() },
    h("h2", {}, name),
    h("label", { class: "line" }, "Laboratory that stained the slides ", laboratory),
    h("p", { class: "dim" }, "Said of all slides that this browser adds from now on. Empty: as the service is set."),
    session.offers.includes("roots") && folders(took),
    session.offers.includes("dicomweb") && archive(took),
    h("form", { method: "dialog" }, h("button", { class: "quiet" }, "Close")));
  document.body.append(box);
  box.showModal();
}

const caseField = () => h("input", { maxlength: 100, autocomplete: "off", placeholder: "kept as a pseudonym" });

function folders(took: (slide: string) => void): HTMLElement {
  const filter = h("input", { type: "search", placeholder: "Part of the path", "aria-label": "Part of the path", oninput: () => show() });
  const list = h("select", { size: 7, "aria-label": "Slides in folders of the service" });
  const belongs = caseField();
  let paths: string[] = [];
  const show = () => list.replaceChildren(...paths.filter((path) => path.toLowerCase().includes(filter.value.toLowerCase()))
    .map((path) => h("option", { value: path, title: path }, path)));
  api.roots().then((told) => {
    paths = told;
    show();
    if (!told.length) list.replaceWith(h("p", {}, "There are no slides in them."));
  }, tell);
  const take = () => {
    if (!list.value) return say("Choose a slide of the list first.", true);
    api.register(list.value, belongs.value).then((made) => took(made.slide), tell);
  };
  return h("section", { "aria-label": "From a folder" }, h("h3", {}, "From a folder of the service"), filter, list,
    h("div", { class: "line" }, h("label", {}, "Case ", belongs), h("button", { onclick: take }, "Take it")));
}

function archive(took: (slide: string) => void): HTMLElement {
  const [accession, patient, belongs] = [h("input", { maxlength: 64 }), h("input", { maxlength: 64 }), caseField()];
  const list = h("ul", { class: "people" });
  const fetch = (study: string, series: string, button: HTMLButtonElement) => {
    button.disabled = true;
    button.textContent = "Comes ...";
    api.fetchSeries(study, series, belongs.value || accession.value).then((made) => took(made.slide), tell).finally(() => {
      button.disabled = false;
      button.textContent = "Fetch";
    });
  };
  const search = (event: Event) => {
    event.preventDefault();
    list.replaceChildren(h("li", {}, "Asking the archive ..."));
    api.series(accession.value.trim(), patient.value.trim()).then(
      (found) => list.replaceChildren(...(found.length ? found : [null]).map((one) => {
        if (!one) return h("li", {}, "The archive has no whole slide of these.");
        const name = `${one.date || "no date"}, ${one.instances ?? "?"} files, ...${one.series.slice(-12)}`;
        const button: HTMLButtonElement = h("button", { class: "quiet small", "aria-label": `Fetch ${name}`, onclick: () => fetch(one.study, one.series, button) }, "Fetch");
        return h("li", {}, h("span", {}, name), button);
      })),
      (error: Error) => {
        list.replaceChildren();
        tell(error);
      });
  };
  return h("section", { "aria-label": "From the archive" }, h("h3", {}, "From the picture archive"),
    h("form", { class: "line", onsubmit: search },
      h("label", {}, "Accession ", accession), h("label", {}, "Patient ", patient), h("button", { type: "submit" }, "Search")),
    h("label", { class: "line" }, "Case ", belongs),
    list);
}

/** Files as slides: each alone, but those of one DICOM series together. */
export async function asSlides(files: File[]): Promise<File[][]> {
  const series = new Map<string, File[]>();
  for (const file of files) {
    const number = /\.(dcm|dicom)$/i.test(file.name) ? await seriesOf(file) : "";
    const name = number || `${series.size} ${file.name}`;
    series.set(name, [...(series.get(name) ?? []), file]);
  }
  return [...series.values()];
}

const HEAD = 1 << 16; // bytes in which a DICOM file says what it belongs to
const SERIES = [0x20, 0x00, 0x0e, 0x00, 0x55, 0x49]; // (0020,000E) UI, little endian

/** The number of a DICOM file's series; "" where it does not say. */
async function seriesOf(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  for (let at = 132; at + 8 < bytes.length; at++) {
    if (SERIES.every((byte, index) => bytes[at + index] === byte)) {
      const length = bytes[at + 6]! + 256 * bytes[at + 7]!;
      return new TextDecoder().decode(bytes.slice(at + 8, at + 8 + length)).replace(/\0/g, "").trim();
    }
  }
  return "";
}
