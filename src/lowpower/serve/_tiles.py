"""Tiles of a deep-zoom pyramid, cut from slides by their own reader."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import simplejpeg

from lowpower.errors import LowpowerError, MissingMppError, NotASlideError
from lowpower.scoring import Asked
from lowpower.serve._shelf import Entry, Shelf
from lowpower.slides import Slide, open_slide
from lowpower.units import Box

__all__ = ["TILE", "OpenSlides", "SlideImage", "top_level"]

TILE: Final = 256
"""Pixels of a tile's side."""
_QUALITY: Final = 88
_KEPT_OPEN: Final = 6


@dataclass(frozen=True, eq=False)
class SlideImage:
    """A slide open for the viewer.

    Attributes:
        slide: The slide.
        mpp: um per base pixel; None where nobody said.
    """

    slide: Slide
    mpp: float | None

    def tile(self, level: int, column: int, row: int) -> bytes | None:
        """A tile as JPEG; None where the pyramid has none. Level `top_level` is the slide's own pixels."""
        width, height = self.slide.size
        top = top_level(width, height)
        if not 0 <= level <= top:
            return None
        factor = 2 ** (top - level)
        side = TILE * factor
        x, y = column * side, row * side
        if not (0 <= x < width and 0 <= y < height):
            return None
        box = Box(x, y, min(side, width - x), min(side, height - y))
        pixels = self.slide.read(box, float(self.slide.mpp) * factor)
        return bytes(simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB"))


def top_level(width: int, height: int) -> int:
    """The level of a deep-zoom pyramid that has the slide's own pixels; level 0 is a single pixel."""
    return math.ceil(math.log2(max(width, height, 2)))


class OpenSlides:
    """The slides that were looked at last, kept open. A slide that drops out closes with its last read."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._open: OrderedDict[tuple[str, int], SlideImage] = OrderedDict()
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def image(self, entry: Entry) -> SlideImage:
        """The slide of an entry.

        Raises:
            SlideError: it is gone, is another slide now, or cannot be read.
        """
        key = (entry.key, entry.written)
        with self._lock:
            alone = self._opening.setdefault(entry.key, threading.Lock())
        with alone:  # twenty tiles that come at once open the slide once
            with self._lock:
                if key in self._open:
                    self._open.move_to_end(key)
                    return self._open[key]
            image = self._opened(entry)
            with self._lock:
                self._open[key] = image
                while len(self._open) > _KEPT_OPEN:
                    self._open.popitem(last=False)
        return image

    def _opened(self, entry: Entry) -> SlideImage:
        record = entry.record
        path = self._shelf.slide_file(entry)
        if not path.exists():
            raise NotASlideError(
                path,
                "is no longer there; put it back, or name its folder: lowpower view RESULTS --slides DIR",
            )
        asked = record.asked or Asked()
        given = record.mpp or asked.mpp
        mpp: float | None = None
        try:
            slide = open_slide(path, given, scene=asked.scene, plane=asked.plane)
            mpp = float(slide.mpp)
        except MissingMppError:
            slide = open_slide(path, 1.0, scene=asked.scene, plane=asked.plane)
        self._same(entry, slide)
        return SlideImage(slide, mpp)

    @staticmethod
    def _same(entry: Entry, slide: Slide) -> None:
        """Raise where a file that was written after the record has other bytes than the scored slide."""
        told = entry.record.slide_sha256
        try:
            newer = slide.path.stat().st_mtime_ns > entry.written
            if told is not None and newer and slide.content_hash() != told:
                raise NotASlideError(
                    slide.path, "is another slide than the one that was scored (SHA-256); score it again."
                )
        except (LowpowerError, OSError):
            slide.close()
            raise
