"""DICOM whole-slide frames without the strictness of the libraries: what only pydicom can still read."""

from __future__ import annotations

import functools

import numpy as np

from lowpower.errors import DamagedSlideError, NotASlideError, SlideError
from lowpower.slides._cache import TileCache
from lowpower.slides._codec import (
    JPEG,
    Decoded,
    UndecodableError,
    broken_stream,
    decode_jpeg,
    decode_jpeg2000,
)
from lowpower.slides._damage import DamagedTile, DamageLog, tile_box
from lowpower.slides._padding import GLASS
from lowpower.slides._reader import Pixels, Stored
from lowpower.slides.dicom._dicom_instance import KEYS, Instance
from lowpower.slides.dicom._dicom_levels import ChosenLevel, DicomSlide
from lowpower.slides.dicom._dicom_stream import Frames
from lowpower.units import Box

__all__ = ["FrameReader", "describe"]

_JPEG = {"1.2.840.10008.1.2.4.50"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
_PLAIN = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}
_JPEG_2000_TAG = 34712
_CURE = "copy or export it again."


def describe(slide: DicomSlide) -> Stored:
    """What a series says of itself, for whichever library reads it."""
    base = slide.levels[0].parts[0]
    return Stored(
        sizes=tuple(level.size for level in slide.levels),
        rows=tuple(level.parts[0].tile[1] for level in slide.levels),
        bounds=Box(0, 0, *slide.levels[0].size),
        claims=base.claims,
        keys_tried=KEYS,
        associated=tuple(sorted(slide.extras)),
        vendor=base.vendor[0],
        scanner=base.vendor[1],
        icc=base.icc,
        files=slide.files,
        scenes=slide.scenes,
        scene=slide.scene,
        planes=slide.planes,
        plane=slide.plane,
        notes=slide.notes,
    )


class FrameReader:
    """Reads tiled frames one by one.

    Raises:
        NotASlideError: if the frames are not 8-bit RGB in a known coding.
        DamagedSlideError: if frames are missing or the file is cut short.
    """

    backend = "pydicom"

    def __init__(self, slide: DicomSlide) -> None:
        self._levels: list[_Level] = []
        self.damage = DamageLog()
        try:
            for number, chosen in enumerate(slide.levels):
                self._levels.append(_Level(chosen, number, slide.levels[0].size, self.damage))
        except SlideError:
            self.close()
            raise
        self._extra = slide.extras
        self.stored = describe(slide)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels, (height, width, 3)."""
        return self._levels[level].read(x, y, width, height)

    def associated(self, name: str) -> Pixels:
        """One associated image."""
        instance = self._extra[name]
        across, down = instance.grid
        if across * down > instance.frames:
            raise DamagedSlideError(instance.path, f"its {name} image lacks frames; {_CURE}")
        frames = np.zeros((down, across, 2), np.int64)
        frames[..., 1] = np.arange(across * down).reshape(down, across)
        level = _Level(ChosenLevel((instance,), frames), 0, (instance.width, instance.height), DamageLog())
        try:
            return level.read(0, 0, level.width, level.height)
        finally:
            level.close()

    def close(self) -> None:
        """Release the files."""
        for level in self._levels:
            level.close()


class _Level:
    def __init__(self, chosen: ChosenLevel, number: int, base: tuple[int, int], damage: DamageLog) -> None:
        self._number, self._base, self._damage = number, base, damage
        self.width, self.height = chosen.size
        self._tile = chosen.parts[0].tile
        self._grid = chosen.frames
        self._parts: list[_Part] = []
        try:
            for instance in chosen.parts:
                self._parts.append(_Part(instance))
        except SlideError:
            self.close()
            raise
        self._cache = TileCache()

    def close(self) -> None:
        for part in self._parts:
            part.frames.close()

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        tile_width, tile_height = self._tile
        out = np.full((height, width, 3), 255, np.uint8)
        for row in range(y // tile_height, (y + height - 1) // tile_height + 1):
            top, bottom = max(y, row * tile_height), min(y + height, (row + 1) * tile_height)
            for column in range(x // tile_width, (x + width - 1) // tile_width + 1):
                where = (int(self._grid[row, column, 0]), int(self._grid[row, column, 1]))
                if where[0] < 0:
                    continue  # sparse tiling: the scanner saw no tissue there
                left, right = max(x, column * tile_width), min(x + width, (column + 1) * tile_width)
                tile = row * self._grid.shape[1] + column
                part = right - left < tile_width or bottom - top < tile_height
                pixels = self._cache.get(where, functools.partial(self._decode, where, tile), keep=part)
                out[top - y : bottom - y, left - x : right - x] = pixels[
                    top - row * tile_height : bottom - row * tile_height,
                    left - column * tile_width : right - column * tile_width,
                ]
        return out

    def _decode(self, where: tuple[int, int], tile: int) -> Pixels:
        part, frame = where
        pixels, warning = self._parts[part].decode(frame)
        if warning is None:
            return pixels
        name = f"frame {frame + 1} of its {self.width} x {self.height} image"
        box = tile_box(tile, self._grid.shape[1], self._tile, (self.width, self.height), self._base)
        self._damage.add(DamagedTile(self._number, tile, name, warning, box))
        return np.full(pixels.shape, GLASS, np.uint8)


class _Part:
    """The frames of one file."""

    def __init__(self, instance: Instance) -> None:
        self._path = instance.path
        self._tile = instance.tile
        self._syntax, self._photometric, planar = instance.coding
        self._planar = planar == 1
        if instance.depth_of_colour != (8, 3):
            raise NotASlideError(instance.path, "is not 8-bit RGB; an IHC slide needs colour.")
        if self._syntax not in _JPEG | _JPEG_2000 | _PLAIN:
            raise NotASlideError(
                instance.path, f"has frames in a coding that is not read here ({self._syntax})."
            )
        if self._syntax in _PLAIN and self._photometric != "RGB":
            raise NotASlideError(
                instance.path, f"stores {self._photometric} without compression; convert it to RGB."
            )
        self.frames = Frames(instance.path, instance.frames, self._tile[0] * self._tile[1] * 3)

    def decode(self, frame: int) -> Decoded:
        """Pixels, (height, width, 3), and the decoder's warning.

        Raises:
            DamagedSlideError: if no pixels come out.
        """
        data = self.frames.read(frame)
        width, height = self._tile
        try:
            if self._syntax in _PLAIN:
                plain = np.frombuffer(data, np.uint8, height * width * 3)
                if self._planar:
                    return np.moveaxis(plain.reshape(3, height, width), 0, 2), None
                return plain.reshape(height, width, 3), None
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
        return pixels, warning
