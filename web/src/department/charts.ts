// How readers and model agree, month by month, and whether what comes in is still what it was.

import * as api from "../api";
import { h, percent, say } from "../dom";
import type { Chart, Pair, Share } from "../types";

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
        section("HER2, readers and model, by scanner", table(agreement.by_scanner, "Scanner", (pair) => pair.first)),
        section("HER2, readers and model, by laboratory", table(agreement.by_laboratory, "Laboratory", (pair) => pair.first)),
        ...agreement.readers_model.slice(0, 1).map((pair) => section(`Scores of ${pair.first} (rows) and ${pair.second}`, confusion(pair, agreement.scores))),
      ] : [h("p", {}, "No HER2 reviews yet.")]),
      section("Drift, month by month",
        h("p", { class: "dim" }, `Limits: three standard deviations, by the first ${drift.base} results${drift.fit ? `; against the fit: between which 99 in 100 of the slides lay that the model was fitted on (${drift.fit})` : ""}. Months of five results and more that lie outside are marked.`),
        ...drift.without_fit.map((why) => h("p", { class: "dim" }, `No charts against the fit of ${why}`)),
        h("div", { class: "drift" }, drift.charts.map(chart))),
    );
  };
  document.body.append(box);
  box.showModal();
  await fill().catch(tell);
}

const section = (name: string, ...children: Node[]) => h("section", { "aria-label": name }, h("h3", {}, name), ...children);

const share = (one: Share | null) =>
  one ? `${percent(one.value)} (${percent(one.low)} to ${percent(one.high)}; ${one.of})`.replaceAll(" %", "\u00a0%") : "no slide";

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

const WIDE = 300;
const HIGH = 96;
const SIDE = 8; // room around the points
const words = (value: number) => Number(value.toPrecision(3)).toString();

/** What a chart is of, in words; and how its numbers are written: of some they are shares of the slides. */
function told(name: string): [string, (value: number) => string] {
  const likeliest = /^likeliest (.+)$/.exec(name);
  if (!likeliest && name !== "referred" && name !== "without an answer") return [name, words];
  return [`Slides ${likeliest ? `whose likeliest score is ${likeliest[1]}` : name}`, (value) => (value === 0 ? "0 %" : percent(value))];
}

/** A control chart, and its numbers for who cannot see it. */
function chart(one: Chart): HTMLElement {
  const outside = one.points.some((point) => point.outside);
  const [name, words] = told(one.name);
  return h("figure", { class: outside ? "outside" : "" },
    h("figcaption", {}, h("strong", {}, `${name}: ${words(one.points.at(-1)!.value)}`), outside && h("span", { class: "mark yes" }, "outside its limits")),
    drawn(one),
    h("details", {}, h("summary", {}, "Numbers"),
      h("table", {},
        h("thead", {}, h("tr", {}, ["Month", "Mean", "Results", "Limits"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, one.points.map((point) => h("tr", {},
          h("th", { scope: "row" }, point.month),
          h("td", {}, h("span", { class: point.outside ? "mark yes" : "" }, words(point.value))),
          h("td", {}, String(point.of)),
          h("td", {}, `${words(point.low)} to ${words(point.high)}`)))))));
}

function drawn(one: Chart): SVGElement {
  const [name, words] = told(one.name);
  const all = one.points.flatMap((point) => [point.value, point.low, point.high]);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const x = (index: number) => SIDE + ((index + 0.5) * (WIDE - 2 * SIDE)) / one.points.length;
  const y = (value: number) => (most > least ? HIGH - SIDE - ((value - least) * (HIGH - 2 * SIDE)) / (most - least) : HIGH / 2);
  const half = (WIDE - 2 * SIDE) / one.points.length / 2;
  const steps = (value: (point: Chart["points"][number]) => number) =>
    one.points.flatMap((point, index) => [`${x(index) - half},${y(value(point))}`, `${x(index) + half},${y(value(point))}`]);
  const last = one.points.at(-1)!;
  const label = `${name}, ${one.points.length} month${one.points.length === 1 ? "" : "s"}, last ${last.month}: ${words(last.value)}, limits ${words(last.low)} to ${words(last.high)}`;
  return svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label },
    svg("polygon", { class: "limits", points: [...steps((point) => point.high), ...steps((point) => point.low).reverse()].join(" ") }),
    svg("polyline", { class: "means", points: one.points.map((point, index) => `${x(index)},${y(point.value)}`).join(" ") }),
    ...one.points.map((point, index) => {
      const title = svg("title", {});
      title.textContent = `${point.month}: ${words(point.value)} (${point.of} results)`;
      return svg(point.outside ? "rect" : "circle", point.outside
        ? { class: "far", x: x(index) - 4.5, y: y(point.value) - 4.5, width: 9, height: 9 } // another shape, not another colour alone
        : { class: "near", cx: x(index), cy: y(point.value), r: 3.5 }, title);
    }));
}

function svg(tag: string, attributes: Record<string, string | number>, ...children: SVGElement[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
