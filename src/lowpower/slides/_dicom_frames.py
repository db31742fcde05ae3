"""DICOM whole-slide frames without the strictness of the libraries: what only pydicom can still read."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, NotASlideError, SlideError
from lowpower.slides._codec import JPEG, broken_stream
from lowpower.slides._dicom_series import KEYS, Instance
from lowpower.slides._dicom_stream import Frames
from lowpower.slides._reader import Pixels, Stored
from lowpower.units import Box

__all__ = ["FrameReader", "describe"]

_JPEG = {"1.2.840.10008.1.2.4.50"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
_PLAIN = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}
_CURE = "copy or export it again."


def describe(instances: list[Instance], sizes: tuple[tuple[int, int], ...]) -> Stored:
    """What a series says of itself, for whichever library reads it."""
    base = next(instance for instance in instances if instance.role == "volume")
    rows = {(i.width, i.height): int(i.header.Rows) for i in instances}
    paths = base.header.get("OpticalPathSequence")
    return Stored(
        sizes=sizes,
        rows=tuple(rows.get(size, 256) for size in sizes),
        bounds=Box(0, 0, *sizes[0]),
        claims=base.claims(),
        keys_tried=KEYS,
        associated=tuple(sorted({i.role for i in instances if i.role != "volume"})),
        vendor=str(base.header.get("Manufacturer") or "") or None,
        scanner=str(base.header.get("ManufacturerModelName") or "") or None,
        icc=paths[0].get("ICCProfile") if paths else None,
        files=tuple(instance.path for instance in instances),
    )


class FrameReader:
    """Reads tiled frames one by one.

    Raises:
        NotASlideError: if the frames are not 8-bit RGB in a known coding.
        DamagedSlideError: if frames are missing or the file is cut short.
    """

    backend = "pydicom"

    def __init__(self, path: Path, instances: list[Instance]) -> None:
        self._path = path
        volumes = [instance for instance in instances if instance.role == "volume"]
        self._levels: list[_Level] = []
        try:
            for instance in volumes:
                self._levels.append(_Level(instance))
        except SlideError:
            self.close()
            raise
        self._extra = {instance.role: instance for instance in instances if instance.role != "volume"}
        self.stored = describe(instances, tuple((level.width, level.height) for level in self._levels))

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels, (height, width, 3)."""
        return self._levels[level].read(x, y, width, height)

    def associated(self, name: str) -> Pixels:
        """One associated image."""
        level = _Level(self._extra[name])
        try:
            return level.read(0, 0, level.width, level.height)
        finally:
            level.frames.close()

    def check(self, size: tuple[int, int], x: int, y: int, width: int, height: int) -> None:
        """See that the frames of a rectangle begin and end as they should (fastslide turns others white)."""
        level = next((level for level in self._levels if (level.width, level.height) == size), None)
        if level is not None:
            level.check(x, y, width, height)

    def close(self) -> None:
        """Release the files."""
        for level in self._levels:
            level.frames.close()


