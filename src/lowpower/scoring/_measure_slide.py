"""One open slide measured: its record, and what is drawn and written beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import lowpower
from lowpower.errors import RegionsError
from lowpower.scoring._attachments import Attachments, CellTable
from lowpower.scoring._cell_look import classes_of
from lowpower.scoring._cells_picture import draw_cells
from lowpower.scoring._geojson import annotation, mask_annotations
from lowpower.scoring._measured import Measured, least_grade, measured_of
from lowpower.scoring._record import NOTICE
from lowpower.scoring._request import ScoreRequest
from lowpower.slides import Slide
from lowpower.stain import (
    Cells,
    Marker,
    inside_regions,
    measure,
    read_regions,
)
from lowpower.tissue import Tissue

__all__ = ["FieldProgress", "measure_slide"]

FieldProgress = Callable[[int, int], None]
Polygons = list[list[NDArray[np.float64]]]
_REGION = (230, 60, 200)
_CONTROL = (60, 160, 120)
_OVER_EDGE = 0.01


def measure_slide(
    slide: Slide,
    tissue: Tissue,
    request: ScoreRequest,
    marker: Marker,
    progress: FieldProgress | None = None,
) -> tuple[Measured, Attachments]:
    """Measure an open slide.

    Args:
        slide: The slide.
        tissue: Where its tissue is.
        request: For this slide (`ScoreRequest.for_slide`).
        marker: What was stained.
        progress: Called with fields done and fields in all.

    Raises:
        RegionsError: the regions reach over the slide's edge.
        ConfigError: the regions cannot be read.
    """
    polygons = None
    if request.regions is not None:
        polygons = read_regions(request.regions)
        _check_regions(slide, polygons, str(request.regions))
    measurement = measure(
        slide,
        marker,
        tissue,
        request.regions,
        cutoffs=request.cutoffs,
        workers=request.threads,
        progress=progress,
    )
    record = measured_of(measurement, request.laboratory_name)
    features = mask_annotations(tissue.mask, slide.size, "Tissue")
    features += mask_annotations(tissue.control, slide.size, "Control tissue", _CONTROL)
    features += [annotation(rings, "Region", _REGION) for rings in polygons or ()]
    cells = measurement.cells
    if cells is None or len(cells) == 0:
        return record, Attachments(tissue=features)
    inside = None if polygons is None else inside_regions(polygons, cells.x, cells.y)
    classes = classes_of(cells, inside)
    return record, Attachments(
        cells_overlay=_draw(slide, cells, classes, record) if request.pictures else None,
        cells=CellTable(cells, classes, record.marker, float(slide.mpp)),
        tissue=features,
    )


def _check_regions(slide: Slide, polygons: Polygons, name: str) -> None:
    """Regions drawn on another slide, or at another scale, reach over this slide's edge."""
    corners = np.concatenate([outline for outline, *_ in polygons])
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.array(slide.size)
    if (low >= -_OVER_EDGE * size).all() and (high <= (1 + _OVER_EDGE) * size).all():
        return
    raise RegionsError(
        slide.path,
        f"the regions of {name} span x {low[0]:.0f} to {high[0]:.0f} and y {low[1]:.0f} to {high[1]:.0f}, "
        f"and the slide is {size[0]} x {size[1]} base pixels: give the regions drawn on this slide, in its "
        "base pixels.",
    )


def _draw(slide: Slide, cells: Cells, classes: NDArray[np.uint8], record: Measured) -> Image.Image:
    footer = (
        f"{NOTICE} Cells at {record.mpp:.3g} um/px; slide {slide.mpp:.4g} um/px ({slide.mpp_source}); "
        f"lowpower {lowpower.__version__}. Tumour-like is a look, not a diagnosis."
    )
    title = f"{record.marker}, {slide.path.name}: {record.sentence}"
    return draw_cells(slide, cells, classes, record.marker, title, footer, least_grade(record))
