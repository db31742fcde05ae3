"""One open slide measured: its record, and what is drawn and written beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import lowpower
from lowpower.geometry import Regions, area_features, mask_features
from lowpower.scoring.pictures import draw_cells
from lowpower.scoring.records import (
    NOTICE,
    Attachments,
    CellTable,
    Measured,
    classes_of,
    least_grade,
    measured_of,
)
from lowpower.scoring.requests import ScoreRequest
from lowpower.slides import Slide
from lowpower.stain import (
    Cells,
    Marker,
    Reading,
    measure,
)
from lowpower.tissue import Tissue

__all__ = ["FieldProgress", "measure_slide"]

FieldProgress = Callable[[int, int], None]
_TISSUE = (124, 94, 60)
_REGION = (230, 60, 200)
_CONTROL = (60, 160, 120)


def measure_slide(
    slide: Slide,
    tissue: Tissue,
    request: ScoreRequest,
    marker: Marker,
    progress: FieldProgress | None = None,
    regions: Regions | None = None,
) -> tuple[Measured, Attachments]:
    """Measure an open slide.

    Args:
        slide: The slide.
        tissue: Where its tissue is.
        request: For this slide (`ScoreRequest.for_slide`).
        marker: What was stained.
        progress: Called with fields done and fields in all.
        regions: Tumour regions (`regions_on`): only cells inside count.
    """
    measurement = measure(
        slide,
        marker,
        tissue,
        regions,
        cutoffs=request.cutoffs,
        count=request.cells,
        workers=request.threads,
        progress=progress,
        effort=request.effort,
        seconds=request.seconds,
        seed=request.seed,
        precision=request.precision,
    )
    record = measured_of(measurement, request.laboratory_name)
    features = mask_features(tissue.mask, slide.size, "Tissue", _TISSUE)
    features += mask_features(tissue.control, slide.size, "Control tissue", _CONTROL)
    features += area_features(() if regions is None else (regions.area,), "Region", _REGION)
    cells = measurement.cells
    if cells is None or len(cells) == 0:
        return record, Attachments(tissue=features)
    inside = None if regions is None else regions.contains(cells.x, cells.y)
    classes = classes_of(cells, inside, request.cells)
    return record, Attachments(
        cells_overlay=_draw(slide, cells, classes, record, measurement.reading) if request.pictures else None,
        cells=CellTable(cells, classes, record.marker, float(slide.mpp)),
        tissue=features,
    )


def _draw(
    slide: Slide, cells: Cells, classes: NDArray[np.uint8], record: Measured, reading: Reading | None
) -> Image.Image:
    footer = (
        f"{NOTICE} Cells at {record.mpp:.3g} um/px; slide {slide.mpp:.4g} um/px ({slide.mpp_source}); "
        f"lowpower {lowpower.__version__}. Tumour-like is a look, not a diagnosis."
    )
    boxes = () if reading is None else reading.boxes
    if reading is not None:
        footer += f" Outlined: the {len(boxes)} of {reading.fields} fields that were read."
    title = f"{record.marker}, {slide.path.name}: {record.sentence}"
    return draw_cells(slide, cells, classes, record.marker, title, footer, least_grade(record), boxes)
