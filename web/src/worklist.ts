// The worklist: what is referred comes first.

import { find, h, plainly } from "./dom";
import type { Asked, Row, State, Worklist } from "./types";

const ORDER: State[] = ["hidden", "referred", "issued", "measured", "refused", "failed", "running", "waiting", "unscored", "cancelled"];
const UNSCORED: State[] = ["running", "waiting", "unscored", "cancelled"];
const SHOWN = 300;
const PAGE = 100; // rows that a server which searches gives at once
const MOST = 500;
const SERVER_FILTERS = ["Needs a second reader", "Readers differ"];
const SERVER_SORTS = ["Newest first"];

export const STATE_WORDS: Record<State, string> = {
  referred: "Referred",
  issued: "Issued",
  measured: "Measured",
  refused: "Refused",
  failed: "Failed",
  hidden: "To score",
  waiting: "Waiting",
  running: "Being scored",
  cancelled: "Cancelled",
  unscored: "Not scored",
};

const FILTERS: Record<string, (row: Row) => boolean> = {
  "All slides": () => true,
  Referred: (row) => row.state === "referred",
  Issued: (row) => row.state === "issued" || row.state === "measured",
  "Refused or failed": (row) => row.state === "refused" || row.state === "failed",
  "Not scored yet": (row) => UNSCORED.includes(row.state),
  "Not reviewed": (row) => row.review === null && !UNSCORED.includes(row.state),
  Overruled: (row) => row.review !== null && row.review.verdict !== "agree" && row.review.score !== row.review.answered,
};

