// Slides that wait to be scored or are being scored: how far they are, and the buttons that begin and end it.

import * as api from "./api";
import { h, plainly, say } from "./dom";
import type { Job, Slide } from "./types";

const NO_SCALE = ["missing_mpp", "invalid_mpp", "mpp_out_of_range"];

export class Scoring {
  private jobs = new Map<string, Job>();
  private readonly scales = new Map<string, string>(); // um/px that somebody writes, by slide

  /**
   * `changed` is told whenever something about the jobs changes, with the slides whose jobs have ended; `control` says
   * what the reader says of control tissue on the open slide.
   */
  constructor(private readonly changed: (ended: Set<string>) => void, private readonly control: () => string | null) {
    const source = new EventSource("./v1/events");
    source.addEventListener("jobs", (event) => {
      const told: Job[] = JSON.parse(event.data);
      const now = new Map(told.map((job) => [job.id, job]));
      const ended = [...this.jobs.values()].filter((job) => !now.has(job.id));
      this.jobs = now;
      this.changed(new Set(ended.flatMap((job) => job.slide ?? [])));
      document.dispatchEvent(new Event("jobs"));
      for (const job of ended) void this.tellEnd(job);
    });
  }

  /** Scores a slide, whole or inside what is drawn on it. */
  async score(key: string, regions: boolean, said: string, mpp?: number): Promise<void> {
    try {
      const control = this.control();
      await api.ask("jobs", { slide: key, regions, ...(control ? { control } : {}), ...(mpp ? { mpp } : {}) });
      say(said);
    } catch (error) {
      say((error as Error).message, true);
    }
  }

  /** Measures the stain of a whole slide, without a model; the model's answer stays what is shown. */
  private async measure(key: string): Promise<void> {
    try {
      const control = this.control();
      await api.ask("jobs", { slide: key, kind: "measure", ...(control ? { control } : {}) });
      say("It is being measured.");
    } catch (error) {
      say((error as Error).message, true);
    }
  }

  /** What begins measuring, where no job of the slide is under way. */
  measureButton(slide: Slide): HTMLElement | null {
    if (this.job(slide)) return null;
    return h("button", { class: "quiet", title: "The stain alone, cell by cell, without a model; the whole slide", onclick: () => void this.measure(slide.key) }, "Measure");
  }

  /** Scores slides one after another. */
  async all(keys: string[]): Promise<void> {
    try {
      for (const key of keys) await api.ask("jobs", { slide: key });
      say(keys.length === 1 ? "1 slide is being scored." : `${keys.length} slides are being scored, one after another.`);
    } catch (error) {
      say((error as Error).message, true);
    }
  }

  /** How far a slide's job is, if it has one. */
  progress(slide: Slide): HTMLElement | null {
    const job = this.job(slide);
    if (!job) return null;
    const done = job.kind === "measure" ? "measured" : "scored";
    const bar = job.state === "running" && job.progress ? h("progress", { max: 1, value: job.progress, "aria-label": `Being ${done}` }) : null;
    return h("p", { class: "going-on" }, job.state === "running" ? `Being ${done}` : `Waits to be ${done}`, " ", bar);
  }

  /** What begins scoring, or ends it. */
  button(slide: Slide): HTMLElement {
    const job = this.job(slide);
    if (job) return h("button", { class: "quiet", onclick: () => void this.cancel(job) }, job.kind === "measure" ? "Cancel measuring" : "Cancel scoring");
    const again = slide.record !== null || slide.state === "hidden";
    // Without a scale there is no score: who knows it can say it.
    const scale: HTMLInputElement | null = NO_SCALE.includes(slide.record?.reason_code ?? "") ? h("input", { inputmode: "decimal", size: 6, "aria-label": "Microns per pixel", placeholder: "um/px", value: this.scales.get(slide.key) ?? "",
      oninput: () => this.scales.set(slide.key, scale!.value) }) : null;
    const score = () => {
      const mpp = scale ? Number(scale.value.replace(",", ".")) : undefined;
      if (mpp !== undefined && !(mpp > 0)) return say("Give the slide's microns per pixel first, for instance 0.25.", true);
      void this.score(slide.key, false, again ? "It is being scored again." : "It is being scored.", mpp);
    };
    const button = h("button", { class: again ? "quiet" : "", title: "The whole slide", onclick: score }, again ? "Score again" : "Score");
    return scale ? h("span", { class: "line" }, scale, button) : button;
  }

  private job(slide: Slide): Job | undefined {
    return [...this.jobs.values()].find((one) => one.slide === slide.key);
  }

  private async cancel(job: Job): Promise<void> {
    try {
      await api.ask(`jobs/${job.id}/cancel`, {});
      say("Cancelled.");
    } catch (error) {
      say((error as Error).message, true);
    }
  }

  /** An answer shows by itself; that there is none must be said. */
  private async tellEnd(job: Job): Promise<void> {
    if (job.slide === null) return;
    const told = await api.job(job.id).catch(() => null);
    if (told && told.state !== "cancelled" && told.reason) say(`${job.slide} was not ${job.kind === "measure" ? "measured" : "scored"}: ${plainly(told.reason)}`, true);
    else if (told?.state === "done" && job.kind === "measure") say(`${job.slide} was measured.`);
  }
}
