// What is drawn over the slide: the network's map, defects, tissue, and cells by class, in one canvas.

import OpenSeadragon from "openseadragon";
import * as api from "./api";
import { say } from "./dom";
import type { GeoFeature, Slide } from "./types";

const DOT = 2.2; // screen pixels; smaller cells are dots
const MARGIN = 0.25; // of the visible box, fetched around it

interface Shape {
  name: string;
  path: Path2D;
  colour: string;
}

interface View {
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
  scale: number; // screen pixels per base pixel
}

export class Overlays {
  readonly canvas = document.createElement("canvas");
  readonly wanted = new Set<string>();
  opacity = 0.5;
  /** Told when there are more cells in sight than are drawn. */
  onCount: (drawn: number, total: number) => void = () => {};
  /** Draws what is being drawn by hand, above everything else. */
  onTop: (context: CanvasRenderingContext2D, view: View) => void = () => {};
  /** Told which colours a layer of shapes has, by name; none where it is not shown. */
  onShapes: (layer: string, colours: Map<string, string>) => void = () => {};
  private slide: Slide | null = null;
  private shapes = new Map<string, Shape[]>();
  private cells: api.Cells | null = null;
  private box: api.Box | null = null;
  private chosen: number | null = null;
  private request: AbortController | null = null;
  private timer = 0;
  private queued = false;

  constructor(private readonly viewer: OpenSeadragon.Viewer) {
    this.canvas.className = "overlays";
    viewer.addHandler("update-viewport", () => this.draw());
    viewer.addHandler("animation", () => this.queue());
    viewer.addHandler("animation-finish", () => this.later());
    viewer.addHandler("resize", () => this.later());
  }

  async open(slide: Slide | null): Promise<void> {
    this.slide = slide;
    this.shapes.clear();
    this.cells = this.box = this.chosen = null;
    for (const name of [...this.wanted]) {
      await this.load(name);
      if (slide === this.slide) this.tellColours(name);
    }
    this.later();
  }

  async toggle(name: string, on: boolean): Promise<void> {
    if (on) this.wanted.add(name);
    else this.wanted.delete(name);
    if (on) await this.load(name);
    this.tellColours(name);
    this.later();
  }

  /** The number of the cell under a point of the slide, base pixels. */
  cellAt(x: number, y: number): number | null {
    const view = this.view();
    if (!this.cells || !view || !this.wanted.has("cells")) return null;
    let best = Infinity;
    let found: number | null = null;
    for (let i = 0; i < this.cells.x.length; i++) {
      const reach = Math.max(this.cells.radius[i]!, 6 / view.scale);
      const away = Math.hypot(this.cells.x[i]! - x, this.cells.y[i]! - y);
      if (away < reach && away < best) {
        best = away;
        found = i;
      }
    }
    return found === null ? null : this.cells.number[found]!;
  }

  /** Mark a cell. */
  choose(number: number | null): void {
    this.chosen = number;
    this.queue();
  }

