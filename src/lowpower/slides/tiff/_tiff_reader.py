"""Plain pyramidal, flat, striped and OME TIFFs, decoded tile by tile with tifffile and imagecodecs."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides._cache import TileCache
from lowpower.slides._codec import JPEG, JPEG_2000, UndecodableError, decode_segment
from lowpower.slides._damage import DamagedTile, DamageLog, tile_box
from lowpower.slides._padding import GLASS
from lowpower.slides._reader import Pixels, on_white
from lowpower.slides.tiff._tiff_layout import Segments, TiffLayout

__all__ = ["TiffReader"]

_SEGMENT_BYTES = 256 << 20
_ONLY_SEGMENT_BYTES = 900 << 20
_UNCOMPRESSED, _OLD_JPEG = 1, 6
_BLACK_IS_ZERO, _RGB, _YCBCR = 1, 2, 6
_PREMULTIPLIED, _STRAIGHT = 1, 2
_PHOTOMETRIC = {0: "greyscale", 1: "greyscale", 3: "palette colours", 5: "CMYK", 8: "CIE Lab"}
_RAW_ROWS = 64
_SMALL_PIXELS = 512 * 512


class TiffReader:
    """Reads the segments of a parsed TIFF.

    Raises:
        NotASlideError: if its pixels are not 8-bit RGB in a form that can be decoded piece by piece.
    """

    backend = "tifffile"

    def __init__(self, path: Path, layout: TiffLayout) -> None:
        self._path = path
        self._layout = layout
        for level in layout.levels:
            _refuse_foreign_pixels(path, level)
        rows = tuple(_RAW_ROWS if _raw(level) else level.tile[1] for level in layout.levels)
        self.stored = replace(layout.stored, rows=rows)
        self.damage = DamageLog()
        self._local = threading.local()
        self._lock = threading.Lock()
        self._streams: list[BinaryIO] = []
        self._cache = TileCache()

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels, (height, width, 3)."""
        segments = self._layout.levels[level]
        box = (x, y, width, height)
        if not segments.colours:
            return self._read(segments, (level, 0), box)
        colours = [self._read(part, (level, i), box) for i, part in enumerate(segments.colours)]
        pixels = _rgb(np.concatenate(colours, axis=2), segments.page)
        # Where one colour is glass for want of data, the others would make a false one of it.
        lost = {tile.index for tile in self.damage.tiles() if tile.level == level}
        for index in lost.union(np.flatnonzero(segments.empty).tolist()):
            row, column = divmod(index, segments.across)
            top, left = row * segments.tile[1] - y, column * segments.tile[0] - x
            bottom, right = max(0, top + segments.tile[1]), max(0, left + segments.tile[0])
            pixels[max(0, top) : bottom, max(0, left) : right] = GLASS
        return pixels

    def _read(self, segments: Segments, key: tuple[int, int], box: tuple[int, int, int, int]) -> Pixels:
        """Pixels of one level, or of one colour of it, (height, width, 3 or 1); `key` is level and colour."""
        x, y, width, height = box
        if _raw(segments):
            return self._read_raw(segments, x, y, width, height)
        tile_width, tile_height = segments.tile
        if segments.offsets.size == 1:
            return self._segment(segments, (*key, 0), keep=True)[y : y + height, x : x + width]
        out = np.empty((height, width, segments.samples), np.uint8)
        for row in range(y // tile_height, (y + height - 1) // tile_height + 1):
            top, bottom = max(y, row * tile_height), min(y + height, (row + 1) * tile_height)
            for column in range(x // tile_width, (x + width - 1) // tile_width + 1):
                left, right = max(x, column * tile_width), min(x + width, (column + 1) * tile_width)
                # A tile read in part will be asked for again by the next patch.
                whole_width = min(tile_width, segments.width - column * tile_width)
                whole_height = min(tile_height, segments.height - row * tile_height)
                part = right - left < whole_width or bottom - top < whole_height
                keep = part or tile_width * tile_height <= _SMALL_PIXELS  # neighbours overlap by whole tiles
                pixels = self._segment(segments, (*key, row * segments.across + column), keep=keep)
                out[top - y : bottom - y, left - x : right - x] = pixels[
                    top - row * tile_height : bottom - row * tile_height,
                    left - column * tile_width : right - column * tile_width,
                ]
        return out

    def associated(self, name: str) -> Pixels:
        """One associated image."""
        return _as_rgb(np.asarray(self._layout.associated[name].asarray()))

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            for stream in self._streams:
                stream.close()
            self._streams.clear()
        self._cache.clear()
        self._layout.file.close()

    def _segment(self, segments: Segments, key: tuple[int, int, int], *, keep: bool) -> Pixels:
        return self._cache.get(key, lambda: self._decode(segments, key[0], key[2]), keep=keep)

    def _decode(self, segments: Segments, level: int, index: int) -> Pixels:
        page, (tile_width, tile_height) = segments.page, segments.tile
        count = int(segments.counts[index])
        if count == 0:
            return self._unwritten(segments, level, index)
        try:
            pixels, warning = decode_segment(
                page,
                self._bytes(int(segments.offsets[index]), count),
                segments.first + index,
                segments.tile,
            )
        except UndecodableError as error:
            raise self._damaged(segments, index, str(error)) from error
        row, column = divmod(index, segments.across)
        needed = (
            min(tile_height, segments.height - row * tile_height),
            min(tile_width, segments.width - column * tile_width),
            1 if segments.apart else page.samplesperpixel,
        )
        if pixels.shape[2] != needed[2] or pixels.shape[0] < needed[0] or pixels.shape[1] < needed[1]:
            raise self._damaged(
                segments,
                index,
                f"it holds {pixels.shape[1]} x {pixels.shape[0]} px of {pixels.shape[2]} colours",
            )
        if warning is not None:
            box = tile_box(
                index, segments.across, segments.tile, (segments.width, segments.height), self.stored.sizes[0]
            )
            self.damage.add(DamagedTile(level, index, _name(segments, index), warning, box))
            return np.full((*pixels.shape[:2], segments.samples), GLASS, np.uint8)
        return pixels if segments.apart else _rgb(pixels, page)

    def _unwritten(self, segments: Segments, level: int, index: int) -> Pixels:
        """Glass: exports leave it out. Aperio left out more: there the coarser level shows it."""
        width, height = segments.tile
        if self._layout.kind != "aperio" or level + 1 == len(self._layout.levels) or segments.apart:
            return np.full((height, width, segments.samples), GLASS, np.uint8)
        coarser = self._layout.levels[level + 1]
        row, column = divmod(index, segments.across)
        left = column * width * coarser.width // segments.width
        top = row * height * coarser.height // segments.height
        across = max(1, min(coarser.width - left, round(width * coarser.width / segments.width)))
        down = max(1, min(coarser.height - top, round(height * coarser.height / segments.height)))
        small = self.read(level + 1, left, top, across, down)
        whole = (min(width, segments.width - column * width), min(height, segments.height - row * height))
        return np.asarray(cv2.resize(small, whole, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _read_raw(self, segments: Segments, x: int, y: int, width: int, height: int) -> Pixels:
        """Rows of an uncompressed image, straight from the file: one strip may be the whole slide."""
        samples = 1 if segments.apart else segments.page.samplesperpixel
        stride = segments.width * samples
        out = np.empty((height, width, samples), np.uint8)
        for row in range(height):
            strip, inside = divmod(y + row, segments.tile[1])
            at = int(segments.offsets[strip]) + inside * stride + x * samples
            if int(segments.counts[strip]) == 0:
                out[row] = GLASS
                continue
            data = self._bytes(at, width * samples)
            if len(data) < width * samples:
                raise self._damaged(segments, strip, "it ends too early")
            out[row] = np.frombuffer(data, np.uint8).reshape(width, samples)
        return out if segments.apart else _rgb(out, segments.page)

    def _bytes(self, offset: int, count: int) -> bytes:
        stream: BinaryIO | None = getattr(self._local, "stream", None)
        if stream is None or stream.closed:
            stream = self._path.open("rb", buffering=0)
            self._local.stream = stream
            with self._lock:
                self._streams.append(stream)
        stream.seek(offset)
        return stream.read(count)

    def _damaged(self, segments: Segments, index: int, reason: str) -> DamagedSlideError:
        where = _name(segments, index)
        return DamagedSlideError(
            self._path, f"{where} cannot be decoded ({reason}); copy or export it again."
        )


def _name(segments: Segments, index: int) -> str:
    unit = "tile" if segments.page.is_tiled else "strip"
    return f"{unit} {index} of its {segments.width} x {segments.height} image"


def _raw(segments: Segments) -> bool:
    page = segments.page
    return bool(page.compression == _UNCOMPRESSED and not page.is_tiled and page.predictor in (0, 1))


def _refuse_foreign_pixels(path: Path, level: Segments) -> None:
    page: Any = level.page
    photometric = int(page.photometric)
    grey_pages = len({id(part.page) for part in level.colours}) == 3
    if photometric in _PHOTOMETRIC and not (grey_pages and photometric == _BLACK_IS_ZERO):
        raise NotASlideError(
            path, f"stores {_PHOTOMETRIC[photometric]}; an IHC slide needs 8-bit RGB colour."
        )
    if page.bitspersample != 8 or page.dtype != np.uint8:
        raise NotASlideError(path, f"has {page.bitspersample} bits per colour; convert it to 8-bit RGB.")
    colour = photometric == _RGB or (photometric == _YCBCR and int(page.compression) == JPEG)
    colour |= photometric in (_RGB, _YCBCR) and int(page.compression) in JPEG_2000 - {33003}
    colour &= page.samplesperpixel in (3, 4) and not (level.colours and photometric == _YCBCR)
    if grey_pages:
        colour = all(int(part.page.photometric) == _BLACK_IS_ZERO for part in level.colours)
    if not colour or int(page.compression) == _OLD_JPEG:
        raise NotASlideError(
            path, f"stores its colours in an unusual way ({page.photometric.name}); convert it to 8-bit RGB."
        )
    if not _raw(level):
        size = level.tile[0] * level.tile[1] * (1 if level.colours else page.samplesperpixel)
        limit = _ONLY_SEGMENT_BYTES if level.offsets.size == 1 else _SEGMENT_BYTES
        if size > limit:
            raise NotASlideError(
                path, f"packs {size / 1e9:.1f} GB into one compressed piece; save it again as a tiled TIFF."
            )


def _rgb(image: Pixels, page: Any) -> Pixels:
    """Colour over white glass; a fourth channel that is not declared as alpha is left out."""
    if image.shape[2] == 3:
        return image
    alpha = int(page.extrasamples[0]) if page.extrasamples else 0
    if alpha not in (_PREMULTIPLIED, _STRAIGHT):
        return image[..., :3]
    return on_white(image, premultiplied=alpha == _PREMULTIPLIED)


def _as_rgb(image: NDArray[Any]) -> Pixels:
    """A label or macro of any depth as 8-bit RGB."""
    if image.dtype != np.uint8:
        top = np.iinfo(image.dtype).max if np.issubdtype(image.dtype, np.integer) else max(1.0, image.max())
        image = np.clip(image.astype(np.float64) * (255 / top), 0, 255).astype(np.uint8)
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    if image.shape[0] in (3, 4) and image.shape[2] not in (3, 4):
        image = np.moveaxis(image, 0, 2)
    return image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
