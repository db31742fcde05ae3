// The slide, from the whole to the pixel, with what is drawn over it.

import OpenSeadragon from "openseadragon";
import * as api from "./api";
import { find, h } from "./dom";
import { Overlays } from "./overlays";
import { Regions } from "./regions";
import { Split } from "./split";
import type { Slide } from "./types";

const LENGTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000];
const LAYERS: Record<string, string> = { network: "Network's map", quality: "Defects", tissue: "Tissue", fields: "Fields read" };

const OPTIONS = {
  prefixUrl: "",
  drawer: "canvas",
  showNavigationControl: false,
  showNavigator: true,
  navigatorPosition: "TOP_RIGHT",
  navigatorSizeRatio: 0.16,
  maxZoomPixelRatio: 4,
  minZoomImageRatio: 0.8,
  visibilityRatio: 0.4,
  animationTime: 0.5,
  imageLoaderLimit: 6,
  maxImageCacheCount: 600,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true },
};

export class SlideViewer {
  readonly overlays: Overlays;
  private readonly regions: Regions;
  private readonly split: Split;
  onCell: (number: number | null) => void = () => {};
  private readonly viewer: OpenSeadragon.Viewer;
  private readonly bar = h("div", { class: "bar", "aria-hidden": "true" });
  private readonly barText = h("span", { class: "bar-text" });
  private readonly zoomText = h("span", { class: "zoom-text" });
  private readonly message = h("p", { class: "message", role: "alert" });
  private readonly layers = h("div", { class: "layers", role: "group", "aria-label": "Drawn over the slide" });
  private readonly legend = h("div", { class: "legend", role: "group", "aria-label": "Cells shown" });
  private readonly keys = h("div", { class: "keys" });
  private readonly thinned = h("p", { class: "thinned" });
  private readonly gone = h("div", { class: "gone" });

  /** Lets slides be scored inside what is drawn on them. */
  scores(does: (slide: Slide, inside: boolean) => void): void {
    this.regions.scores(does);
  }

  /** What is said of control tissue when the open slide is scored; null: nothing new. */
  get control(): string | null {
    return this.regions.control;
  }

  private slide: Slide | null = null;
  private warned = false;

  constructor() {
    const place = h("div", { id: "viewer", role: "application", "aria-label": "Slide viewer" });
    const scale = h("div", { class: "scale" }, this.bar, this.barText, this.zoomText);
    const tools = h("div", { class: "tools" }, this.layers, this.buttons());
    const key = h("div", { class: "key" }, this.legend, this.keys, this.thinned);
    const field = h("div", { class: "field" }, place, this.gone, scale, key, this.message);
    find("stage").append(tools, field);
    // OpenSeadragon would write a style into the page, which the page's policy forbids, unless it finds its own.
    const own = document.createElementNS("urn:lowpower", "style"); // no style to a browser
    own.setAttribute("data-openseadragon-mobile-css", "true");
    document.head.append(own);
    this.viewer = OpenSeadragon({ ...OPTIONS, element: place } as any);
    this.split = new Split(this.viewer, field, OPTIONS);
    this.overlays = new Overlays(this.viewer);
    this.viewer.canvas.append(this.overlays.canvas);
    this.regions = new Regions(this.viewer, field, () => this.overlays.queue(), (event) => this.pointAt(event), () => this.corners());
    this.overlays.onTop = (context, view) => this.regions.paint(context, view.scale);
    tools.append(h("div", { class: "buttons" }, this.split.button, this.regions.button));
    this.overlays.onCount = (drawn, total) => {
      this.thinned.textContent =
        drawn < total ? `${drawn.toLocaleString("en")} of ${total.toLocaleString("en")} cells drawn; zoom in for all` : "";
    };
    this.viewer.addHandler("update-viewport", () => this.measure());
    this.viewer.addHandler("open", () => this.measure());
    this.viewer.addHandler("tile-load-failed", () => this.failed());
    this.viewer.addHandler("canvas-click", (event: any) => {
      if (event.quick) this.clicked(event.position);
    });
    // Letters belong to the page; arrows, plus and minus stay the viewer's.
    this.viewer.addHandler("canvas-key", (event: any) => {
      if (/^[a-z]$/i.test(event.originalEvent.key)) event.preventDefaultAction = true;
    });
  }

