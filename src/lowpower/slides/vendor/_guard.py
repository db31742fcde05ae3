"""Tiles of a vendor's TIFF decoded once for their faults, before a library reads them without a word."""

from __future__ import annotations

from pathlib import Path

from lowpower.errors import DamagedSlideError
from lowpower.slides._codec import JPEG, JPEG_2000, UndecodableError, decode_segment
from lowpower.slides._damage import DamagedTile, DamageLog, tile_box
from lowpower.slides._padding import GLASS
from lowpower.slides._reader import Pixels
from lowpower.slides.tiff import Segments, TiffLayout

__all__ = ["TileGuard"]


class TileGuard:
    """Looks at the tiles that a library is about to decode, once each.

    fastslide waits for ever on a JPEG tile that does not decode and gives white for a JPEG 2000 one; neither
    it nor OpenSlide says what their decoders warned of.
    """

    def __init__(self, path: Path, layout: TiffLayout) -> None:
        self._path = path
        self._base = layout.sizes[0]
        self._levels = {
            (level.width, level.height): (number, level)
            for number, level in enumerate(layout.levels)
            if int(level.page.compression) in {JPEG, *JPEG_2000}
        }
        self._sound: set[tuple[int, int]] = set()
        self.damage = DamageLog()

    def check(self, size: tuple[int, int], x: int, y: int, width: int, height: int) -> list[tuple[int, int]]:
        """Look at the tiles of a rectangle of the level of this size.

        Returns:
            Upper left corners, level pixels, of those whose decoder warned.

        Raises:
            DamagedSlideError: naming the first that cannot be decoded.
        """
        if size not in self._levels:
            return []
        number, level = self._levels[size]
        damaged = []
        with self._path.open("rb", buffering=0) as stream:
            for row in range(y // level.tile[1], (y + height - 1) // level.tile[1] + 1):
                for column in range(x // level.tile[0], (x + width - 1) // level.tile[0] + 1):
                    index = row * level.across + column
                    if (number, index) in self._sound or level.counts[index] == 0:
                        continue
                    stream.seek(int(level.offsets[index]))
                    if self._warns(number, level, index, stream.read(int(level.counts[index]))):
                        damaged.append((column * level.tile[0], row * level.tile[1]))
                    else:
                        self._sound.add((number, index))
        return damaged

    def blank(
        self, size: tuple[int, int], corners: list[tuple[int, int]], x: int, y: int, pixels: Pixels
    ) -> Pixels:
        """`pixels`, read from (x, y) of the level of this size, with glass in place of these tiles."""
        if not corners:
            return pixels
        pixels = pixels.copy()
        width, height = self._levels[size][1].tile
        for left, top in corners:
            pixels[
                max(0, top - y) : max(0, top - y + height), max(0, left - x) : max(0, left - x + width)
            ] = GLASS
        return pixels

    def _warns(self, number: int, level: Segments, index: int, data: bytes) -> bool:
        name = f"tile {index} of its {level.width} x {level.height} level"
        header = level.page.jpegheader
        if header is not None:  # Hamamatsu: the tiles are one stream's restart intervals
            data = header + (data[:-2] if data[-2:-1] == b"\xff" else data) + b"\xff\xd9"
        try:
            _, warning = decode_segment(level.page, data, index, level.tile)
        except UndecodableError as error:
            raise DamagedSlideError(
                self._path, f"{name} cannot be decoded ({error}); copy or export it again."
            ) from None
        if warning is not None:
            box = tile_box(index, level.across, level.tile, (level.width, level.height), self._base)
            self.damage.add(DamagedTile(number, index, name, warning, box))
        return warning is not None