class _Level:
    def __init__(self, instance: Instance) -> None:
        header = instance.header
        self._path = instance.path
        self.width, self.height = instance.width, instance.height
        self._tile = (int(header.Columns), int(header.Rows))
        self._syntax = str(header.file_meta.TransferSyntaxUID)
        self._photometric = str(header.PhotometricInterpretation)
        if int(header.BitsAllocated) != 8 or int(header.SamplesPerPixel) != 3:
            raise NotASlideError(instance.path, "is not 8-bit RGB; an IHC slide needs colour.")
        if self._syntax not in _JPEG | _JPEG_2000 | _PLAIN:
            raise NotASlideError(
                instance.path, f"has frames in a coding that is not read here ({self._syntax})."
            )
        if self._syntax in _PLAIN and int(header.get("PlanarConfiguration", 0)) != 0:
            raise NotASlideError(instance.path, "stores its colours in separate planes.")
        self.frames = Frames(
            instance.path, int(header.get("NumberOfFrames", 1)), self._tile[0] * self._tile[1] * 3
        )
        try:
            self._grid = _grid(header, self._tile, (self.width, self.height), self.frames.count)
        except ValueError as error:
            self.frames.close()
            raise DamagedSlideError(instance.path, f"{error}; {_CURE}") from None
        self._lock = threading.Lock()
        self._last: tuple[int, Pixels] | None = None
        self._seen: set[int] = set()

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        tile_width, tile_height = self._tile
        out = np.full((height, width, 3), 255, np.uint8)
        for row in range(y // tile_height, (y + height - 1) // tile_height + 1):
            top, bottom = max(y, row * tile_height), min(y + height, (row + 1) * tile_height)
            for column in range(x // tile_width, (x + width - 1) // tile_width + 1):
                frame = int(self._grid[row, column])
                if frame < 0:
                    continue  # sparse tiling: the scanner saw no tissue there
                left, right = max(x, column * tile_width), min(x + width, (column + 1) * tile_width)
                out[top - y : bottom - y, left - x : right - x] = self._frame(frame)[
                    top - row * tile_height : bottom - row * tile_height,
                    left - column * tile_width : right - column * tile_width,
                ]
        return out

    def check(self, x: int, y: int, width: int, height: int) -> None:
        tile_width, tile_height = self._tile
        wanted = self._grid[
            y // tile_height : (y + height - 1) // tile_height + 1,
            x // tile_width : (x + width - 1) // tile_width + 1,
        ]
        for index in {int(frame) for frame in wanted.flat if frame >= 0} - self._seen:
            self._refuse_broken(index, *self.frames.ends(index))
            self._seen.add(index)

    def _refuse_broken(self, index: int, head: bytes, tail: bytes) -> None:
        compression = JPEG if self._syntax in _JPEG else 34712 if self._syntax in _JPEG_2000 else 1
        broken = broken_stream(compression, head, tail)
        if broken:
            raise DamagedSlideError(self._path, f"frame {index + 1} cannot be decoded ({broken}); {_CURE}")

    def _frame(self, index: int) -> Pixels:
        with self._lock:
            if self._last is not None and self._last[0] == index:
                return self._last[1]
        pixels = self._decode(index)
        with self._lock:
            self._last = (index, pixels)
        return pixels

    def _decode(self, index: int) -> Pixels:
        data = self.frames.read(index)
        self._refuse_broken(index, data[:2], data[-64:])
        shape = (self._tile[1], self._tile[0], 3)
        try:
            if self._syntax in _PLAIN:
                pixels = np.frombuffer(data, np.uint8, shape[0] * shape[1] * 3).reshape(shape)
            elif self._syntax in _JPEG:
                marked = b"JFIF" in data[:32] or b"Adobe" in data[:1024]
                stored = "RGB" if self._photometric == "RGB" and not marked else None
                pixels = imagecodecs.jpeg8_decode(data, colorspace=stored, outcolorspace="RGB")
            else:
                pixels = imagecodecs.jpeg2k_decode(data)
            return np.asarray(pixels, np.uint8).reshape(shape)
        except (ValueError, imagecodecs.Jpeg8Error, imagecodecs.Jpeg2kError) as error:
            raise DamagedSlideError(
                self._path, f"frame {index + 1} cannot be decoded ({error}); {_CURE}"
            ) from error


def _grid(header: Any, tile: tuple[int, int], size: tuple[int, int], count: int) -> NDArray[np.int64]:
    """Frame index of each tile, (rows, columns); -1 where a sparse image has none."""
    across, down = -(-size[0] // tile[0]), -(-size[1] // tile[1])
    positions = header.get("PerFrameFunctionalGroupsSequence")
    if positions and "PlanePositionSlideSequence" in positions[0]:
        grid = np.full((down, across), -1, np.int64)
        for index, group in enumerate(positions):
            where = group.PlanePositionSlideSequence[0]
            column = (int(where.ColumnPositionInTotalImagePixelMatrix) - 1) // tile[0]
            row = (int(where.RowPositionInTotalImagePixelMatrix) - 1) // tile[1]
            if 0 <= row < down and 0 <= column < across:
                grid[row, column] = index
        return grid
    if count < across * down:
        raise ValueError(f"holds {count} of {across * down} frames")
    return np.arange(across * down, dtype=np.int64).reshape(down, across)
