"""Cells as QuPath opens them: detections with measurements, in base pixels, scored as QuPath scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.geometry import feature_id, write_geojson
from lowpower.scoring.records._cell_colours import CELL_COLOURS, OTHER
from lowpower.stain import Cells

__all__ = ["QUPATH_CLASSES", "write_cells_geojson"]

MOST_CELLS: Final = 200_000
"""Above this only counted cells are written: QuPath takes minutes to read more."""
QUPATH_CLASSES: Final = ("Tumor: Negative", "Tumor: 1+", "Tumor: 2+", "Tumor: 3+", "Other")
"""QuPath's own names of the classes 0 to 4: its H-score and its positive percent read them."""
_CORNERS = 12
_LEAST_RADIUS = 0.5


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


def _detections(
    cells: Cells, classes: NDArray[np.uint8], marker: str, mpp: float
) -> Iterator[dict[str, Any]]:
    chosen = np.flatnonzero(classes != OTHER) if len(cells) > MOST_CELLS else np.arange(len(cells))
    angles = np.linspace(0, 2 * np.pi, _CORNERS + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    columns = _columns(cells, marker)
    for index in chosen.tolist():
        radius = max(_LEAST_RADIUS, cells.diameter[index] / 2 / mpp)
        ring = circle * radius + (cells.x[index], cells.y[index])
        ring[-1] = ring[0]
        kind = int(classes[index])
        geometry = {"type": "Polygon", "coordinates": [np.round(ring, 1).tolist()]}
        yield {
            "type": "Feature",
            "id": feature_id(index, geometry),
            "geometry": geometry,
            "properties": {
                "objectType": "detection",
                "classification": {"name": QUPATH_CLASSES[kind], "color": CELL_COLOURS[kind]},
                "measurements": {name: round(float(values[index]), 4) for name, values in columns},
            },
        }


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
