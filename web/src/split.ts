// The bare slide beside the slide that is drawn over; whichever is moved, the other follows.

import OpenSeadragon from "openseadragon";
import { h } from "./dom";

export class Split {
  readonly button = h("button", { class: "quiet", "aria-pressed": "false", title: "The bare slide beside what is drawn over it", onclick: () => this.toggle() }, "Split");
  private readonly place = h("div", { id: "plain", role: "application", "aria-label": "Bare slide" });
  private plain: OpenSeadragon.Viewer | null = null;
  private source: unknown = null;
  private leads: OpenSeadragon.Viewer;

  constructor(
    private readonly viewer: OpenSeadragon.Viewer,
    private readonly field: HTMLElement,
    private readonly options: object,
  ) {
    this.leads = viewer;
    field.prepend(this.place);
    for (const kind of ["pointerover", "focusin"])
      document.addEventListener(kind, (event) => {
        this.leads = this.plain?.container.contains(event.target as Node) ? this.plain : viewer;
      });
    viewer.addHandler("update-viewport", () => this.follow(viewer, this.plain));
  }

  /** The slide that both show; none where its file is gone. */
  open(source: unknown): void {
    this.source = source;
    this.button.hidden = source === null;
    if (source === null && this.plain) this.toggle();
    this.plain?.close();
    this.plain?.open(source as any);
  }

  private toggle(): void {
    const on = this.plain === null;
    this.field.classList.toggle("split", on);
    this.button.setAttribute("aria-pressed", String(on));
    if (!on) {
      this.plain!.destroy();
      this.plain = null;
      this.leads = this.viewer;
      return;
    }
    const plain = OpenSeadragon({ ...this.options, element: this.place, showNavigator: false } as any);
    this.plain = plain;
    plain.addHandler("update-viewport", () => this.follow(plain, this.viewer));
    plain.addHandler("open", () => {
      this.leads = this.viewer;
      this.follow(this.viewer, plain);
    });
    plain.open(this.source as any);
  }

  private follow(from: OpenSeadragon.Viewer, to: OpenSeadragon.Viewer | null): void {
    if (this.leads !== from || !to?.world?.getItemAt(0) || !from.world.getItemAt(0)) return;
    const [lead, other] = [from.viewport, to.viewport];
    const centre = lead.getCenter(true);
    const away = centre.distanceTo(other.getCenter(true)) * lead.getZoom(true);
    if (away < 1e-4 && lead.getZoom(true) === other.getZoom(true) && lead.getRotation() === other.getRotation()) return;
    other.setRotation(lead.getRotation(), true);
    other.zoomTo(lead.getZoom(true), undefined, true);
    other.panTo(centre, true);
  }
}