const byName = (a: Row, b: Row) => a.name.localeCompare(b.name, undefined, { numeric: true });
const SORTS: Record<string, (a: Row, b: Row) => number> = {
  "Referred first": (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || byName(a, b),
  "Least sure first": (a, b) => (a.probability ?? 2) - (b.probability ?? 2) || byName(a, b),
  Score: (a, b) => (b.score ?? "").localeCompare(a.score ?? "") || byName(a, b),
  Name: byName,
};

export class WorklistView {
  private rows: Row[] = [];
  private visible: Row[] = [];
  private limit = SHOWN;
  private key = "";
  private readonly list = h("ul", { class: "rows" });
  private readonly count = h("p", { class: "count", role: "status" });
  private readonly search = h("input", {
    type: "search",
    placeholder: "Search name or reason",
    "aria-label": "Search name or reason",
    oninput: () => this.anew(200),
  });
  private readonly filter = this.choice("Show", Object.keys(FILTERS));
  private readonly sort = this.choice("Sort by", Object.keys(SORTS));

  private readonly scoreButton = h("button", { class: "quiet", hidden: true, onclick: () => this.scoreAll?.(this.unscored()) });
  /** Scores slides that have no result, where that is done from here. */
  scoreAll: ((keys: string[]) => void) | null = null;

  private told: Worklist | null = null; // where the server searches
  private timer = 0;

  constructor(
    private readonly choose: (key: string) => void,
    private readonly fetch: (asked: Asked) => Promise<Worklist>,
    private readonly wrong: (error: Error) => void,
  ) {
    find("worklist").append(
      h("h2", {}, "Worklist"),
      this.search,
      h("div", { class: "pair" }, this.filter, this.sort),
      this.count,
      this.scoreButton,
      this.list,
    );
  }

  private unscored(): string[] {
    return this.visible.filter((row) => row.state === "unscored" || row.state === "cancelled").map((row) => row.key);
  }

  private choice(label: string, options: string[]): HTMLSelectElement {
    const all = options.map((name) => h("option", { value: name }, name));
    return h("select", { "aria-label": label, onchange: () => this.anew(0) }, all);
  }

  /** What is asked for now: the first page, or as much as is shown already. */
  asked(): Asked {
    const limit = Math.min(MOST, Math.max(PAGE, this.told ? this.rows.length : 0));
    return { search: this.search.value, show: this.filter.value, sort: this.sort.value, cursor: "", limit };
  }

  show(told: Worklist): void {
    if (told.paged && !this.told) {
      this.filter.append(...SERVER_FILTERS.map((name) => h("option", { value: name }, name)));
      this.sort.append(...SERVER_SORTS.map((name) => h("option", { value: name }, name)));
    }
    this.told = told.paged ? told : null;
    this.rows = told.rows;
    this.draw();
  }

  private anew(wait: number): void {
    if (!this.told) return this.draw();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      const asked = { ...this.asked(), limit: PAGE };
      this.fetch(asked).then((told) => this.show(told), this.wrong);
    }, wait);
  }

  focusSearch(): void {
    this.search.focus();
  }

  /** The case that a slide belongs to, where the service knows one. */
  caseOf(key: string): string | null {
    return this.rows.find((row) => row.key === key)?.case ?? null;
  }

  /** The slide before or after the one that is open. */
  neighbour(step: number): string | undefined {
    const at = this.visible.findIndex((row) => row.key === this.key);
    return this.visible[at < 0 ? 0 : at + step]?.key;
  }

  open(key: string): void {
    this.key = key;
    if (this.visible.findIndex((row) => row.key === key) >= this.limit) this.draw();
    for (const button of this.list.querySelectorAll("button")) {
      const here = button.dataset.key === key;
      if (here) {
        button.setAttribute("aria-current", "true");
        button.scrollIntoView({ block: "nearest" });
      } else button.removeAttribute("aria-current");
    }
  }

  draw(): void {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = FILTERS[this.filter.value] ?? (() => true);
    const told = (row: Row) => `${row.name} ${row.reason ?? ""} ${row.marker ?? ""}`.toLowerCase();
    this.visible = this.told ? this.rows : this.rows
      .filter((row) => kept(row) && words.every((word) => told(row).includes(word)))
      .sort(SORTS[this.sort.value]!);
    const still = this.scoreAll ? this.unscored().length : 0;
    this.scoreButton.hidden = still < 2;
    this.scoreButton.textContent = `Score all ${still} that have no result`;
    const at = this.visible.findIndex((row) => row.key === this.key);
    if (at >= this.limit) this.limit = at + SHOWN;
    const reviewed = this.told?.reviewed ?? this.rows.filter((row) => row.review).length;
    const total = this.told?.total ?? this.rows.length;
    const over = this.told?.or_more ? "more than " : "";
    this.count.textContent = `${this.visible.length} of ${over}${total} slides, ${reviewed} reviewed`;
    this.list.replaceChildren(...this.visible.slice(0, this.limit).map((row) => this.row(row)));
    if (this.visible.length > this.limit || this.told?.next) this.list.append(this.more());
  }

  private more(): HTMLElement {
    const open = async () => {
      this.limit += SHOWN;
      if (this.told?.next) {
        try {
          const more = await this.fetch({ ...this.asked(), limit: PAGE, cursor: this.told.next });
          this.told = more;
          this.rows = [...this.rows, ...more.rows];
        } catch (error) {
          this.wrong(error as Error);
        }
      }
      this.draw();
    };
    return h("li", {}, h("button", { class: "quiet", onclick: () => void open() }, "Show more"));
  }

  private row(row: Row): HTMLElement {
    const here = row.key === this.key;
    const score = row.score === null ? null : h("span", { class: "score" }, row.score);
    const marks = row.cutoffs.map((cutoff) =>
      h("span", { class: `mark ${cutoff.answer}`, title: `${cutoff.question}: ${cutoff.answer}` },
        `${cutoff.question.replace("at least ", "≥")}: ${MARK[cutoff.answer]}`),
    );
    return h(
      "li",
      {},
      h(
        "button",
        { "data-key": row.key, "aria-current": here ? "true" : undefined, onclick: () => this.choose(row.key) },
        h("span", { class: "top" },
          h("span", { class: "name" }, row.name),
          row.review && h("span", { class: "reviewed" }, reviewed(row)),
        ),
        h("span", { class: "line" },
          h("span", { class: `state ${row.state}` }, STATE_WORDS[row.state]),
          score,
          row.probability !== null && h("span", { class: "dim" }, row.probability.toFixed(2)),
          row.measured && h("span", { class: "dim" }, row.measured),
          row.state !== "waiting" && row.progress !== null && h("progress", { max: 1, ...(row.progress > 0 ? { value: row.progress } : {}), "aria-label": "Scoring" }),
          READING[row.reading] && h("span", { class: "mark undetermined" }, READING[row.reading]!),
        ),
        row.case && h("span", { class: "line dim" }, row.case),
        marks.length > 0 && h("span", { class: "line" }, marks),
        row.reason && h("span", { class: "reason" }, plainly(row.reason)),
      ),
    );
  }
}

const READING: Record<string, string> = { one: "second reader", differ: "readers differ", settled: "settled" };
const MARK = { yes: "yes", no: "no", undetermined: "?" } as const;

function reviewed(row: Row): string {
  const review = row.review!;
  if (review.verdict === "agree") return "✓ agreed";
  return review.verdict === "other score" ? `✓ reader: ${review.score}` : "✓ cannot score";
}
