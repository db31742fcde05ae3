"""Opening any slide and reading it at any microns per pixel."""

from lowpower.slides._choice import Choice
from lowpower.slides._contents import contents_of
from lowpower.slides._folder import (
    BOOKS,
    MAY_NOT,
    PICTURE_ENDINGS,
    SLIDE_ENDINGS,
    find_slides,
    slide_name,
    without_slides,
)
from lowpower.slides._mpp import check_mpp
from lowpower.slides._open import open_slide, opened
from lowpower.slides._reader import NEVER_WRITTEN
from lowpower.slides._show import as_html
from lowpower.slides._slide import Level, Slide

__all__ = [
    "BOOKS",
    "MAY_NOT",
    "NEVER_WRITTEN",
    "PICTURE_ENDINGS",
    "SLIDE_ENDINGS",
    "Choice",
    "Level",
    "Slide",
    "as_html",
    "check_mpp",
    "contents_of",
    "find_slides",
    "open_slide",
    "opened",
    "slide_name",
    "without_slides",
]
