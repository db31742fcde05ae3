// Regions drawn by hand, kept as GeoJSON beside the results at every change.

import type OpenSeadragon from "openseadragon";
import * as api from "./api";
import { find, h, say } from "./dom";
import type { GeoFeature, Slide } from "./types";

const CLASSES = ["Tumor", "Ignore*"];
const LEAST = 4; // points of an outline

export class Regions {
  readonly button = h("button", { id: "regions-toggle", class: "quiet", "aria-pressed": "false", onclick: () => this.toggle() }, "Regions");
  readonly element = h("div", { class: "regions", role: "group", "aria-label": "Regions", hidden: true });
  private readonly sheet = h("div", { class: "sheet", hidden: true });
  private readonly list = h("ul", {});
  private readonly kind = h("select", { "aria-label": "Class of what is drawn" }, CLASSES.map((name) => h("option", {}, name)));
  private readonly pen = h("button", { class: "quiet", "aria-pressed": "false", onclick: () => this.draw(this.sheet.hidden === true || this.boxing) }, "Draw");
  private readonly file = h("input", { type: "file", accept: ".geojson,.json", class: "hush", "aria-label": "GeoJSON file", onchange: () => void this.load() });
  private readonly link = h("a", { download: true }, "GeoJSON");
  private readonly boxPen = h("button", { class: "quiet", "aria-pressed": "false", title: "Drag a box around on-slide control tissue", onclick: () => this.draw(this.sheet.hidden === true || !this.boxing, true) }, "Control box");
  private readonly boxed = h("div", { class: "line" });
  private readonly hint = h("p", { class: "dim" });
  private readonly again = h("button", { hidden: true, onclick: () => this.slide && this.score?.(this.slide, this.features.length > 0) });
  private slide: Slide | null = null;
  private features: GeoFeature[] = [];
  private told: Promise<void> = Promise.resolve(); // done once the server has said what is kept of this slide
  private line: number[][] = [];
  private boxing = false;
  private box: [number, number, number, number] | null = null; // control tissue, base pixels
  private score: ((slide: Slide, inside: boolean) => void) | null = null;

