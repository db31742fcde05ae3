"""Opening any slide and reading it at any microns per pixel."""

from lowpower.slides._choice import Choice
from lowpower.slides._contents import contents_of
from lowpower.slides._damage import DamagedTile
from lowpower.slides._folder import BOOKS, find_slides, without_slides
from lowpower.slides._mpp import check_mpp
from lowpower.slides._name import PICTURE_ENDINGS, SLIDE_ENDINGS, slide_name
from lowpower.slides._open import open_slide
from lowpower.slides._opened import opened
from lowpower.slides._reader import NEVER_WRITTEN
from lowpower.slides._show import as_html, as_png
from lowpower.slides._slide import Level, Slide

__all__ = [
    "BOOKS",
    "NEVER_WRITTEN",
    "PICTURE_ENDINGS",
    "SLIDE_ENDINGS",
    "Choice",
    "DamagedTile",
    "Level",
    "Slide",
    "as_html",
    "as_png",
    "check_mpp",
    "contents_of",
    "find_slides",
    "open_slide",
    "opened",
    "slide_name",
    "without_slides",
]
