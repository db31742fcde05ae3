// Making elements. Text only ever goes in as text, so nothing that a file says can become markup.

type Attributes = Record<string, string | number | boolean | ((event: any) => void) | undefined>;
type Child = Node | string | null | undefined | false;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Child | Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  for (const child of children.flat()) if (child) element.append(child);
  return element;
}

export function find<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const said = find("said");
// What lies behind an open dialog is dimmed, and to a screen reader not there: messages go into it, and out before it ends.
document.addEventListener("close", (event) => (event.target as Node).contains(said) && document.body.append(said), true);

/** Tells a person, and a screen reader, what happened. */
export function say(text: string, wrong = false): void {
  const open = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (said.parentElement !== open) open.append(said);
  const dismiss = () => {
    if (said.contains(document.activeElement)) (document.querySelector<HTMLElement>("dialog[open] input, dialog[open] button") ?? find("help")).focus();
    said.className = "";
  };
  said.replaceChildren(h("span", {}, text), wrong && text ? h("button", { class: "quiet dismiss", "aria-label": "Dismiss this message", title: "Dismiss (Escape)", onclick: dismiss }) : "");
  said.className = text ? (wrong ? "shown wrong" : "shown") : "";
  clearTimeout(timer);
  if (!wrong) timer = window.setTimeout(() => (said.className = ""), 4000);
}
let timer = 0;
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) said.querySelector<HTMLElement>(".dismiss")?.click();
});

/** Why there is no score: what is done on the command line is said as it is done here, where slides are scored here. */
export function plainly(reason: string): string {
  if (!document.body.classList.contains("scores")) return reason;
  return reason.replace(/; [^;]*--mpp\b.*$/s, ". Write the um/px beside the button that scores the slide, for instance 0.25.");
}

export const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;

/** What this browser keeps between visits; a browser that keeps nothing is no error. */
export const kept = {
  get(name: string): string {
    try {
      return localStorage.getItem(`lowpower-${name}`) ?? "";
    } catch {
      return "";
    }
  },
  set(name: string, value: string): void {
    try {
      localStorage.setItem(`lowpower-${name}`, value);
    } catch {
      /* private window */
    }
  },
};
