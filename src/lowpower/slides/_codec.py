"""One compressed tile decoded, with what its decoder warned of; nothing is passed over in silence.

Each decoder here reads from memory a tile whose size was held against the slide's first, so that its work
is bounded by the tile's bytes and pixels: it ends, whatever the bytes are.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

__all__ = [
    "JPEG",
    "JPEG_2000",
    "Decoded",
    "UndecodableError",
    "broken_stream",
    "decode_jpeg",
    "decode_jpeg2000",
    "decode_segment",
    "whole_jpeg",
]

JPEG = 7
"""TIFF compression tag of JPEG."""
JPEG_2000 = frozenset({33003, 33004, 33005, 34712})
"""TIFF compression tags of JPEG 2000: Aperio's YCbCr, lossy, RGB, and the registered one."""

Decoded = tuple[NDArray[np.uint8], str | None]
"""Pixels, (H, W, samples), and the decoder's warning, if it had one."""

_TAIL = 64  # some writers pad after the end marker
_STORED_AS_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # what libjpeg-turbo decodes to 8 bits
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}
_OF_PIXELS = {0xC4, 0xDB, 0xDD, 0xEE} | _FRAMES
"""Segments of a JPEG stream that pixels need: tables, frame, restarts, Adobe's word on the colours."""
_COLOURS = {1: "GRAY", 3: "RGB", 4: "CMYK"}


class UndecodableError(ValueError):
    """No pixels come out of a tile. The message says why, without naming the tile."""


def broken_stream(compression: int, head: bytes, tail: bytes) -> str | None:
    """What is wrong with a compressed tile, judged by its first 2 and last 64 bytes; None if nothing is."""
    name = {JPEG: "JPEG"}.get(compression, "JPEG 2000" if compression in JPEG_2000 else None)
    if name is None:
        return None
    starts = (b"\xff\xd8",) if compression == JPEG else (b"\xff\x4f", b"\x00\x00")
    if head not in starts:
        return f"it does not begin as a {name} stream"
    return None if b"\xff\xd9" in tail else f"its {name} stream is cut short"


def decode_segment(page: Any, data: bytes, index: int, limit: tuple[int, int]) -> Decoded:
    """One tile or strip of a TIFF.

    Args:
        page: tifffile's page.
        data: The compressed bytes.
        index: Which of the page's segments they are.
        limit: (width, height) that a tile has at most, pixels.

    Raises:
        UndecodableError: if no pixels come out.
    """
    compression = int(page.compression)
    broken = broken_stream(compression, data[:2], data[-_TAIL:])
    if broken:
        raise UndecodableError(broken)
    if compression == JPEG:
        plain_rgb = int(page.photometric) == 2 and data[6:10] != b"JFIF"  # as Aperio's scanners write it
        return decode_jpeg(data, limit, tables=page.jpegtables, stored_as_rgb=plain_rgb)
    if compression in JPEG_2000:
        return decode_jpeg2000(data, limit)
    try:
        pixels, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
    except Exception as error:  # each codec raises its own kind, and no base class joins them
        raise UndecodableError(str(error)) from error
    if pixels is None:
        raise UndecodableError("it holds no data")
    return np.asarray(pixels).reshape(shape[-3:]), None


