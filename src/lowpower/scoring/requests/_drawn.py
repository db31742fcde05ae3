"""What a person drew for a slide: tumour regions and a mask, read, held against the slide, and recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import shapely

from lowpower.errors import RegionsError
from lowpower.geometry import Regions, check_mask, fill, read_regions
from lowpower.scoring.records import DrawnRegions
from lowpower.scoring.requests._request import ScoreRequest
from lowpower.slides import Slide
from lowpower.tissue import Tissue
from lowpower.units import Box

__all__ = ["check_drawn", "regions_on", "regions_record", "within"]

_OVER_EDGE = 0.01


def check_drawn(request: ScoreRequest) -> None:
    """Say what is wrong with one file given for all slides, before any work.

    Raises:
        RegionsError: regions or mask cannot be used.
    """
    if request.regions is not None and not Path(request.regions).is_dir():
        read_regions(request.regions, request.region_classes)
    if request.mask is not None and not Path(request.mask).is_dir():
        check_mask(request.mask)


def regions_on(slide: Slide, request: ScoreRequest) -> Regions | None:
    """The regions that were given for a slide; None where none were.

    Raises:
        RegionsError: they cannot be used, or reach over the slide's edge.
    """
    if request.regions is None:
        return None
    regions = read_regions(request.regions, request.region_classes)
    left, top, right, bottom = regions.area.bounds
    width, height = slide.size
    # Regions drawn on another slide, or at another scale, reach over this slide's edge.
    over_x, over_y = max(-left, right - width) / width, max(-top, bottom - height) / height
    if max(over_x, over_y) <= _OVER_EDGE:
        return regions
    raise RegionsError(
        slide.path,
        f"the regions of {request.regions} span x {left:.0f} to {right:.0f} and y {top:.0f} to {bottom:.0f}, "
        f"and the slide is {width} x {height} base pixels: give the regions drawn on this slide, in its base "
        "pixels.",
    )


def within(tissue: Tissue, regions: Regions | None, slide: Slide) -> Tissue:
    """The tissue inside regions, if there are any: what a network is to see.

    Raises:
        RegionsError: they hold no tissue.
    """
    if regions is None:
        return tissue
    height, width = tissue.mask.shape
    across, down = slide.size[0] / width, slide.size[1] / height
    scale = np.array([1 / across, 1 / down])
    mask = tissue.mask & fill(shapely.transform(regions.area, lambda points: points * scale), (height, width))
    if not mask.any():
        problem = f"the regions of {regions.source} hold no tissue: are they in base pixels of this slide?"
        raise RegionsError(slide.path, problem)
    x, y, columns, rows = cv2.boundingRect(mask.view(np.uint8))
    box = Box(int(x * across), int(y * down), int(np.ceil(columns * across)), int(np.ceil(rows * down)))
    area = float(np.count_nonzero(mask)) * tissue.mpp**2 / 1e6
    return replace(tissue, mask=mask, box=box.clipped(*slide.size) or tissue.box, area_mm2=area)


def regions_record(regions: Regions | None, mpp: float) -> DrawnRegions | None:
    """What a record says of regions on a slide of `mpp` um/px."""
    if regions is None:
        return None
    return DrawnRegions(
        counted=dict(regions.counted),
        cut_out=dict(regions.cut_out),
        left_out=dict(regions.left_out),
        area_mm2=round(regions.area.area * mpp**2 / 1e6, 4),
    )
