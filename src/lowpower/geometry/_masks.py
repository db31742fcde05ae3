"""Masks of tissue that somebody drew: an image over the whole slide, or GeoJSON in base pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from lowpower.errors import RegionsError
from lowpower.geometry._areas import Area, is_geojson, read_areas, read_bytes
from lowpower.geometry._mask_image import read_marks
from lowpower.geometry._outlines import fill
from lowpower.geometry._regions import UNCLASSIFIED, sum_up

__all__ = ["DrawnMask", "MaskMeaning", "check_mask", "read_mask"]

MaskMeaning = Literal["tissue", "control"]
_RASTER_PIXELS: Final = 16_000_000
_MEANT: Final[dict[str, frozenset[str]]] = {
    "tissue": frozenset(("tissue",)),
    "control": frozenset(("control tissue", "control")),
}
"""Classes that are meant alone where they occur, as in the files that lowpower writes."""
_NO_TISSUE: Final = frozenset(("glass", "background", "control tissue", "control"))


@dataclass(frozen=True, eq=False)
class DrawnMask:
    """A mask as it was drawn.

    Attributes:
        mask: (h, w) bool over the whole slide.
        about: What was taken and what was left out, in a few words.
    """

    mask: NDArray[np.bool_]
    about: str


def read_mask(path: str | Path, size: tuple[int, int], meaning: MaskMeaning = "tissue") -> DrawnMask:
    """A mask drawn elsewhere, as `find_tissue(slide, mask=...)` takes it.

    Args:
        path: An image over the whole slide (what is not 0, black or transparent is marked), or GeoJSON with
            areas in base pixels as QuPath exports it, plain or gzip. Areas of a class that ends with `*` are
            cut out; where areas of class Tissue (for control: Control tissue) occur only they count, else all
            but Glass, Background and Control tissue.
        size: (width, height) of the slide, base pixels.
        meaning: What the mask shows.

    Returns:
        The mask, GeoJSON at a scale of at most 16 million pixels.

    Raises:
        RegionsError: if the file is missing, unreadable or ambiguous, or marks nothing.
    """
    path = Path(path)
    data = read_bytes(path)
    if is_geojson(path, data):
        return _drawn(path, data, size, meaning)
    marks = _marked(path, data)
    height, width = marks.shape
    if not 0.95 < width / height / (size[0] / size[1]) < 1.05:
        problem = f"is {width} x {height} px, the slide {size[0]} x {size[1]}: a mask covers the whole slide."
        raise RegionsError(path, problem)
    return DrawnMask(marks, f"{path.name}, {marks.mean():.1%} of it marked")


def check_mask(path: str | Path) -> None:
    """Say what is wrong with a mask, as far as it shows without its slide.

    Raises:
        RegionsError: as `read_mask`.
    """
    path = Path(path)
    data = read_bytes(path)
    if is_geojson(path, data):
        areas = read_areas(path, data)
        sum_up(path, areas, _wanted(areas, "tissue"))
    else:
        _marked(path, data)


def _marked(path: Path, data: bytes) -> NDArray[np.bool_]:
    marks = read_marks(path, data)
    if not marks.any():
        raise RegionsError(path, "marks nothing: every pixel is 0; white is where tissue is.")
    return marks


def _drawn(path: Path, data: bytes, size: tuple[int, int], meaning: MaskMeaning) -> DrawnMask:
    areas = read_areas(path, data)
    regions = sum_up(path, areas, _wanted(areas, meaning))
    scale = min(1.0, (_RASTER_PIXELS / (size[0] * size[1])) ** 0.5)
    shape = (max(1, round(size[1] * scale)), max(1, round(size[0] * scale)))
    factor = np.array([shape[1] / size[0], shape[0] / size[1]])
    mask = fill(shapely.transform(regions.area, lambda points: points * factor), shape)
    return DrawnMask(mask, f"{path.name}: {regions.about}")


def _wanted(areas: list[Area], meaning: MaskMeaning) -> set[str]:
    names = {(area.name or UNCLASSIFIED).casefold() for area in areas}
    alone = names & _MEANT[meaning]
    return alone or names - (_NO_TISSUE if meaning == "tissue" else frozenset())
