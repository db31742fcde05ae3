"""The one table of what is checked on a slide, from which value on, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lowpower.tissue._types import Effect

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        code: The flag's code.
        about: What is measured.
        unit: Its unit; `share` is 0..1.
        note: From this value on a note; None = never.
        warn: From this value on a person should look.
        refuse: From this value on the slide is not scored.
        below: Whether small values are the bad ones.
        judged: The room that measures it.
    """

    code: str
    about: str
    unit: str
    note: float | None = None
    warn: float | None = None
    refuse: float | None = None
    below: bool = False
    judged: str = "tissue"

    def effect(self, value: float) -> Effect | None:
        """The strongest effect of a value; None where it is fine."""
        effects: tuple[tuple[Effect, float | None], ...] = (
            ("refuse", self.refuse),
            ("warn", self.warn),
            ("note", self.note),
        )
        for effect, limit in effects:
            if limit is not None and (value < limit if self.below else value >= limit):
                return effect
        return None


_ALL = (
    Check("own_mask", "tissue given as a mask", "yes = 1", note=1),
    Check("mask_doubtful", "a given mask that marks all, or glass rather than tissue", "yes = 1",
          warn=1),
    Check("no_glass", "no glass in view: the white point is a stand-in", "yes = 1", note=1),
    Check("padding", "scanner padding, black or white", "share of the image", note=0.01),
    Check("unscanned", "blocks and strips filled with one colour", "share of the image", note=0.0005),
    Check("uneven_light", "range of the glass's brightness", "OD", note=0.01),
    Check("pen", "pen ink", "share of the image", warn=0.0005),
    Check("out_of_focus", "tissue blurred by 2 um or more", "share of the tissue", note=0.02, warn=0.05,
          refuse=0.9),
    Check("bubble", "tissue under air bubbles", "share of the tissue", note=0, warn=0.01, refuse=0.9),
    Check("fold", "tissue that lies double", "share of the tissue", note=0, warn=0.02),
    Check("debris", "pieces without any nucleus, left out", "share of them and the tissue", note=0, warn=0.1),
    Check("little_tissue", "area of the sample", "mm2", warn=0.05, refuse=0.005, below=True),
    Check("control", "on-slide control tissue left out", "found = 1", note=1),
    Check("control_doubtful", "tissue that may be control tissue, left in", "found = 1", warn=1),
    Check("control_empty", "control tissue given where there is no tissue", "yes = 1", warn=1),
    Check("damaged", "tiles whose decoder warned, read as glass", "share of the tissue", warn=0, refuse=0.05),
    Check("greyscale", "colour (1st to 99th percentile of tissue)", "grey values", refuse=3, below=True,
          judged="stain"),
    Check("dark_field", "median brightness of tissue (fluorescence?)", "grey values", refuse=32, below=True,
          judged="stain"),
    Check("unexpected_stain", "looks like H&E", "yes = 1", refuse=1, judged="stain"),
    Check("clipped", "base pixels of tissue black in a channel", "share of the tissue", warn=0.02, refuse=0.5,
          judged="stain"),
    Check("overexposed", "stained base pixels of tissue white in a channel", "share of the tissue", warn=0.05,
          judged="stain"),
    Check("weak_stain", "OD of the darkest twentieth of the tissue", "OD", warn=0.03, below=True,
          judged="stain"),
    Check("high_background", "DAB OD of the palest quarter of the tissue", "OD", warn=0.06, judged="stain"),
    Check("alike_stains", "angle between haematoxylin and DAB", "degrees", warn=23, below=True,
          judged="stain"),
    Check("misplaced_brown", "brown cells browner where the marker does not stain", "share of brown cells",
          warn=0.6, judged="stain"),
    Check("small_nuclei", "median diameter of nuclei: is um/px right?", "um", warn=3.7, below=True,
          judged="stain"),
    Check("large_nuclei", "the same, too large", "um", refuse=13, judged="stain"),
    Check("no_nuclei", "tissue over 60 um from any nucleus", "share of the tissue", warn=0.1, judged="stain"),
    Check("gaps", "1+ or 2+ depends on how gaps in membranes are read", "yes = 1", warn=1, judged="stain"),
    Check("few_tumour_cells", "tumour-like cells counted", "cells", refuse=50, below=True, judged="stain"),
)  # fmt: skip
CHECKS: Final = {check.code: check for check in _ALL}
"""Every check by the code of its flag, in the order of docs/quality.md."""
