// A model's card. Of Markdown as much as cards are made of; text goes in as text, so nothing in a card becomes markup.

import * as api from "../api";
import { h } from "../dom";

export async function showCard(name: string): Promise<void> {
  const card = await api.modelCard(name);
  const box = h("dialog", { class: "wide", "aria-label": `Model card of ${name}`, onclose: () => box.remove() },
    h("div", { class: "card", tabindex: 0, role: "region", "aria-label": "Card" }, blocks(card)),
    h("form", { method: "dialog" }, h("button", {}, "Close")));
  document.body.append(box);
  box.showModal();
}

const FENCE = /^\s*(```|~~~)/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^\s*([-*+]|\d+[.)])\s+/;
const ROW = /^\s*\|/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;

const begins = (line: string) => [FENCE, HEADING, ITEM, ROW, RULE].some((kind) => kind.test(line));

/** The blocks of a text, in their order. */
function blocks(text: string): HTMLElement[] {
  const lines = text.replace(/\r\n?/g, "\n").replace(/^---\n[\s\S]*?\n---\n/, "").split("\n"); // without fields for a hub
  const made: HTMLElement[] = [];
  /** Takes lines as long as they belong together. */
  const take = (belongs: (line: string) => boolean) => {
    const end = lines.findIndex((line) => !belongs(line));
    return lines.splice(0, end < 0 ? lines.length : end);
  };
  while (lines.length) {
    const line = lines[0]!;
    const heading = HEADING.exec(line);
    if (!line.trim() || RULE.test(line)) lines.shift();
    else if (FENCE.test(line)) {
      lines.shift();
      made.push(h("pre", {}, take((one) => !FENCE.test(one)).join("\n")));
      lines.shift();
    } else if (heading) {
      lines.shift();
      made.push(h((["h2", "h3", "h4"] as const)[Math.min(heading[1]!.length, 3) - 1]!, {}, inline(heading[2]!)));
    } else if (ROW.test(line)) made.push(table(take((one) => ROW.test(one))));
    else if (ITEM.test(line)) made.push(list(take((one) => one.trim() !== "" && (ITEM.test(one) || !begins(one)))));
    else made.push(h("p", {}, inline([lines.shift()!, ...take((one) => one.trim() !== "" && !begins(one))].join(" "))));
  }
  return made;
}

function list(lines: string[]): HTMLElement {
  const items: string[] = [];
  for (const line of lines) {
    if (ITEM.test(line)) items.push(line.replace(ITEM, ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return h(/^\s*\d/.test(lines[0]!) ? "ol" : "ul", {}, items.map((item) => h("li", {}, inline(item))));
}

function table(lines: string[]): HTMLElement {
  const rows = lines.map((line) => line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|")));
  const ruled = rows[1]?.every((cell) => /^:?-+:?$/.test(cell)) ?? false;
  const head = ruled && rows[0]!.some((cell) => cell) ? rows[0]! : null;
  return h("table", {},
    head && h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, inline(cell))))),
    h("tbody", {}, rows.slice(ruled ? 2 : 0).map((row) => h("tr", {}, row.map((cell, index) =>
      index ? h("td", {}, inline(cell)) : h("th", { scope: "row" }, inline(cell)))))));
}

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]*)\]\((https?:\/\/[^\s)]+)\)/;

/** What stands in a line: code, strong words, links to the web; anything else is text. */
function inline(text: string): (Node | string)[] {
  const found = INLINE.exec(text);
  if (!found) return [text];
  const [whole, code, strong, name, address] = found;
  const made = code !== undefined ? h("code", {}, code)
    : strong !== undefined ? h("strong", {}, inline(strong))
    : h("a", { href: address!, target: "_blank", rel: "noreferrer" }, name || address!);
  return [text.slice(0, found.index), made, ...inline(text.slice(found.index + whole.length))];
}
