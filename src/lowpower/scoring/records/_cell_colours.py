"""One set of names and colours for cells, in pictures and in GeoJSON alike."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lowpower.stain import Cells, counted_cells

__all__ = ["CELL_COLOURS", "OTHER", "class_names", "classes_of"]

OTHER: Final = 4
"""Class index of cells that are not counted: lymphoid, stromal, or outside the given regions."""
CELL_COLOURS: Final = ((64, 110, 220), (240, 200, 40), (245, 125, 20), (205, 20, 45), (130, 135, 145))
"""None blue, then yellow, orange, red; others grey."""


def class_names(marker: str) -> tuple[str, str, str, str, str]:
    """Names of the classes 0 to 4."""
    if marker == "HER2":
        return (
            "Tumour-like, no membrane",
            "Tumour-like, faint or incomplete",
            "Tumour-like, weak to moderate complete",
            "Tumour-like, intense complete",
            "Not counted",
        )
    return (
        "Tumour-like, negative",
        "Tumour-like, weak",
        "Tumour-like, moderate",
        "Tumour-like, strong",
        "Not counted",
    )


def classes_of(
    cells: Cells, inside: NDArray[np.bool_] | None = None, count: Literal["tumour", "all"] = "tumour"
) -> NDArray[np.uint8]:
    """Class of each cell (N,): its grade where it counts and lies `inside`, else `OTHER`."""
    counted = counted_cells(cells, count)
    if inside is not None:
        counted &= inside
    return np.where(counted, cells.grade, OTHER).astype(np.uint8)
