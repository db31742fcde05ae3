"""Compressed tiles judged by their ends, because decoders pass over a cut stream in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError
from lowpower.slides._tiff import Segments, TiffLayout

__all__ = ["JPEG", "JPEG_2000", "TileGuard", "broken_stream"]

JPEG = 7
"""TIFF compression tag of JPEG."""
JPEG_2000 = frozenset({33003, 33004, 33005, 34712})
"""TIFF compression tags of JPEG 2000: Aperio's YCbCr, lossy, RGB, and the registered one."""

_TAIL = 64  # some writers pad after the end marker


def broken_stream(compression: int, head: bytes, tail: bytes) -> str | None:
    """What is wrong with a compressed tile, judged by its first 2 and last 64 bytes; None if nothing is."""
    name = {JPEG: "JPEG"}.get(compression, "JPEG 2000" if compression in JPEG_2000 else None)
    if name is None:
        return None
    starts = (b"\xff\xd8",) if compression == JPEG else (b"\xff\x4f", b"\x00\x00")
    if head not in starts:
        return f"it does not begin as a {name} stream"
    return None if b"\xff\xd9" in tail else f"its {name} stream is cut short"


class TileGuard:
    """Checks the tiles a library is about to decode, once each.

    fastslide waits for ever on a JPEG tile that does not decode and gives white for a JPEG 2000 one.
    """

    def __init__(self, path: Path, layout: TiffLayout) -> None:
        self._path = path
        self._levels: dict[tuple[int, int], Segments] = {
            (level.width, level.height): level for level in layout.levels
        }
        self._seen: dict[tuple[int, int], NDArray[np.bool_]] = {
            size: np.zeros(level.offsets.size, np.bool_) for size, level in self._levels.items()
        }

    def check(self, size: tuple[int, int], x: int, y: int, width: int, height: int) -> None:
        """Check the tiles of a rectangle of the level of this size.

        Raises:
            DamagedSlideError: naming the first that cannot be decoded.
        """
        level = self._levels.get(size)
        if level is None or int(level.page.compression) not in {JPEG, *JPEG_2000}:
            return
        seen = self._seen[size]
        columns = range(x // level.tile[0], (x + width - 1) // level.tile[0] + 1)
        rows = range(y // level.tile[1], (y + height - 1) // level.tile[1] + 1)
        indices = [row * level.across + column for row in rows for column in columns]
        new = [index for index in indices if not seen[index]]
        if not new:
            return
        with self._path.open("rb", buffering=0) as stream:
            for index in new:
                offset, count = int(level.offsets[index]), int(level.counts[index])
                stream.seek(offset)
                head = stream.read(2)
                stream.seek(offset + max(0, count - _TAIL))
                broken = broken_stream(int(level.page.compression), head, stream.read(min(count, _TAIL)))
                if broken:
                    where = f"tile {index} of its {level.width} x {level.height} level"
                    raise DamagedSlideError(
                        self._path, f"{where} cannot be decoded ({broken}); copy or export it again."
                    )
        seen[new] = True

    def close(self) -> None:
        """Nothing is held open."""
