"""Opening any slide and reading it at any microns per pixel."""

from lowpower.slides._contents import contents_of
from lowpower.slides._damage import DamagedTile
from lowpower.slides._folder import BOOKS, find_slides
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
    "DamagedTile",
    "Level",
    "Slide",
    "as_html",
    "as_png",
    "contents_of",
    "find_slides",
    "open_slide",
    "opened",
    "slide_name",
]
