"""Small pictures of slides for a report; a slide that cannot be read gives a reason instead."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from lowpower.cohort import Cohort
from lowpower.errors import LowpowerError
from lowpower.slides import open_slide
from lowpower.study._page import jpeg_of

__all__ = ["Thumbnail", "thumbnail"]

_SIDE = 340


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as a data URI, or why there is none."""

    picture: str = ""
    reason: str = ""


def thumbnail(cohort: Cohort | None, row: int) -> Thumbnail:
    """The whole slide of a row of the manifest, its longer side a few hundred pixels."""
    if cohort is None or not 0 <= row < len(cohort):
        return Thumbnail(reason="the cohort of this study cannot be read here")
    path, mpp = cohort.table["slide"][row], cohort.table["mpp"][row]
    try:
        with open_slide(path, mpp) as slide:
            seen = slide.overview(max(slide.mpp, slide.mpp * max(slide.size) / _SIDE))
    except LowpowerError as error:
        return Thumbnail(reason=str(error))
    return Thumbnail(jpeg_of(Image.fromarray(seen)))
