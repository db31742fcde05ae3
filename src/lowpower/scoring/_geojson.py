"""Cells and outlines as QuPath opens them: detections with measurements, and annotations, in base pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.files import atomic_path
from lowpower.scoring._cell_look import COLOURS, OTHER, class_names
from lowpower.stain import Cells
from lowpower.tissue import outlines

__all__ = ["annotation", "mask_annotations", "write_cells_geojson", "write_collection"]

MOST_CELLS: Final = 200_000
"""Above this only counted cells are written: QuPath takes minutes to read more."""
_CORNERS = 12
_TISSUE = (124, 94, 60)


def write_cells_geojson(
    path: str | Path, cells: Cells, classes: NDArray[np.uint8], marker: str, mpp: float
) -> None:
    """Write cells as QuPath detections: a circle of the nucleus's area, class, colour and measurements.

    Args:
        path: Target; written atomically, cell by cell.
        cells: The slide's cells.
        classes: (N,) as `classes_of` gives them.
        marker: What was stained: names the classes and chooses the measurements.
        mpp: um/px of the slide's base pixels.

    Raises:
        OutputError: if it cannot be written.
    """
    names = class_names(marker)
    chosen = np.flatnonzero(classes != OTHER) if len(cells) > MOST_CELLS else np.arange(len(cells))
    angles = np.linspace(0, 2 * np.pi, _CORNERS + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    columns = _columns(cells, marker)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"type":"FeatureCollection","features":[')
        for number, index in enumerate(chosen.tolist()):
            ring = circle * (cells.diameter[index] / 2 / mpp) + (cells.x[index], cells.y[index])
            ring[-1] = ring[0]
            kind = int(classes[index])
            feature = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [np.round(ring, 1).tolist()]},
                "properties": {
                    "objectType": "detection",
                    "classification": {"name": names[kind], "color": COLOURS[kind]},
                    "measurements": {name: round(float(values[index]), 4) for name, values in columns},
                },
            }
            stream.write((",\n" if number else "\n") + json.dumps(feature, separators=(",", ":")))
        stream.write("\n]}\n")


def mask_annotations(
    mask: NDArray[np.bool_], size: tuple[int, int], name: str, colour: tuple[int, int, int] = _TISSUE
) -> list[dict[str, Any]]:
    """The pieces of a mask (h, w) over a whole slide of `size` base pixels, as locked annotations."""
    scale = np.array([size[0] / mask.shape[1], size[1] / mask.shape[0]])
    return [annotation([ring * scale for ring in polygon], name, colour) for polygon in outlines(mask)]


def annotation(rings: list[NDArray[np.float64]], name: str, colour: tuple[int, int, int]) -> dict[str, Any]:
    """One polygon, its outline then its holes in base pixels, as a locked QuPath annotation."""
    return {
        "type": "Feature",
        "geometry": {
            "type": "Polygon",
            "coordinates": [np.round(_closed(ring), 1).tolist() for ring in rings],
        },
        "properties": {
            "objectType": "annotation",
            "classification": {"name": name, "color": colour},
            "isLocked": True,
        },
    }


def write_collection(path: str | Path, features: list[dict[str, Any]]) -> None:
    """Write features as one GeoJSON FeatureCollection.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        text = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
        temporary.write_text(text + "\n", encoding="utf-8")


def _closed(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    return ring if np.array_equal(ring[0], ring[-1]) else np.concatenate([ring, ring[:1]])


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
