"""TIFF slides: layout, scenes, microns per pixel, and a reader of its own."""

from lowpower.slides.tiff._tiff_layout import Segments, TiffLayout, read_layout
from lowpower.slides.tiff._tiff_reader import TiffReader
from lowpower.slides.tiff._tiff_scenes import same_shape
from lowpower.slides.tiff._tile_source import TileSource, open_tiles

__all__ = [
    "Segments",
    "TiffLayout",
    "TiffReader",
    "TileSource",
    "open_tiles",
    "read_layout",
    "same_shape",
]
