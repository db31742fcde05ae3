"""The slide's own JPEG tiles, where the page's tiles are just these: nothing is encoded a second time."""

from __future__ import annotations

import threading
import weakref
from typing import Final

from lowpower.slides import Slide
from lowpower.slides.tiff import TileSource, open_tiles

__all__ = ["StoredTiles"]

_MOST_LEVELS: Final = 12


class StoredTiles:
    """Tiles of a slide's stored levels, one grid for each whole factor."""

    def __init__(self, slide: Slide, side: int) -> None:
        """Say of which slide, and the side of the page's tiles, pixels."""
        self._slide, self._side = slide, side
        self._sources: dict[int, TileSource | None] = {}
        self._lock = threading.Lock()

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

    def _source(self, factor: int) -> TileSource | None:
        with self._lock:
            if factor not in self._sources:
                self._sources[factor] = self._opened(factor) if len(self._sources) < _MOST_LEVELS else None
            return self._sources[factor]

    def _opened(self, factor: int) -> TileSource | None:
        levels = [level for level in self._slide.levels if level.downsample == factor]
        source = open_tiles(self._slide, float(levels[0].mpp)) if levels else None
        if source is None:
            return None
        if (source.width, source.height) != (self._side, self._side):
            source.close()
            return None
        weakref.finalize(self, source.close)
        return source
