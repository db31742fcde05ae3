"""The page's tiles out of the slide's own JPEG tiles: passed on as they are, or halved while decoded."""

from __future__ import annotations

import threading
import weakref
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lowpower.slides import Slide
from lowpower.slides.tiff import TileSource, open_tiles

__all__ = ["TILE", "StoredTiles"]

TILE: Final = 256
"""Pixels of the side of the page's tiles, where the slide's own are no measure."""
_LEAST: Final = 192
_MOST: Final = 512
_MOST_LEVELS: Final = 12


class StoredTiles:
    """Tiles of a slide's stored levels, one grid for each whole factor.

    Attributes:
        side: Pixels of the side of the page's tiles: that of the slide's own, where it is a usual one.
    """

    def __init__(self, slide: Slide) -> None:
        """Look at the tiles of the finest level."""
        self._slide = slide
        self._sources: dict[int, TileSource | None] = {}
        self._lock = threading.Lock()
        finest = open_tiles(slide, float(slide.mpp))
        fits = finest is not None and finest.width == finest.height and _LEAST <= finest.width <= _MOST
        self.side = finest.width if finest is not None and fits else TILE
        self._sources[1] = self._kept(finest)

    def jpeg(self, factor: int, column: int, row: int) -> bytes | None:
        """The stored stream of a tile, which decodes to what `Slide.read` gives; None where there is none.

        Args:
            factor: Base pixels of a pixel.
            column: Of the page's tiles.
            row: Of the page's tiles.

        Raises:
            OSError: the file cannot be read.
        """
        source = self._source(factor)
        return None if source is None else source.stream(column, row)

    def halved(self, factor: int, column: int, row: int) -> NDArray[np.uint8] | None:
        """A tile between stored levels, out of those twice as fine; None where it is to be read.

        Args:
            factor: Base pixels of a pixel.
            column: Of the page's tiles.
            row: Of the page's tiles.

        Raises:
            OSError: the file cannot be read.
        """
        coarser = any(one.downsample == factor for one in self._slide.levels)
        source = None if coarser or factor % 2 else self._source(factor // 2)
        return None if source is None else source.halved(column, row)

    def _source(self, factor: int) -> TileSource | None:
        with self._lock:
            if factor not in self._sources and len(self._sources) < _MOST_LEVELS:
                level = next((one for one in self._slide.levels if one.downsample == factor), None)
                source = None if level is None else open_tiles(self._slide, float(level.mpp))
                self._sources[factor] = self._kept(source)
            return self._sources.get(factor)

    def _kept(self, source: TileSource | None) -> TileSource | None:
        """The source, if its grid is the page's; it closes with this."""
        if source is None:
            return None
        if (source.width, source.height) != (self.side, self.side):
            source.close()
            return None
        weakref.finalize(self, source.close)
        return source