  open(slide: Slide): void {
    this.slide = slide;
    this.warned = false;
    this.message.textContent = "";
    this.thinned.textContent = this.barText.textContent = this.zoomText.textContent = ""; // until it is there
    this.bar.hidden = true;
    this.viewer.close();
    this.drawControls(slide);
    void this.overlays.open(slide.image ? slide : null);
    void this.regions.open(slide);
    this.gone.replaceChildren();
    this.gone.hidden = slide.image !== null;
    if (!slide.image) {
      this.split.open(null);
      this.showPictures(slide);
      return;
    }
    const { width, height, tile, top_level } = slide.image;
    const source = {
      width, height, tileSize: tile, tileOverlap: 0, minLevel: 8, maxLevel: top_level,
      getTileUrl: (level: number, x: number, y: number) => api.tileAddress(slide, level, x, y),
    };
    this.viewer.open(source as any);
    this.split.open(source);
  }

  /** Bring a box of base pixels into sight. */
  goTo([x, y, width, height]: [number, number, number, number]): void {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return;
    const pad = 0.15 * Math.max(width, height);
    const box = item.imageToViewportRectangle(x - pad, y - pad, width + 2 * pad, height + 2 * pad);
    this.viewer.viewport.fitBoundsWithConstraints(box);
  }

  private showPictures(slide: Slide): void {
    this.gone.append(h("p", { class: "why" }, slide.missing ?? "There is no image of this slide."));
    if (slide.pictures.length) this.gone.append(h("p", {}, "The pictures that were made when it was scored:"));
    for (const name of slide.pictures)
      this.gone.append(h("img", { src: api.pictureAddress(slide, name), alt: `Picture made when it was scored: ${name}` }));
  }

  private failed(): void {
    if (this.warned || !this.slide) return;
    this.warned = true;
    const slide = this.slide;
    // The tile says nothing of why; the slide does.
    api.openSlide(slide.key).then(
      (now) => (this.message.textContent = now.missing ?? "A part of the slide cannot be read."),
      (error: Error) => (this.message.textContent = error.message),
    );
  }

