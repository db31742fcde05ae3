"""Tiles whose decoder warned, named: what is known of a slide's damage so far."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from lowpower.units import Box

__all__ = ["DamageLog", "DamagedTile"]


@dataclass(frozen=True)
class DamagedTile:
    """A tile that its decoder could only decode with a warning. It is read as glass.

    Attributes:
        level: Index of its level, 0 the finest.
        index: Its number in the level, row by row from 0.
        name: The tile and its level, in words.
        reason: The decoder's warning.
        box: The part of the slide it covers, base pixels.
    """

    level: int
    index: int
    name: str
    reason: str
    box: Box


class DamageLog:
    """Damaged tiles seen by one reader; safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tiles: dict[tuple[int, int], DamagedTile] = {}

    def add(self, tile: DamagedTile) -> None:
        """Remember a tile; seeing it again changes nothing."""
        with self._lock:
            self._tiles.setdefault((tile.level, tile.index), tile)

    def tiles(self) -> tuple[DamagedTile, ...]:
        """By level and number, whatever the order they were seen in."""
        with self._lock:
            return tuple(self._tiles[key] for key in sorted(self._tiles))


def tile_box(
    index: int, across: int, tile: tuple[int, int], size: tuple[int, int], base: tuple[int, int]
) -> Box:
    """What tile `index` of a level covers, base pixels.

    Args:
        index: Row by row from 0.
        across: Tiles in a row.
        tile: (width, height) of a tile, level pixels.
        size: (width, height) of the level.
        base: (width, height) of level 0.
    """
    row, column = divmod(index, across)
    x_factor, y_factor = base[0] / size[0], base[1] / size[1]
    left, top = int(column * tile[0] * x_factor), int(row * tile[1] * y_factor)
    right = min(base[0], -int(-(column + 1) * tile[0] * x_factor // 1))
    bottom = min(base[1], -int(-(row + 1) * tile[1] * y_factor // 1))
    return Box(min(left, base[0] - 1), min(top, base[1] - 1), max(1, right - left), max(1, bottom - top))
