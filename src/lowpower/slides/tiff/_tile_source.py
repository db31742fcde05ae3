"""The tiles under a patch grid, decoded straight into patches where a slide is a plain tiled JPEG TIFF.

`Slide.read` answers for every format and every place; it also makes three copies of each pixel on the way.
Where patches are whole pixels of a tiled TIFF's level, decoding a tile and pasting it needs one. Where they
are averages of 2, 4 or 8 pixels a side, the decoder leaves out what averaging would: twice as fast, a grey
level (rms) from the average. This path is taken only after it gave, for one tile of the slide, what
`Slide.read` gives; whatever it does not serve (edges, damage, other codecs) goes through `Slide.read`.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lowpower.slides._codec import UndecodableError, decode_jpeg, whole_jpeg
from lowpower.slides._padding import PADDING_BLOCK, fill_padding
from lowpower.units import Box

if TYPE_CHECKING:
    import tifffile

    from lowpower.slides._slide import Slide

__all__ = ["TileSource", "open_tiles"]

_JPEG, _RGB = 7, 2
_COLOURS = {2: "RGB", 6: "YCBCR"}
"""What a JPEG holds, by TIFF's photometric interpretation."""
_END = b"\xff\xd9"
_EXACT = 1e-5
_IN_DECODER = (2, 4, 8)
_NEARLY = 4.0
"""Grey levels (rms) by which a tile that the decoder made smaller may differ from its average."""
_BLACK = 4
_BLACKS = PADDING_BLOCK**2 // 4 // 4
"""Where so many pixels of a halved tile are so dark, `fill_padding` may have found something in it."""


