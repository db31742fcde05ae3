"""Writing a pyramidal, tiled JPEG TIFF in strips: memory for a few rows of tiles, whatever the slide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from lowpower.files import atomic_path
from lowpower.simulate._images import shrunk

__all__ = ["TILE", "write_pyramid"]

TILE = 256
Rgb8: TypeAlias = NDArray[np.uint8]


class _Level:
    """One reduced level: collects strips, halves them, keeps encoded tiles."""

    def __init__(self, width: int, height: int, encode: Callable[[Rgb8], bytes]) -> None:
        self.width, self.height = width, height
        self.tiles: list[bytes] = []
        self._encode = encode
        self._waiting: list[Rgb8] = []
        self._rows = 0

    def add(self, strip: Rgb8) -> None:
        """Take the next rows of this level."""
        self._waiting.append(strip)
        self._rows += strip.shape[0]
        while self._rows >= TILE:
            rows = np.concatenate(self._waiting)
            self._flush(rows[:TILE])
            self._waiting, self._rows = [rows[TILE:]], self._rows - TILE

    def finish(self) -> None:
        """Write what is left."""
        if self._rows:
            self._flush(np.concatenate(self._waiting))
            self._waiting, self._rows = [], 0

    def _flush(self, rows: Rgb8) -> None:
        for left in range(0, self.width, TILE):
            self.tiles.append(self._encode(padded(rows[:, left : left + TILE])))


def padded(tile: Rgb8) -> Rgb8:
    """A tile at the right or lower border, filled up by repeating its last pixels."""
    down, right = TILE - tile.shape[0], TILE - tile.shape[1]
    return (
        np.pad(tile, ((0, down), (0, right), (0, 0)), "edge") if down or right else np.ascontiguousarray(tile)
    )


def _level_sizes(width: int, height: int, step: int) -> list[tuple[int, int]]:
    sizes = []
    while max(width, height) > 1024 and min(width, height) > 2 * step:
        width, height = width // step, height // step
        sizes.append((width, height))
    return sizes


def write_pyramid(
    path: Path,
    size: tuple[int, int],
    mpp: float,
    strips: Iterator[tuple[Rgb8, list[bytes]]],
    *,
    step: int,
    quality: int,
    subsampling: str,
    description: str,
) -> None:
    """Write a slide that OpenSlide, fastslide and tifffile open, with its resolution.

    Args:
        path: Where to.
        size: (width, height) of level 0 in pixels.
        mpp: Microns per pixel of level 0.
        strips: From top to bottom: rows of level 0 (a multiple of 256 of them, save the last), and the
            encoded 256 x 256 tiles of these rows, row by row.
        step: Each level is this much smaller than the one before.
        quality: JPEG quality of reduced levels.
        subsampling: JPEG chroma subsampling of all levels.
        description: Text of the ImageDescription tag.

    Raises:
        OutputError: if the file cannot be written.
    """

    def encode(tile: Rgb8) -> bytes:
        return bytes(imagecodecs.jpeg8_encode(tile, level=quality, subsampling=subsampling))

    levels = [_Level(width, height, encode) for width, height in _level_sizes(*size, step)]

    def base() -> Iterator[bytes]:
        for rows, tiles in strips:
            # Before the tiles go out: the writer takes exactly as many as it needs and never comes back.
            for level in levels:
                rows = shrunk(rows, step)
                level.add(rows)
            yield from tiles

    chroma = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}[subsampling]
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=True) as tiff:
        common: dict[str, Any] = {
            "tile": (TILE, TILE),
            "dtype": np.uint8,
            "photometric": "ycbcr",
            "compression": "jpeg",
            "subsampling": chroma,
            "resolutionunit": "CENTIMETER",
            "metadata": None,
            "software": "lowpower",
        }
        width, height = size
        tiff.write(
            base(),
            shape=(height, width, 3),
            resolution=(1e4 / mpp, 1e4 / mpp),
            description=description,
            **common,
        )
        for level in levels:
            level.finish()
            ratio = width / level.width
            tiff.write(
                iter(level.tiles), shape=(level.height, level.width, 3), subfiletype=1,
                resolution=(1e4 / (mpp * ratio), 1e4 / (mpp * ratio)), **common,
            )  # fmt: skip
