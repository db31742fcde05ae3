"""Tiles of a deep-zoom pyramid, cut from slides by their own reader."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import simplejpeg

from lowpower.errors import LowpowerError, MissingMppError, NotASlideError
from lowpower.scoring import Asked
from lowpower.serve._shelf import Entry
from lowpower.serve._stored_tiles import StoredTiles
from lowpower.slides import Slide, open_slide
from lowpower.units import Box

__all__ = ["OpenSlides", "SlideImage", "SlidePlace", "top_level"]

_QUALITY: Final = 88
_KEPT_OPEN: Final = 6
_KEPT_BYTES: Final = 64 << 20
"""Of encoded tiles: a screen of fifty viewers or so."""


@dataclass(frozen=True, eq=False)
class SlideImage:
    """A slide open for the viewer.

    Attributes:
        slide: The slide.
        mpp: um per base pixel; None where nobody said.
    """

    slide: Slide
    mpp: float | None
    _stored: StoredTiles = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_stored", StoredTiles(self.slide))

    @property
    def side(self) -> int:
        """Pixels of a tile's side."""
        return self._stored.side

    def tile(self, level: int, column: int, row: int) -> bytes | None:
        """A tile as JPEG; None where the pyramid has none. Level `top_level` is the slide's own pixels."""
        width, height = self.slide.size
        top = top_level(width, height)
        if not 0 <= level <= top:
            return None
        factor = 2 ** (top - level)
        side = self.side * factor
        x, y = column * side, row * side
        if not (0 <= x < width and 0 <= y < height):
            return None
        box = Box(x, y, min(side, width - x), min(side, height - y))
        stored = self._stored.jpeg(factor, column, row)
        if stored is not None:
            return stored
        pixels = self._stored.halved(factor, column, row)
        if pixels is None:
            pixels = self.slide.read(box, float(self.slide.mpp) * factor)
        return bytes(simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB"))


def top_level(width: int, height: int) -> int:
    """The level of a deep-zoom pyramid that has the slide's own pixels; level 0 is a single pixel."""
    return math.ceil(math.log2(max(width, height, 2)))


@dataclass(frozen=True)
class SlidePlace:
    """Where a slide is, and how it was read when it was scored.

    Attributes:
        key: Its name in addresses.
        version: Changes with the record.
        path: The file or folder.
        mpp: um per base pixel, where the record or somebody says; else the file's own counts.
        scene: Which scene was asked for.
        plane: Which focal plane was asked for.
        sha256: The slide's content hash when it was scored; None where it was not.
        scored: When that was, nanoseconds since 1970.
        cure: What to do where the file is gone.
    """

    key: str
    version: str
    path: Path
    mpp: float | None = None
    scene: str | None = None
    plane: int | None = None
    sha256: str | None = None
    scored: int = 0
    cure: str = "put it back."

    @classmethod
    def of(cls, entry: Entry, path: Path, *, cure: str) -> SlidePlace:
        """The slide of a result."""
        asked = entry.record.asked or Asked()
        return cls(
            key=entry.key,
            version=entry.version,
            path=path,
            mpp=entry.record.mpp or asked.mpp,
            scene=asked.scene,
            plane=asked.plane,
            sha256=entry.record.slide_sha256,
            scored=entry.written,
            cure=cure,
        )


class OpenSlides:
    """The slides that were looked at last, kept open, and the tiles that were cut last.

    A slide that drops out closes with its last read.
    """

    def __init__(self) -> None:
        self._tiles = _Tiles()
        self._open: OrderedDict[tuple[str, str], SlideImage] = OrderedDict()
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def image(self, place: SlidePlace) -> SlideImage:
        """The slide.

        Raises:
            SlideError: it is gone, is another slide now, or cannot be read.
        """
        key = (place.key, place.version)
        with self._lock:
            alone = self._opening.setdefault(place.key, threading.Lock())
        with alone:  # twenty tiles that come at once open the slide once
            with self._lock:
                if key in self._open:
                    self._open.move_to_end(key)
                    return self._open[key]
            image = _opened(place)
            with self._lock:
                self._open[key] = image
                while len(self._open) > _KEPT_OPEN:
                    self._open.popitem(last=False)
        return image

    def _forget(self, place: SlidePlace) -> None:
        with self._lock:
            self._open.pop((place.key, place.version), None)

    def held_tile(self, place: SlidePlace, level: int, column: int, row: int) -> bytes | None:
        """A tile that was cut before, at once; None where it must be cut."""
        return self._tiles.get((place.key, place.version, level, column, row))

    def tile(self, place: SlidePlace, level: int, column: int, row: int) -> bytes | None:
        """A tile as JPEG; None where the pyramid has none.

        Raises:
            SlideError: the slide is gone, is another slide now, or cannot be read.
        """
        image = self.image(place)
        jpeg = self.held_tile(place, level, column, row)
        if jpeg is None:
            try:
                jpeg = image.tile(level, column, row)
            except OSError as error:  # the file went away, or its disk did, while it was open
                self._forget(place)
                why = f"cannot be read any more ({error.strerror})"
                raise NotASlideError(place.path, f"{why}; {place.cure}") from error
            if jpeg is not None:
                self._tiles.keep((place.key, place.version, level, column, row), jpeg)
        return jpeg


class _Tiles:
    """Encoded tiles, up to a number of bytes: those that went longest without being asked for drop out."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str, int, int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str, int, int, int]) -> bytes | None:
        with self._lock:
            jpeg = self._held.get(key)
            if jpeg is not None:
                self._held.move_to_end(key)
            return jpeg

    def keep(self, key: tuple[str, str, int, int, int], jpeg: bytes) -> None:
        with self._lock:
            self._bytes += len(jpeg) - len(self._held.pop(key, b""))
            self._held[key] = jpeg
            while self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._held.popitem(last=False)[1])


def _opened(place: SlidePlace) -> SlideImage:
    if not place.path.exists():
        raise NotASlideError(place.path, f"is no longer there; {place.cure}")
    mpp: float | None = None
    try:
        slide = open_slide(place.path, place.mpp, scene=place.scene, plane=place.plane)
        mpp = float(slide.mpp)
    except MissingMppError:
        slide = open_slide(place.path, 1.0, scene=place.scene, plane=place.plane)
    _must_be_same(place, slide)
    return SlideImage(slide, mpp)


def _must_be_same(place: SlidePlace, slide: Slide) -> None:
    """Raise where a file that was written after the record has other bytes than the scored slide."""
    try:
        newer = slide.path.stat().st_mtime_ns > place.scored
        if place.sha256 is not None and newer and slide.content_hash() != place.sha256:
            raise NotASlideError(
                slide.path, "is another slide than the one that was scored (SHA-256); score it again."
            )
    except (LowpowerError, OSError):
        slide.close()
        raise
