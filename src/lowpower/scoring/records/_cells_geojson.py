"""Cells as QuPath opens them: detections with measurements, in base pixels, scored as QuPath scores."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.geometry import id_of_text, write_geojson
from lowpower.scoring.records._cell_colours import CELL_COLOURS, OTHER
from lowpower.stain import Cells

__all__ = ["QUPATH_CLASSES", "write_cells_geojson"]

MOST_CELLS: Final = 200_000
"""Above this only counted cells are written: QuPath takes minutes to read more."""
QUPATH_CLASSES: Final = ("Tumor: Negative", "Tumor: 1+", "Tumor: 2+", "Tumor: 3+", "Other")
"""QuPath's own names of the classes 0 to 4: its H-score and its positive percent read them."""
_CORNERS = 12
_LEAST_RADIUS = 0.5
_AT_ONCE = 4096


def write_cells_geojson(
    path: str | Path, cells: Cells, classes: NDArray[np.uint8], marker: str, mpp: float
) -> None:
    """Write cells as QuPath detections: a circle of the nucleus's area, class, colour and measurements.

    Args:
        path: Target; written atomically, cell by cell.
        cells: The slide's cells.
        classes: (N,) as `classes_of` gives them.
        marker: What was stained: chooses the measurements.
        mpp: um/px of the slide's base pixels.

    Raises:
        OutputError: if it cannot be written.
    """
    write_geojson(path, _detections(cells, classes, marker, mpp))


def _detections(cells: Cells, classes: NDArray[np.uint8], marker: str, mpp: float) -> Iterator[str]:
    """The JSON of each cell, put together from text: six tenths of what a general writer takes."""
    chosen = np.flatnonzero(classes != OTHER) if len(cells) > MOST_CELLS else np.arange(len(cells))
    angles = np.linspace(0, 2 * np.pi, _CORNERS + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = [
        json.dumps({"name": name, "color": colour}, separators=(",", ":"))
        for name, colour in zip(QUPATH_CLASSES, CELL_COLOURS, strict=True)
    ]
    columns = _columns(cells, marker)
    measured = ",".join(f"{json.dumps(name)}:%s" for name, _ in columns)
    for start in range(0, len(chosen), _AT_ONCE):
        part = chosen[start : start + _AT_ONCE]
        radius = np.maximum(np.float32(_LEAST_RADIUS), cells.diameter[part] / 2 / mpp)
        middle = np.stack([cells.x[part], cells.y[part]], axis=1)
        rings = circle * radius[:, None, None] + middle[:, None]
        rings[:, -1] = rings[:, 0]
        values = zip(*(_texts(values[part]) for _, values in columns), strict=True)
        for index, ring, kind, row in zip(
            part.tolist(), np.round(rings, 1).tolist(), classes[part].tolist(), values, strict=True
        ):
            geometry = f'{{"type": "Polygon", "coordinates": [{ring}]}}'
            own = id_of_text(f"[{index}, {geometry}]")
            yield (
                f'{{"type":"Feature","id":"{own}","geometry":{geometry.replace(" ", "")},'
                f'"properties":{{"objectType":"detection","classification":{labels[kind]},'
                f'"measurements":{{{measured % row}}}}}}}'
            )


def _texts(values: NDArray[Any]) -> list[str]:
    """As JSON writes them, to four decimals."""
    rounded = [round(value, 4) for value in values.astype(np.float64).tolist()]
    return [repr(value) if math.isfinite(value) else json.dumps(value) for value in rounded]


def _columns(cells: Cells, marker: str) -> list[tuple[str, NDArray[Any]]]:
    """Measurements by the name a person reads in QuPath."""
    columns: list[tuple[str, NDArray[Any]]] = [
        ("Nucleus diameter um", cells.diameter),
        ("Nucleus elongation", cells.elongation),
        ("Nucleus DAB OD", cells.nuclear_dab),
        ("Cell body DAB OD", cells.body_dab),
        ("Class", cells.grade),
    ]
    if marker == "HER2":
        columns += [("Membrane completeness", cells.completeness), ("Membrane DAB OD", cells.density)]
    return columns