  /** Where a pointer is on the slide, base pixels. */
  private pointAt(event: PointerEvent): [number, number] | null {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return null;
    const box = this.overlays.canvas.getBoundingClientRect();
    const at = item.viewerElementToImageCoordinates(new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top));
    return [at.x, at.y];
  }

  /** The corners of what is in sight, base pixels. */
  private corners(): number[][] | null {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return null;
    const { x, y } = this.viewer.viewport.getContainerSize();
    return [[0, 0], [x, 0], [x, y], [0, y]].map(([u, v]) => {
      const at = item.viewerElementToImageCoordinates(new OpenSeadragon.Point(u, v));
      return [at.x, at.y];
    });
  }

  leaveCell(): void {
    this.overlays.choose(null);
    this.onCell(null);
  }

  private clicked(position: OpenSeadragon.Point): void {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return;
    const point = item.viewerElementToImageCoordinates(position);
    const number = this.overlays.cellAt(point.x, point.y);
    this.overlays.choose(number);
    this.onCell(number);
  }

  private buttons(): HTMLElement {
    const button = (text: string, label: string, act: () => void) =>
      h("button", { class: "quiet", title: label, "aria-label": label, onclick: act }, text);
    const zoom = (factor: number) => () => {
      this.viewer.viewport.zoomBy(factor);
      this.viewer.viewport.applyConstraints();
    };
    const turn = (by: number) => () => this.viewer.viewport.setRotation(this.viewer.viewport.getRotation() + by);
    return h("div", { class: "buttons" },
      button("−", "Zoom out", zoom(1 / 1.5)),
      button("+", "Zoom in", zoom(1.5)),
      button("1:1", "1:1, one slide pixel on one screen pixel", () => {
        const item = this.viewer.world.getItemAt(0);
        if (item) this.viewer.viewport.zoomTo(item.imageToViewportZoom(1));
      }),
      button("Whole", "Whole slide", () => this.viewer.viewport.goHome()),
      button("↺", "Turn left", turn(-90)),
      button("↻", "Turn right", turn(90)),
    );
  }

  private drawControls(slide: Slide): void {
    const overlays = this.overlays;
    const names = ["network", "quality", "tissue"].filter((name) => slide.shapes.includes(name));
    if (slide.record?.measured?.reading) names.push("fields");
    const boxes = names.map((name) => this.check(LAYERS[name]!, name));
    this.legend.replaceChildren();
    this.keys.replaceChildren();
    if (slide.cells.length) {
      slide.cells.forEach((_, kind) => kind < slide.cells.length - 1 && overlays.wanted.add(`cells-${kind}`));
      boxes.push(this.check("Cells", "cells", () => (this.legend.hidden = !overlays.wanted.has("cells"))));
      this.legend.hidden = !overlays.wanted.has("cells");
      slide.cells.forEach((one, kind) => {
        this.legend.append(this.check(one.name, `cells-${kind}`, undefined, swatch(one.colour)));
      });
    }
    overlays.onShapes = (name, shown) => this.drawKey(name, shown);
    const opacity = h("input", { type: "range", min: 0, max: 100, value: 100 * overlays.opacity, "aria-label": "Opacity of what is drawn over the slide",
      oninput: () => {
        overlays.opacity = Number(opacity.value) / 100;
        overlays.queue();
      },
    });
    this.layers.replaceChildren(...boxes);
    if (names.length) this.layers.append(h("label", { class: "opacity" }, "Opacity ", opacity));
  }

  /** Names the colours of a layer of shapes. */
  private drawKey(name: string, colours: Map<string, string>): void {
    this.keys.querySelector(`[data-key="${name}"]`)?.remove();
    if (colours.size === 0) return;
    const rows = [...colours].map(([text, colour]) => h("span", { class: "check" }, swatch(colour), text));
    this.keys.append(h("div", { class: "legend", "data-key": name }, rows));
  }

  private check(text: string, name: string, then?: () => void, mark?: HTMLElement): HTMLElement {
    const input = h("input", { type: "checkbox", "data-layer": name, checked: this.overlays.wanted.has(name),
      onchange: () => {
        void this.overlays.toggle(name, input.checked);
        then?.();
      },
    });
    return h("label", { class: "check" }, input, mark, text);
  }

  private measure(): void {
    const item = this.viewer.world.getItemAt(0);
    const mpp = this.slide?.image?.mpp;
    if (!item || !this.slide?.image) return;
    const zoom = item.viewportToImageZoom(this.viewer.viewport.getZoom(true));
    this.bar.hidden = !mpp;
    if (!mpp) {
      this.barText.textContent = "um/px unknown: no scale";
      this.zoomText.textContent = "";
      return;
    }
    const seen = mpp / zoom;
    const length = LENGTHS.findLast((one) => one / seen <= 160) ?? LENGTHS[0]!;
    this.bar.style.width = `${length / seen}px`;
    this.barText.textContent = length < 1000 ? `${length} um` : `${length / 1000} mm`;
    this.zoomText.textContent = `${seen.toPrecision(3)} um/px, about ${objective(seen)}`;
  }
}

function swatch(colour: string): HTMLElement {
  const mark = h("span", { class: "swatch" });
  mark.style.background = colour;
  return mark;
}

/** The objective that shows about as much; words only, nothing is computed from them. */
function objective(seen: number): string {
  const power = 10 / seen;
  const words = [0.5, 1, 2.5, 5, 10, 20, 40, 80, 160].reduce((best, one) =>
    Math.abs(Math.log(one / power)) < Math.abs(Math.log(best / power)) ? one : best,
  );
  return `${words}x`;
}