  constructor(
    private readonly viewer: OpenSeadragon.Viewer,
    field: HTMLElement,
    private readonly redraw: () => void,
    private readonly point: (event: PointerEvent) => [number, number] | null,
    private readonly inSight: () => number[][] | null,
  ) {
    this.element.append(
      h("h3", {}, "Regions"),
      h("div", { class: "line" }, this.kind, this.pen,
        h("button", { class: "quiet", title: "The whole field that is in sight", onclick: () => this.addSight() }, "Add field in sight")),
      this.list,
      h("div", { class: "line" },
        h("button", { class: "quiet", onclick: () => this.file.click() }, "Load file"), this.file, this.link),
      h("div", { class: "line" }, this.boxPen, this.boxed),
      this.again, this.hint,
    );
    this.sheet.addEventListener("pointerdown", (event) => this.begin(event));
    this.sheet.addEventListener("pointermove", (event) => this.move(event));
    this.sheet.addEventListener("pointerup", () => void this.end());
    this.sheet.addEventListener("wheel", (event) => {
      // The wheel still zooms while drawing.
      event.preventDefault();
      const viewport = this.viewer.viewport;
      const box = this.sheet.getBoundingClientRect();
      const at = viewport.pointFromPixel({ x: event.clientX - box.left, y: event.clientY - box.top } as OpenSeadragon.Point);
      viewport.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, at);
    }, { passive: false });
    field.append(this.sheet, this.element);
  }

  /** Scores slides inside what is drawn on them, or with the control box alone, where somebody does. */
  scores(does: (slide: Slide, inside: boolean) => void): void {
    this.score = does;
    this.show();
  }

  async open(slide: Slide): Promise<void> {
    if (slide.key !== this.slide?.key || slide.version !== this.slide.version) this.box = boxOf(slide.record?.control);
    this.slide = slide;
    this.features = [];
    this.draw(false);
    this.button.hidden = slide.image === null;
    if (!slide.image) this.element.hidden = true;
    this.show();
    this.told = this.ask(slide);
    await this.told;
  }

  private async ask(slide: Slide): Promise<void> {
    try {
      const told = await api.regions(slide);
      if (slide === this.slide) this.features = told;
    } catch (error) {
      say((error as Error).message, true);
    }
    this.show();
  }

  /** Onto the canvas, whose units are base pixels. */
  paint(context: CanvasRenderingContext2D, scale: number): void {
    for (const feature of this.features) {
      const [red, green, blue] = feature.properties.classification?.color ?? [120, 120, 120];
      context.beginPath();
      for (const ring of rings(feature)) {
        ring.forEach(([x, y], index) => (index ? context.lineTo(x!, y!) : context.moveTo(x!, y!)));
        context.closePath();
      }
      context.fillStyle = `rgb(${red} ${green} ${blue} / 0.12)`;
      context.fill("evenodd");
      this.stroke(context, `rgb(${red} ${green} ${blue})`, scale);
    }
    if (this.box) {
      context.beginPath();
      context.rect(...this.box);
      this.stroke(context, "#6a3d9a", scale);
    }
    if (this.line.length > 1) {
      context.beginPath();
      this.line.forEach(([x, y], index) => (index ? context.lineTo(x!, y!) : context.moveTo(x!, y!)));
      this.stroke(context, "#c80000", scale);
    }
  }

  private stroke(context: CanvasRenderingContext2D, colour: string, scale: number): void {
    context.lineWidth = 5 / scale;
    context.strokeStyle = "#ffffffb0";
    context.stroke();
    context.lineWidth = 2.5 / scale;
    context.strokeStyle = colour;
    context.stroke();
  }

  private toggle(): void {
    this.element.hidden = !this.element.hidden;
    this.button.setAttribute("aria-pressed", String(!this.element.hidden));
    if (this.element.hidden) this.draw(false);
  }

  /** The control box as `--control` takes it; null: what was said of control tissue before holds. */
  get control(): string | null {
    if (this.box) return this.box.join(",");
    return boxOf(this.slide?.record?.control) ? "auto" : null; // that box was taken away
  }

  private draw(on: boolean, boxing = false): void {
    this.sheet.hidden = !on;
    this.boxing = on && boxing;
    this.pen.setAttribute("aria-pressed", String(on && !boxing));
    this.boxPen.setAttribute("aria-pressed", String(this.boxing));
    this.line = [];
  }

  private begin(event: PointerEvent): void {
    const at = this.point(event);
    if (event.button !== 0) return;
    if (!at) return say("The slide is not shown yet; try again when it is.", true);
    this.sheet.setPointerCapture(event.pointerId);
    this.line = [at];
  }

  private move(event: PointerEvent): void {
    if (!this.line.length) return;
    const at = this.point(event);
    if (at && this.boxing) {
      const [x, y] = this.line[0]!;
      this.line = [[x!, y!], [at[0], y!], at, [x!, at[1]], [x!, y!]];
    } else if (at) this.line.push(at);
    this.redraw();
  }

  private async end(): Promise<void> {
    const line = this.line;
    this.line = [];
    if (this.boxing) this.setBox(line);
    else if (line.length >= LEAST) await this.add(line);
    this.redraw();
  }

  private setBox(corners: number[][]): void {
    const [from, , to] = corners;
    const image = this.slide?.image;
    if (!from || !to || !image) return;
    const [left, right] = [from[0]!, to[0]!].sort((a, b) => a - b).map((x) => Math.round(Math.min(Math.max(x, 0), image.width)));
    const [top, bottom] = [from[1]!, to[1]!].sort((a, b) => a - b).map((y) => Math.round(Math.min(Math.max(y, 0), image.height)));
    if (right! > left! && bottom! > top!) this.box = [left!, top!, right! - left!, bottom! - top!];
    this.draw(false);
    this.show();
  }

  private addSight(): void {
    const corners = this.inSight();
    if (corners) void this.add(corners);
    else say("The slide is not shown yet; try again when it is.", true);
  }

  private add(outline: number[][]): Promise<void> {
    const { width, height } = this.slide!.image!;
    // What lies beside the slide is no part of it, and scoring would refuse the whole.
    const inside = outline.map(([x, y]) => [Math.min(Math.max(x!, 0), width), Math.min(Math.max(y!, 0), height)]);
    const drawn: GeoFeature = {
      type: "Feature",
      geometry: { type: "Polygon", coordinates: [[...inside, inside[0]!]] },
      properties: { classification: { name: this.kind.value } },
    };
    return this.keep((kept) => [...kept, drawn]);
  }

  private async load(): Promise<void> {
    const file = this.file.files?.[0];
    this.file.value = "";
    if (!file) return;
    try {
      const told = JSON.parse(await file.text());
      const given: GeoFeature[] = Array.isArray(told) ? told : (told.features ?? [told]);
      await this.keep((kept) => [...kept, ...given]);
    } catch {
      say(`${file.name} is no GeoJSON; export it from QuPath as GeoJSON.`, true);
    }
  }

  /** The server makes them valid, and what it keeps is what is shown. One change after another, or one would be lost. */
  private keep(change: (kept: GeoFeature[]) => GeoFeature[]): Promise<void> {
    const slide = this.slide!;
    this.told = this.told.then(() => this.send(slide, change));
    return this.told;
  }

  private async send(slide: Slide, change: (kept: GeoFeature[]) => GeoFeature[]): Promise<void> {
    if (slide !== this.slide) return;
    try {
      const kept = await api.keepRegions(slide, change(this.features));
      if (slide === this.slide) this.features = kept;
      say(`${kept.length} region${kept.length === 1 ? "" : "s"} kept.`);
    } catch (error) {
      say((error as Error).message, true);
    }
    this.show();
  }

  private show(): void {
    const mpp = this.slide?.image?.mpp;
    this.list.replaceChildren(...this.features.map((feature, index) => {
      const name = feature.properties.classification?.name ?? "Unclassified";
      const text = `${name}${mpp ? `, ${((area(feature) * mpp * mpp) / 1e6).toFixed(3)} mm²` : ""}`;
      const remove = () => void this.keep((kept) => without(kept, feature));
      return h("li", {}, h("span", {}, text),
        h("button", { class: "quiet small", "aria-label": `Remove region ${index + 1}, ${text}`, onclick: remove }, "Remove"));
    }));
    this.link.hidden = this.features.length === 0;
    if (this.slide) this.link.setAttribute("href", api.regionsAddress(this.slide));
    this.link.setAttribute("download", `${this.slide?.key ?? "regions"}.geojson`);
    this.boxed.replaceChildren(...(this.box ? [h("span", {}, this.control!), h("button", { class: "quiet small", "aria-label": "Remove the control box", onclick: () => {
      this.box = null;
      this.show();
    } }, "Remove")] : []));
    const told = this.slide?.record ? "Score again" : "Score";
    this.again.hidden = !this.score || (this.features.length === 0 && this.control === null);
    this.again.textContent = this.features.length ? `${told} inside` : `${told} ${this.box ? "with this control box" : "without a control box"}`;
    const control = this.box ? ` --control ${this.control}` : "";
    const folder = find("folder").dataset.name ?? "";
    const command = `lowpower score ${quoted(this.slide?.record?.file ?? "SLIDE")} --regions ${quoted(`${folder}/regions`)}${control} --out ${quoted(`${folder}-again`)}`;
    const words = command.split(" ").flatMap((word) => [" ", h("span", { class: "word" }, word)]);
    this.hint.replaceChildren(...(this.score
      ? ["Regions are kept at every change; the control box goes with the next scoring. The answer before stays on record."]
      : ["Kept at every change. Score again inside them:", h("code", {}, words)]));
    find("stage").dataset.regions = String(this.features.length);
    this.redraw();
  }
}

/** Without the first that is like it: what the server keeps are other objects with every answer. */
function without(features: GeoFeature[], one: GeoFeature): GeoFeature[] {
  const at = features.findIndex((other) => JSON.stringify(other) === JSON.stringify(one));
  return features.filter((_, index) => index !== at);
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w./,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The box that a record says was left out as control tissue, if it was one. */
function boxOf(control: string | undefined): [number, number, number, number] | null {
  const found = /^(\d+),(\d+),(\d+),(\d+)$/.exec(control ?? "");
  return found ? (found.slice(1).map(Number) as [number, number, number, number]) : null;
}

function rings(feature: GeoFeature): number[][][] {
  const { type, coordinates } = feature.geometry;
  return (type === "Polygon" ? coordinates : coordinates.flat()) as number[][][];
}

/** Area in base pixels; holes go the other way round. */
function area(feature: GeoFeature): number {
  const signed = (ring: number[][]) =>
    ring.reduce((sum, [x, y], i) => {
      const [u, v] = ring[(i + 1) % ring.length]!;
      return sum + x! * v! - u! * y!;
    }, 0) / 2;
  return rings(feature).reduce((sum, ring, index) => sum + (index ? -1 : 1) * Math.abs(signed(ring)), 0);
}