class TileSource:
    """Whole tiles of one level, averaged by a whole factor.

    Attributes:
        width: Width of a tile in pixels of the plane, after averaging.
        height: Height of a tile in pixels of the plane, after averaging.
    """

    def __init__(self, path: Path, file: tifffile.TiffFile, page: Any, step: int) -> None:
        self._path = path
        self._file = file
        self._page = page
        self._step = step
        self._offsets, self._counts = page.dataoffsets, page.databytecounts
        self._across = -(-page.imagewidth // page.tilewidth)
        self._whole = (page.imagewidth // page.tilewidth, page.imagelength // page.tilelength)
        self.width, self.height = page.tilewidth // step, page.tilelength // step
        self._local = threading.local()
        self._streams: list[BinaryIO] = []

    @property
    def reduced(self) -> bool:
        """Whether the decoder makes tiles smaller, so that they are averages only nearly."""
        return self._step in _IN_DECODER

    def tile(self, column: int, row: int, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8] | None:
        """Pixels (height, width, 3) of a tile, or None if it must be read another way.

        Args:
            column: Of the level's tiles.
            row: Of the level's tiles.
            out: Where the pixels shall lie, of that shape; by default in memory of the calling thread, which
                its next call uses again.
        """
        if not (0 <= column < self._whole[0] and 0 <= row < self._whole[1]):
            return None
        if self.reduced:
            data, plain_rgb = self._stored(column, row)
            pixels = self._decoded(
                data, reduced=self._step, tables=self._page.jpegtables, plain_rgb=plain_rgb
            )
            if pixels is None or out is None:
                return pixels
            out[:] = pixels
            return out
        index = row * self._across + column
        data = self._bytes(int(self._offsets[index]), int(self._counts[index]))
        if _END not in data[-64:]:
            return None
        whole, small = self._memory()
        target = small if out is None else out
        straight = self._step == 1 and target.flags.c_contiguous
        try:
            imagecodecs.jpeg8_decode(
                data,
                tables=self._page.jpegtables,
                colorspace=_COLOURS[int(self._page.photometric)],
                outcolorspace="RGB",
                out=target if straight else whole,
            )
        except Exception:  # each codec raises its own kind; Slide.read then says what is wrong
            return None
        if self._step > 1:
            cv2.resize(whole, (self.width, self.height), dst=target, interpolation=cv2.INTER_AREA)
        elif not straight:
            target[:] = whole
        return target

    def stream(self, column: int, row: int) -> bytes | None:
        """A tile as it is stored, as a JPEG stream of its own that decodes to what `Slide.read` gives.

        None where the tile is averaged or cut by the slide's edge, where its decoder warns, and where black
        padding is read as glass.

        Raises:
            OSError: the file cannot be read.
        """
        if self._step > 1 or not (0 <= column < self._whole[0] and 0 <= row < self._whole[1]):
            return None
        whole = self._whole_stream(column, row)
        pixels = self._decoded(whole)
        return whole if pixels is not None and fill_padding(pixels) is pixels else None

    def halved(self, column: int, row: int) -> NDArray[np.uint8] | None:
        """Two by two tiles as one of their size, a grey level (rms) from their average.

        None as for `stream`: these few are read in the exact way.

        Args:
            column: Of tiles twice as wide as the level's.
            row: Of tiles twice as high.

        Raises:
            OSError: the file cannot be read.
        """
        inside = 0 <= column < self._whole[0] // 2 and 0 <= row < self._whole[1] // 2
        if self._step > 1 or not inside or self.width % 2 or self.height % 2:
            return None
        out = np.empty((self.height, self.width, 3), np.uint8)
        width, height = self.width // 2, self.height // 2
        for y, x in np.ndindex(2, 2):
            pixels = self._decoded(self._whole_stream(2 * column + x, 2 * row + y), reduced=2)
            if pixels is None:
                return None
            out[y * height : (y + 1) * height, x * width : (x + 1) * width] = pixels
        black = cv2.countNonZero(cv2.inRange(out, (0, 0, 0), (_BLACK, _BLACK, _BLACK)))
        return out if black < _BLACKS else None

    def _whole_stream(self, column: int, row: int) -> bytes | None:
        data, plain_rgb = self._stored(column, row)
        return whole_jpeg(data, tables=self._page.jpegtables, stored_as_rgb=plain_rgb)

    def _stored(self, column: int, row: int) -> tuple[bytes, bool]:
        """A tile's bytes; whether its colours are red, green and blue though no marker in them says so."""
        index = row * self._across + column
        data = self._bytes(int(self._offsets[index]), int(self._counts[index]))
        return data, int(self._page.photometric) == _RGB and data[6:10] != b"JFIF"

    def _decoded(
        self, stream: bytes | None, *, reduced: int = 1, tables: bytes | None = None, plain_rgb: bool = False
    ) -> NDArray[np.uint8] | None:
        """Pixels of a stream, where it is as large as the level's tiles and its decoder does not warn."""
        size = (self._page.tilewidth, self._page.tilelength)
        try:
            pixels, warning = decode_jpeg(
                stream or b"", size, tables=tables, stored_as_rgb=plain_rgb, reduced=reduced
            )
        except UndecodableError:
            return None
        shape = (size[1] // reduced, size[0] // reduced, 3)
        return pixels if warning is None and pixels.shape == shape else None

    def _memory(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A whole and an averaged tile of the calling thread: fresh memory costs as much as a copy."""
        found: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = getattr(self._local, "memory", None)
        if found is None:
            whole = np.empty((self._page.tilelength, self._page.tilewidth, 3), np.uint8)
            found = self._local.memory = (whole, np.empty((self.height, self.width, 3), np.uint8))
        return found

    def close(self) -> None:
        """Release the file."""
        for stream in self._streams:
            stream.close()
        self._file.close()

    def _bytes(self, offset: int, count: int) -> bytes:
        stream: BinaryIO | None = getattr(self._local, "stream", None)
        if stream is None:
            stream = self._local.stream = self._path.open("rb", buffering=0)
            self._streams.append(stream)
        stream.seek(offset)
        return stream.read(count)


def open_tiles(slide: Slide, mpp: float) -> TileSource | None:
    """Tiles of a slide at `mpp` um/px, or None where they cannot be had this way."""
    serving = [level for level in slide.levels if level.mpp <= mpp * 1.001]
    if not serving or slide.icc_applied or not slide.file.is_file():
        return None
    level = max(serving, key=lambda level: level.downsample)
    step = mpp / level.mpp
    if abs(step - round(step)) > _EXACT * step or abs(slide.mpp * level.downsample / level.mpp - 1) > _EXACT:
        return None
    import tifffile  # 0.1 s, needed only here

    try:
        file = tifffile.TiffFile(slide.file)
    except (tifffile.TiffFileError, OSError, ValueError):
        return None
    source = _source(slide, file, (level.width, level.height), round(step))
    if source is None:
        file.close()
    elif not _agrees(slide, source, mpp):
        source.close()
        source = None
    return source


def _source(slide: Slide, file: tifffile.TiffFile, size: tuple[int, int], step: int) -> TileSource | None:
    pages: list[Any] = [page.aspage() for page in file.pages]
    same = [page for page in pages if page.is_tiled and (page.imagewidth, page.imagelength) == size]
    base = [page for page in pages if (page.imagewidth, page.imagelength) == slide.size]
    if len(same) != 1 or not base:
        return None
    page = same[0]
    plain = int(page.compression) == _JPEG and page.samplesperpixel == 3 and page.bitspersample == 8
    plain = plain and int(page.photometric) in _COLOURS
    if not plain or page.planarconfig != 1 or page.tilewidth % step or page.tilelength % step:
        return None
    return TileSource(slide.file, file, page, step)


def _agrees(slide: Slide, source: TileSource, mpp: float) -> bool:
    """Whether the tile in the slide's middle is what `Slide.read` gives, byte for byte unless reduced."""
    factor = mpp / slide.mpp
    side = source.width * factor, source.height * factor
    column, row = (int(length / 2 / edge) for length, edge in zip(slide.size, side, strict=True))
    pixels = source.tile(column, row)
    if pixels is None:
        return False
    box = Box(round(column * side[0]), round(row * side[1]), round(side[0]), round(side[1]))
    exact = slide.read(box, mpp)
    if not source.reduced:
        return bool(np.array_equal(pixels, exact))
    apart = pixels.astype(np.float32) - exact
    return bool(np.sqrt((apart * apart).mean()) < _NEARLY)
