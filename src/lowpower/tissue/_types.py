"""What finding tissue returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowpower.units import Box, Mpp

__all__ = [
    "Control",
    "Effect",
    "Group",
    "MaskNumbers",
    "MaskResult",
    "Piece",
    "QCFlag",
    "Tissue",
    "TissueQC",
    "WhitePointSource",
]

WhitePointSource = Literal["glass", "brightest tissue", "default"]
"""Where the white point came from: the slide's own glass, or what stands in when no glass is in view."""


Control: TypeAlias = str | Path | Box | NDArray[np.bool_]
"""On-slide control tissue: "auto" (look for it), "none" (all tissue is sample), the end of the slide at which
it lies ("left", "right", "top", "bottom", or a corner, "top left"), or where it is: a box in base pixels (or
"X,Y,WIDTH,HEIGHT"), a GeoJSON or image file, or a mask (h, w) over the whole slide."""

Effect = Literal["note", "warn", "refuse"]


@dataclass(frozen=True, slots=True)
class QCFlag:
    """One remark on a slide's quality.

    Attributes:
        code: Short machine-readable name, stable across versions (`pen`, `out_of_focus`, ...).
        message: One sentence with the numbers behind it.
        effect: `note` (nothing to do), `warn` (a person should look) or `refuse` (do not score).
        area_mm2: Area it concerns, where it has one.
        box: Where, base pixels, likewise.
        end: Control tissue that was searched for: the end of the slide at which it lies ("left", ...).
    """

    code: str
    message: str
    effect: Effect
    area_mm2: float | None = None
    box: Box | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class MaskNumbers:
    """The numbers a mask was decided by; optical densities (OD) are relative to the slide's glass.

    Attributes:
        glass_share: Share of the image that served to estimate the glass.
        glass_noise: Standard deviation of one pixel's mean OD on the glass.
        glass_texture: Median standard deviation of mean OD in a 28 um window on the glass.
        texture_threshold: Standard deviation of mean OD above which a window holds tissue.
        colour_threshold: Chromatic OD above which a window of even colour is tissue, not glass.
        illumination_range: Largest difference of the glass's OD across the image, 0 where it is even.
        padding_share: Share of the image that is scanner padding (exactly black or white).
        pen_share: Share of the image covered by pen ink.
        blurred_share: Share of the tissue outside air bubbles that is out of focus.
        tissue_share: Share of the image that is tissue.
        tissue_od: Mean OD of the tissue.
    """

    glass_share: float
    glass_noise: float
    glass_texture: float
    texture_threshold: float
    colour_threshold: float
    illumination_range: float
    padding_share: float
    pen_share: float
    blurred_share: float
    tissue_share: float
    tissue_od: float


@dataclass(frozen=True, slots=True, eq=False)
class MaskResult:
    """Tissue in one image.

    Attributes:
        mask: (H, W) bool, True where tissue is, at `mpp`.
        pen: (H, W) bool, True where pen ink is.
        mpp: Effective um/px of the masks.
        white_point: (3,) float32, the glass's RGB on the scale 0..255.
        white_point_source: Where the white point came from.
        numbers: What the decision rests on.
    """

    mask: NDArray[np.bool_]
    pen: NDArray[np.bool_]
    mpp: Mpp
    white_point: NDArray[np.float32]
    white_point_source: WhitePointSource
    numbers: MaskNumbers


@dataclass(frozen=True, slots=True)
class Piece:
    """One connected piece of tissue.

    Attributes:
        box: Its bounding box, base pixels.
        area_mm2: Its area.
        label: Whether it is sample or on-slide control tissue.
        reason: Why it is control tissue; empty for sample.
    """

    box: Box
    area_mm2: float
    label: Literal["sample", "control"] = "sample"
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Pieces that stand apart and may be control tissue.

    Attributes:
        mask: (H, W) bool over the whole slide, on the tissue's grid.
        box: Around them, base pixels.
        area_mm2: Their area.
        end: The end of the slide at which they lie, where saying it is enough to have them left out.
    """

    mask: NDArray[np.bool_]
    box: Box
    area_mm2: float
    end: str | None


@dataclass(frozen=True, slots=True)
class TissueQC:
    """Quality of a slide's tissue: the numbers of the mask and the flags raised from them."""

    numbers: MaskNumbers
    flags: tuple[QCFlag, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tissue:
    """Where a slide's tissue is.

    Attributes:
        mask: (H, W) bool over the whole slide at `mpp`: the sample, control tissue left out.
        mpp: Effective um/px of the masks.
        area_mm2: Area of the sample.
        pieces: Connected pieces, largest first, those of the sample before those of the control.
        white_point: (3,) float32, RGB of this slide's glass on the scale 0..255.
        white_point_source: Where the white point came from.
        qc: Numbers and flags.
        box: Bounding box of the sample, base pixels.
        control: (H, W) bool, on-slide control tissue.
        labels: (H, W) uint8, what lies where: indices into `LAYERS`; `quality_map` gives the legend.
        doubtful: Groups of the sample that may be control tissue, each to be tried in turn.
        picture: (h, w, 3) uint8 RGB, the whole slide as `overlay` shows it; None in tissue made by hand.
    """

    mask: NDArray[np.bool_]
    mpp: Mpp
    area_mm2: float
    pieces: tuple[Piece, ...]
    white_point: NDArray[np.float32]
    white_point_source: WhitePointSource
    qc: TissueQC
    box: Box
    control: NDArray[np.bool_]
    labels: NDArray[np.uint8]
    doubtful: tuple[Group, ...] = ()
    picture: NDArray[np.uint8] | None = None

    def overlay(self) -> Image.Image:
        """The slide with its tissue outlined, control tissue and defects coloured.

        Raises:
            ValueError: the tissue was made by hand, without a picture of its slide.
        """
        from lowpower.tissue._picture import draw_tissue

        return draw_tissue(self)

    def __repr__(self) -> str:
        control = sum(piece.label == "control" for piece in self.pieces)
        sample = len(self.pieces) - control
        flags = ", ".join(dict.fromkeys(flag.code for flag in self.qc.flags)) or "none"
        return (
            f"Tissue({self.area_mm2:.2f} mm2 in {sample} piece{'' if sample == 1 else 's'}, "
            f"control pieces: {control}, remarks: {flags}, masks at {self.mpp:.3g} um/px)"
        )

    def _repr_html_(self) -> str:
        from lowpower.slides import as_html

        facts = {
            "area": f"{self.area_mm2:.2f} mm2",
            "pieces": ", ".join(f"{piece.label} {piece.area_mm2:.2f} mm2" for piece in self.pieces[:8]),
            "remarks": " ".join(flag.message for flag in self.qc.flags) or "none",
        }
        return as_html("Tissue", facts, None if self.picture is None else self.overlay())
