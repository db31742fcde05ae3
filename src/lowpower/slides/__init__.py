"""Opening any slide and reading it at any microns per pixel."""

from lowpower.slides._open import open_slide
from lowpower.slides._slide import Level, Slide

__all__ = ["Level", "Slide", "open_slide"]