  queue(): void {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.draw();
    });
  }

  private async load(name: string): Promise<void> {
    const slide = this.slide;
    if (!slide || this.shapes.has(name)) return;
    const read = slide.record?.measured?.reading;
    if (name === "fields" && read) this.shapes.set(name, read.boxes.map(fieldOf));
    if (!slide.shapes.includes(name)) return;
    try {
      const features = await api.shapes(slide, name);
      if (slide === this.slide) this.shapes.set(name, features.map(shapeOf));
    } catch (error) {
      say(String((error as Error).message), true);
    }
  }

  private tellColours(name: string): void {
    const shapes = this.wanted.has(name) ? (this.shapes.get(name) ?? []) : [];
    this.onShapes(name, new Map(shapes.map((shape) => [shape.name, shape.colour])));
  }

  private later(): void {
    this.queue();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.fetchCells(), 120);
  }

  private async fetchCells(): Promise<void> {
    const slide = this.slide;
    const seen = this.visible();
    if (!slide || !seen || !this.wanted.has("cells") || slide.cells.length === 0) return;
    if (this.box && this.cells && this.cells.x.length === this.cells.total && inside(seen, this.box)) return;
    const box = {
      x: Math.floor(seen.x - MARGIN * seen.width),
      y: Math.floor(seen.y - MARGIN * seen.height),
      width: Math.ceil(seen.width * (1 + 2 * MARGIN)),
      height: Math.ceil(seen.height * (1 + 2 * MARGIN)),
    };
    this.request?.abort();
    this.request = new AbortController();
    try {
      const cells = await api.cells(slide, box, this.request.signal);
      if (slide !== this.slide) return;
      this.cells = cells;
      this.box = box;
      this.onCount(cells.x.length, cells.total);
      this.queue();
    } catch (error) {
      if ((error as Error).name !== "AbortError") say(String((error as Error).message), true);
    }
  }

  /** The part of the slide that is in sight, base pixels. */
  private visible(): api.Box | null {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return null;
    const size = this.viewer.viewport.getContainerSize();
    const corners = [
      [0, 0],
      [size.x, 0],
      [0, size.y],
      [size.x, size.y],
    ].map(([x, y]) => item.viewerElementToImageCoordinates(new OpenSeadragon.Point(x, y)));
    const xs = corners.map((corner) => corner.x);
    const ys = corners.map((corner) => corner.y);
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
  }

  /** From base pixels to screen pixels. */
  private view(): View | null {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return null;
    const at = (x: number, y: number) => item.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
    const [o, x, y] = [at(0, 0), at(1000, 0), at(0, 1000)];
    const [a, b, c, d] = [(x.x - o.x) / 1000, (x.y - o.y) / 1000, (y.x - o.x) / 1000, (y.y - o.y) / 1000];
    return { a, b, c, d, e: o.x, f: o.y, scale: Math.hypot(a, b) };
  }

  private draw(): void {
    const view = this.view();
    const context = this.canvas.getContext("2d");
    const size = this.viewer.viewport?.getContainerSize();
    if (!context || !size) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(size.x * ratio), Math.round(size.y * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!view || !this.slide) return;
    const toScreen = () =>
      context.setTransform(
        view.a * ratio, view.b * ratio, view.c * ratio, view.d * ratio, view.e * ratio, view.f * ratio,
      );
    toScreen();
    for (const [name, shapes] of this.shapes) {
      if (!this.wanted.has(name)) continue;
      for (const shape of shapes) this.drawShape(context, name, shape, view.scale);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.cells && this.wanted.has("cells")) this.drawCells(context, this.cells, view, size.x, size.y);
    toScreen();
    this.onTop(context, view);
  }

  private drawShape(context: CanvasRenderingContext2D, name: string, shape: Shape, scale: number): void {
    context.lineWidth = (name === "fields" ? 2.5 : 1.5) / scale;
    context.strokeStyle = context.fillStyle = shape.colour;
    if (name !== "tissue" && name !== "fields") {
      context.globalAlpha = this.opacity;
      context.fill(shape.path, "evenodd");
    }
    context.globalAlpha = name === "network" ? this.opacity : 1;
    context.stroke(shape.path);
    context.globalAlpha = 1;
  }

  private drawCells(
    context: CanvasRenderingContext2D, cells: api.Cells, view: View, width: number, height: number,
  ): void {
    const classes = this.slide!.cells;
    for (let kind = classes.length - 1; kind >= 0; kind--) {
      if (!this.wanted.has(`cells-${kind}`)) continue;
      context.strokeStyle = context.fillStyle = classes[kind]!.colour;
      context.lineWidth = 1.8;
      context.beginPath();
      for (let i = 0; i < cells.x.length; i++) {
        if (cells.kind[i] !== kind) continue;
        const x = view.a * cells.x[i]! + view.c * cells.y[i]! + view.e;
        const y = view.b * cells.x[i]! + view.d * cells.y[i]! + view.f;
        if (x < -40 || y < -40 || x > width + 40 || y > height + 40) continue;
        const radius = cells.radius[i]! * view.scale;
        if (radius < DOT) context.fillRect(x - 1.2, y - 1.2, 2.4, 2.4);
        else {
          context.moveTo(x + radius, y);
          context.arc(x, y, radius, 0, 2 * Math.PI);
        }
        if (cells.number[i] === this.chosen) {
          const reach = Math.max(radius, DOT) + 4;
          context.rect(x - reach, y - reach, 2 * reach, 2 * reach);
        }
      }
      context.stroke();
    }
  }
}

function shapeOf(feature: GeoFeature): Shape {
  const { type, coordinates } = feature.geometry;
  const polygons = (type === "Polygon" ? [coordinates] : coordinates) as number[][][][];
  const path = new Path2D();
  for (const polygon of polygons)
    for (const ring of polygon) {
      ring.forEach(([x, y], index) => (index ? path.lineTo(x!, y!) : path.moveTo(x!, y!)));
      path.closePath();
    }
  const name = feature.properties.classification?.name ?? "";
  const [red, green, blue] = feature.properties.classification?.color ?? [0, 120, 200];
  return { name, path, colour: `rgb(${red} ${green} ${blue})` };
}

/** A field that was read, as an outline. */
function fieldOf([x, y, width, height]: [number, number, number, number]): Shape {
  const path = new Path2D();
  path.rect(x, y, width, height);
  return { name: "Field that was read", path, colour: "rgb(0 125 125)" };
}

const inside = (small: api.Box, large: api.Box): boolean =>
  small.x >= large.x &&
  small.y >= large.y &&
  small.x + small.width <= large.x + large.width &&
  small.y + small.height <= large.y + large.height;
