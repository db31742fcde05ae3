"""DICOM whole-slide frames without the strictness of the libraries: what only pydicom can still read."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, NotASlideError, SlideError
from lowpower.slides._cache import TileCache
from lowpower.slides._codec import JPEG, UndecodableError, broken_stream, decode_jpeg, decode_jpeg2000
from lowpower.slides._damage import DamagedTile, DamageLog, tile_box
from lowpower.slides._dicom_series import KEYS, Instance
from lowpower.slides._dicom_stream import Frames
from lowpower.slides._padding import GLASS
from lowpower.slides._reader import Pixels, Stored
from lowpower.units import Box

__all__ = ["FrameReader", "describe"]

_JPEG = {"1.2.840.10008.1.2.4.50"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
_PLAIN = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}
_JPEG_2000_TAG = 34712
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
        self.damage = DamageLog()
        try:
            for number, instance in enumerate(volumes):
                base = (volumes[0].width, volumes[0].height)
                self._levels.append(_Level(instance, number, base, self.damage))
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
        instance = self._extra[name]
        level = _Level(instance, 0, (instance.width, instance.height), DamageLog())
        try:
            return level.read(0, 0, level.width, level.height)
        finally:
            level.frames.close()

    def close(self) -> None:
        """Release the files."""
        for level in self._levels:
            level.frames.close()


class _Level:
    def __init__(self, instance: Instance, number: int, base: tuple[int, int], damage: DamageLog) -> None:
        self._number, self._base, self._damage = number, base, damage
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
        self._cache = TileCache()

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
                tile = row * self._grid.shape[1] + column
                part = right - left < tile_width or bottom - top < tile_height
                pixels = self._cache.get(frame, functools.partial(self._decode, frame, tile), keep=part)
                out[top - y : bottom - y, left - x : right - x] = pixels[
                    top - row * tile_height : bottom - row * tile_height,
                    left - column * tile_width : right - column * tile_width,
                ]
        return out

    def _decode(self, frame: int, tile: int) -> Pixels:
        data = self.frames.read(frame)
        width, height = self._tile
        try:
            if self._syntax in _PLAIN:
                return np.frombuffer(data, np.uint8, height * width * 3).reshape(height, width, 3)
            compression = JPEG if self._syntax in _JPEG else _JPEG_2000_TAG
            broken = broken_stream(compression, data[:2], data[-64:])
            if broken:
                raise UndecodableError(broken)
            if self._syntax in _JPEG:
                marked = b"JFIF" in data[:32] or b"Adobe" in data[:1024]
                stored = self._photometric == "RGB" and not marked
                pixels, warning = decode_jpeg(data, self._tile, stored_as_rgb=stored)
            else:
                pixels, warning = decode_jpeg2000(data, self._tile)
            if pixels.shape != (height, width, 3):
                raise UndecodableError(f"it holds {pixels.shape[1]} x {pixels.shape[0]} px")
        except ValueError as error:
            raise DamagedSlideError(
                self._path, f"frame {frame + 1} cannot be decoded ({error}); {_CURE}"
            ) from error
        if warning is None:
            return pixels
        name = f"frame {frame + 1} of its {self.width} x {self.height} image"
        box = tile_box(tile, self._grid.shape[1], self._tile, (self.width, self.height), self._base)
        self._damage.add(DamagedTile(self._number, tile, name, warning, box))
        return np.full((height, width, 3), GLASS, np.uint8)


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