def decode_jpeg(
    data: bytes,
    limit: tuple[int, int],
    *,
    tables: bytes | None = None,
    stored_as_rgb: bool = False,
    reduced: int = 1,
) -> Decoded:
    """A JPEG stream. Where libjpeg warns, the pixels are what it made of it all the same.

    Args:
        data: The stream.
        limit: (width, height) that it has at most, pixels.
        tables: Tables that it leaves out, as a stream of their own.
        stored_as_rgb: Its colours are red, green and blue, though no marker says so.
        reduced: 2, 4 or 8 makes it so much smaller while it is decoded: a grey level (rms) from averaging.

    Raises:
        UndecodableError: if no pixels come out.
    """
    at, width, height, samples = _frame(data)
    _check_size("JPEG", (width, height), limit)
    if samples not in _COLOURS:
        raise UndecodableError(f"its JPEG header says {samples} colours")
    mark = _STORED_AS_RGB if stored_as_rgb and samples == 3 else b""
    if tables is not None or mark:
        data = b"".join(((tables or b"\xff\xd8\xff\xd9")[:-2], data[2:at], mark, data[at:]))
    how: dict[str, Any] = {"colorspace": _COLOURS[samples]}
    if reduced > 1:
        how |= {"min_width": width // reduced, "min_height": height // reduced, "min_factor": reduced}
    try:
        return simplejpeg.decode_jpeg(data, strict=True, **how), None
    except ValueError as error:
        warning = str(error)
    try:
        return simplejpeg.decode_jpeg(data, strict=False, **how), warning
    except ValueError as error:
        raise UndecodableError(str(error).rpartition("(): ")[2]) from error  # "tjDecompress...(): "


def whole_jpeg(data: bytes, *, tables: bytes | None = None, stored_as_rgb: bool = False) -> bytes | None:
    """A JPEG stream with all that its pixels need, and nothing else: no comments, profiles, thumbnails.

    Args:
        data: The stream, as `decode_jpeg` takes it.
        tables: Tables that it leaves out, as a stream of their own.
        stored_as_rgb: Its colours are red, green and blue, though no marker says so.

    Returns:
        The stream, which decodes to the same pixels; None where its headers are not understood.
    """
    parts = [(tables or b"\xff\xd8\xff\xd9")[:-2], _STORED_AS_RGB if stored_as_rgb else b""]
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big") + 2
        if data[at + 1] in _OF_PIXELS:
            parts.append(data[at : at + length])
        elif data[at + 1] & 0xF0 != 0xE0 and data[at + 1] != 0xFE:
            return None
        at += length
    end = data.rfind(b"\xff\xd9")
    return b"".join((*parts, data[at : end + 2])) if data[at : at + 2] == b"\xff\xda" and end > at else None


def decode_jpeg2000(data: bytes, limit: tuple[int, int]) -> Decoded:
    """A JPEG 2000 codestream, bare or boxed. OpenJPEG seldom warns: most of the format has no checks.

    Args:
        data: The stream.
        limit: (width, height) that it has at most, pixels.

    Raises:
        UndecodableError: if no pixels come out.
    """
    at = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if at < 0 or len(data) < at + 24:
        raise UndecodableError("its JPEG 2000 header is broken")
    right, bottom, left, top = (int.from_bytes(data[at + i : at + i + 4], "big") for i in (8, 12, 16, 20))
    _check_size("JPEG 2000", (right - left, bottom - top), limit)
    with _openjpeg.listen() as said:
        try:
            pixels = imagecodecs.jpeg2k_decode(data, verbose=2)
        except (imagecodecs.Jpeg2kError, ValueError, MemoryError) as error:
            raise UndecodableError(said[0] if said else str(error)) from error
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8:
        raise UndecodableError(f"its JPEG 2000 header says {pixels.dtype} pixels")
    return pixels.reshape(*pixels.shape[:2], -1), said[0] if said else None


def _frame(data: bytes) -> tuple[int, int, int, int]:
    """Where a JPEG stream's frame header begins, and the width, height and samples it states."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _FRAMES and at + 10 <= len(data):
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            return at, width, height, data[at + 9]
        if marker in _OTHER_FRAMES:
            raise UndecodableError(f"its JPEG coding (frame {marker:02x}) is not read here")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or marker in (0xD9, 0xDA):
            break
        at += 2 + length
    raise UndecodableError("its JPEG header is broken")


def _check_size(name: str, size: tuple[int, int], limit: tuple[int, int]) -> None:
    if not (0 < size[0] <= limit[0] and 0 < size[1] <= limit[1]):
        said = f"its {name} header says {size[0]} x {size[1]} px"
        raise UndecodableError(f"{said} in a tile of {limit[0]} x {limit[1]}")


class _Overheard(logging.Filter):
    """Takes what OpenJPEG says through imagecodecs' logger while a thread decodes here."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()
        logging.getLogger("imagecodecs").addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        said: list[str] | None = getattr(self._local, "said", None)
        if said is None:
            return True
        said.append(record.getMessage().removeprefix("JPEG2K warning: ").removeprefix("JPEG2K error: "))
        return False

    @contextlib.contextmanager
    def listen(self) -> Iterator[list[str]]:
        self._local.said = []
        try:
            yield self._local.said
        finally:
            self._local.said = None


_openjpeg = _Overheard()
