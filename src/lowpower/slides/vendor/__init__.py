"""Scanners' own formats, through fastslide and OpenSlide."""

from lowpower.slides.vendor._fastslide import FastSlideReader
from lowpower.slides.vendor._openslide import OpenSlideReader

__all__ = [
    "FastSlideReader",
    "OpenSlideReader",
]
