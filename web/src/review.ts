// The reader's word: agree, another score, cannot be scored.

import * as api from "./api";
import { find, h, say } from "./dom";
import type { Review, Slide, Verdict } from "./types";

const UNSCORED = ["waiting", "running", "cancelled", "unscored"]; // nothing to review yet
const SCORE_WORDS: Record<string, string> = { null: "0 null", ultralow: "0 ultralow" };

export class ReviewForm {
  readonly element = h("form", { class: "review", "aria-label": "Your review", onsubmit: (event: Event) => this.send(event) });
  private slide: Slide | null = null;
  private saving = false;

  constructor(private readonly saved: (key: string) => Promise<void>) {}

  /** What somebody began to say of the slide stays when it is told anew: of another answer the comment alone. */
  show(slide: Slide): void {
    const before = this.slide?.key === slide.key && !this.saving ? new FormData(this.element) : null;
    const same = this.slide?.version === slide.version && this.slide.state === slide.state;
    this.slide = slide;
    const hidden = slide.state === "hidden";
    this.element.hidden = UNSCORED.includes(slide.state);
    const options: HTMLElement[] = [];
    if (!hidden && slide.answered)
      options.push(this.option("agree", slide.answered, `Agree: ${slide.answered}`));
    for (const score of slide.choices)
      if (hidden || score !== slide.answered) options.push(this.option("other score", score, SCORE_WORDS[score] ?? score));
    options.push(this.option("cannot score", "", "Cannot score"));
    const share = slide.choices.length === 0 && slide.marker
      ? h("label", { class: "line" }, "Stained, % ", h("input", { name: "percent", inputmode: "decimal", size: 6, oninput: () => this.clear() }))
      : null;
    this.element.replaceChildren(
      h("h3", {}, "Your review"),
      h("fieldset", {}, h("legend", { class: "hush" }, "Score"), options),
      ...(share ? [share] : []),
      h("div", { class: "send" },
        h("input", { name: "comment", maxlength: 2000, placeholder: "Comment", "aria-label": "Comment", autocomplete: "off" }),
        h("button", { type: "submit" }, "Save review"),
      ),
      history(slide.reviews),
    );
    for (const input of this.element.querySelectorAll<HTMLInputElement>("input[name]")) {
      const said = before?.get(input.name);
      if (input.type === "radio") input.checked = same && input.value === said;
      else if (typeof said === "string" && (same || input.name === "comment")) input.value = said;
    }
  }

  /** Choose "agree"; the reader still has to save it. */
  agree(): void {
    const first = this.element.querySelector<HTMLInputElement>("input[value^='agree']");
    if (!first) return say("There is no score to agree with yet.");
    first.checked = true;
    this.element.querySelector<HTMLButtonElement>("button[type=submit]")!.focus();
  }

  private option(verdict: Verdict, score: string, text: string): HTMLElement {
    return h("label", { class: `option ${verdict.split(" ")[0]}` },
      h("input", { type: "radio", name: "verdict", value: `${verdict}|${score}` }), h("span", {}, text));
  }

  private clear(): void {
    for (const input of this.element.querySelectorAll<HTMLInputElement>("input[name=verdict]")) input.checked = false;
  }

  private async send(event: Event): Promise<void> {
    event.preventDefault();
    if (this.saving) return; // pressed twice
    const slide = this.slide!;
    const given = new FormData(this.element);
    const share = String(given.get("percent") ?? "").trim().replace(",", ".");
    const [verdict, score = ""] = String(given.get("verdict") ?? (share ? `other score|${share}` : "")).split("|");
    if (!document.body.classList.contains("department") && !find<HTMLInputElement>("reader").value.trim()) {
      find("reader").focus();
      return say("Write your name at the top first: a review says who gave it.", true);
    }
    if (!verdict) return say("Choose a score, or that it cannot be scored.", true);
    this.saving = true;
    try {
      const made = await api.review(slide, { verdict: verdict as Verdict, score, comment: String(given.get("comment") ?? "") });
      await this.saved(slide.key);
      say(`Saved: ${sentence(made)}`);
    } catch (error) {
      say((error as Error).message, true);
    }
    this.saving = false;
  }
}

function sentence(review: Review): string {
  if (review.verdict === "agree") return `${review.reader} agrees with ${review.score}`;
  if (review.verdict === "cannot score") return `${review.reader} cannot score it`;
  return `${review.reader} says ${SCORE_WORDS[review.score] ?? review.score}${review.blind ? ", blind" : ""}`;
}

function history(reviews: Review[]): HTMLElement | string {
  if (!reviews.length) return "";
  const told = [...reviews].reverse().map((review) =>
    h("li", {}, `${sentence(review)} `, h("time", { datetime: review.time }, new Date(review.time).toLocaleString()),
      review.comment && `: ${review.comment}`));
  return h("details", { open: reviews.length < 3 }, h("summary", {}, `${reviews.length} review${reviews.length > 1 ? "s" : ""}`), h("ul", { class: "history" }, told));
}
