"""One set of names and colours for cells, in pictures and in GeoJSON alike."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lowpower.stain import Cells, counted_cells

__all__ = ["CELL_COLOURS", "OTHER", "class_names", "classes_of", "share_name"]

OTHER: Final = 4
"""Class index of cells that are not counted: lymphoid, stromal, or outside the given regions."""
CELL_COLOURS: Final = ((64, 110, 220), (240, 200, 40), (245, 125, 20), (205, 20, 45), (130, 135, 145))
"""None blue, then yellow, orange, red; others grey."""
_MEMBRANE: Final = {
    "none": "no membrane",
    "faint_incomplete": "faint or incomplete",
    "moderate_complete": "weak to moderate complete",
    "intense_complete": "intense complete",
}
_NUCLEAR: Final = {"none": "negative", "weak": "weak", "moderate": "moderate", "strong": "strong"}


def class_names(marker: str) -> tuple[str, str, str, str, str]:
    """Names of the classes 0 to 4."""
    none, weak, moderate, strong = _words(marker).values()
    return (
        f"Tumour-like, {none}",
        f"Tumour-like, {weak}",
        f"Tumour-like, {moderate}",
        f"Tumour-like, {strong}",
        "Not counted",
    )


def share_name(marker: str, share: str) -> str:
    """A class as pictures name it, by its key among the measured shares ("faint_incomplete")."""
    return _words(marker)[share]


def _words(marker: str) -> dict[str, str]:
    return _MEMBRANE if marker == "HER2" else _NUCLEAR


def classes_of(
    cells: Cells, inside: NDArray[np.bool_] | None = None, count: Literal["tumour", "all"] = "tumour"
) -> NDArray[np.uint8]:
    """Class of each cell (N,): its grade where it counts and lies `inside`, else `OTHER`."""
    counted = counted_cells(cells, count)
    if inside is not None:
        counted &= inside
    return np.where(counted, cells.grade, OTHER).astype(np.uint8)
