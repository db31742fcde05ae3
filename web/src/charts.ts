// How readers and model agree, month by month, and whether what comes in is still what it was.

import * as api from "./api";
import { h, percent, say } from "./dom";
import type { Chart, Pair, Share } from "./types";

export async function showCharts(): Promise<void> {
  const place = h("div", { class: "charts" });
  const blind = h("input", { type: "checkbox", onchange: () => void fill().catch(tell) });
  const box = h("dialog", { class: "wide", "aria-label": "Charts", onclose: () => box.remove() },
    h("h2", {}, "Agreement and drift"),
    h("label", { class: "check" }, blind, "Only reviews given before the answer was seen"),
    place,
    h("form", { method: "dialog" }, h("button", {}, "Close")));
  const tell = (error: Error) => say(error.message, true);
  const fill = async () => {
    const [agreement, drift] = await Promise.all([api.agreement(blind.checked), api.drift()]);
    const pairs = [...agreement.readers_model, ...agreement.readers];
    place.replaceChildren(
      ...(pairs.length ? [
        section("HER2, who with whom", table(pairs, "Who", (pair) => `${pair.first} and ${pair.second}`)),
        section("HER2, readers and model, by month", table(agreement.by_month, "Month", (pair) => pair.first)),
        ...agreement.readers_model.slice(0, 1).map((pair) => section(`Scores of ${pair.first} (rows) and ${pair.second}`, confusion(pair, agreement.scores))),
      ] : [h("p", {}, "No HER2 reviews yet.")]),
      section("Drift, month by month",
        h("p", { class: "dim" }, `Limits: three standard deviations, by the first ${drift.base} results. Months outside are marked.`),
        ...drift.charts.map(chart)),
    );
  };
  document.body.append(box);
  box.showModal();
  await fill().catch(tell);
}

const section = (name: string, ...children: Node[]) => h("section", { "aria-label": name }, h("h3", {}, name), ...children);

const share = (one: Share | null) =>
  one ? `${percent(one.value)} (${percent(one.low)} to ${percent(one.high)}; ${one.of})` : "no slide";

function table(pairs: Pair[], first: string, name: (pair: Pair) => string): HTMLElement {
  const cutoffs = pairs[0]?.cutoffs.map((one) => one.cutoff) ?? [];
  const head = [first, "Slides", "Kappa", ...cutoffs.flatMap((cutoff) => [`PPA ≥${cutoff}`, `NPA ≥${cutoff}`])];
  return h("table", {},
    h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, pairs.map((pair) => h("tr", {},
      h("th", { scope: "row" }, name(pair)),
      h("td", {}, String(pair.slides)),
      h("td", {}, pair.kappa === null ? "" : pair.kappa.toFixed(2)),
      pair.cutoffs.flatMap((one) => [h("td", {}, share(one.positive)), h("td", {}, share(one.negative))])))));
}

function confusion(pair: Pair, scores: string[]): HTMLElement {
  return h("table", { class: "confusion" },
    h("thead", {}, h("tr", {}, h("td", {}), scores.map((score) => h("th", { scope: "col" }, score)))),
    h("tbody", {}, pair.confusion.map((row, index) =>
      h("tr", {}, h("th", { scope: "row" }, scores[index]!), row.map((count) => h("td", {}, String(count)))))));
}

function chart(one: Chart): HTMLElement {
  const words = (value: number) => Number(value.toPrecision(3)).toString();
  return h("details", { open: one.points.some((point) => point.outside) },
    h("summary", {}, `${one.name}: ${words(one.points.at(-1)!.value)}${one.points.some((point) => point.outside) ? ", outside its limits" : ""}`),
    h("table", {},
      h("thead", {}, h("tr", {}, ["Month", "Mean", "Results", "Limits"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, one.points.map((point) => h("tr", {},
        h("th", { scope: "row" }, point.month),
        h("td", {}, h("span", { class: point.outside ? "mark yes" : "" }, words(point.value))),
        h("td", {}, String(point.of)),
        h("td", {}, `${words(point.low)} to ${words(point.high)}`))))));
}
