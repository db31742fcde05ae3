"""fastslide: the first choice for scanners' own formats, in processes that can be ended."""

from __future__ import annotations

from pathlib import Path

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides._damage import DamageLog
from lowpower.slides._reader import MppClaim, Pixels, Stored, inside_canvas, join_claims, mirax_files
from lowpower.slides.tiff import TiffLayout
from lowpower.slides.vendor._guard import TileGuard
from lowpower.slides.vendor._killable import KillableSlide, StoppedError

__all__ = ["FastSlideReader"]

_BAND_ROWS = 256


class FastSlideReader:
    """Reads through fastslide.

    Args:
        path: The slide.
        layout: Its TIFF directories, where it is a TIFF: they name tiles to check before decoding.

    Raises:
        NotASlideError: if fastslide does not open it, or cannot decode a pixel of it.
        DamagedSlideError: if the first tile is broken.
    """

    backend = "fastslide"

    def __init__(self, path: Path, layout: TiffLayout | None = None) -> None:
        self._path = path
        self._guard = None if layout is None else TileGuard(path, layout)
        self.damage = DamageLog() if self._guard is None else self._guard.damage
        try:
            self._slide = KillableSlide(path)
        except (StoppedError, ValueError) as error:
            raise NotASlideError(path, f"is not opened by fastslide ({_first_line(error)}).") from error
        try:
            self.stored = self._describe(layout)
        except ValueError as error:
            self._slide.close()
            raise NotASlideError(path, f"is not opened by fastslide ({_first_line(error)}).") from error
        try:
            # fastslide opens some files that it cannot decode; the corner of the smallest level tells.
            self.read(len(self.stored.sizes) - 1, 0, 0, 1, 1)
        except DamagedSlideError as error:
            self._slide.close()
            if error.__cause__ is None:  # the guard's own verdict
                raise
            raise NotASlideError(path, f"is not decoded by fastslide ({error}).") from error

    def _describe(self, layout: TiffLayout | None) -> Stored:
        facts = self._slide.facts
        sizes = tuple((width, height) for width, height in facts["sizes"])
        if not sizes or facts["dtype"] != "uint8" or facts["channels"] != 3:
            raise ValueError(f"{len(sizes)} levels of {facts['channels']} channels, {facts['dtype']}")
        if layout is not None and layout.kind != "vendor" and sizes != layout.sizes:
            raise ValueError(f"it reads the levels {sizes}, the file declares {layout.sizes}")
        x, y, width, height = facts["bounds"]
        rows = {(s.width, s.height): s.tile[1] for s in layout.levels} if layout is not None else {}
        mpp_x, mpp_y = facts["mpp"]
        claims: tuple[MppClaim, ...] = (
            (MppClaim("openslide.mpp-x", mpp_x, mpp_y),) if mpp_x > 0 and mpp_y > 0 else ()
        )
        tried: tuple[str, ...] = ("openslide.mpp-x",)
        if layout is not None:
            claims, tried = join_claims(claims, tried, layout.stored, vendor=layout.kind == "vendor")
        return Stored(
            sizes=sizes,
            rows=tuple(rows.get(size, _BAND_ROWS) for size in sizes),
            bounds=inside_canvas(x, y, width, height, sizes[0]),
            claims=claims,
            keys_tried=tried,
            unusable=() if layout is None else layout.stored.unusable,
            associated=tuple(facts["associated"]),
            vendor=facts["format"].lower(),
            scanner=facts["scanner"],
            icc=None if facts["icc"] is None else bytes.fromhex(facts["icc"]),
            files=mirax_files(self._path),
            notes=() if layout is None else layout.stored.notes,
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels, (height, width, 3)."""
        size = self.stored.sizes[level]
        damaged = [] if self._guard is None else self._guard.check(size, x, y, width, height)
        try:
            pixels = self._slide.read_region(level, x, y, width, height)
        except (StoppedError, ValueError) as error:
            problem = f"pixels of level {level} cannot be decoded ({_first_line(error)})"
            raise DamagedSlideError(self._path, f"{problem}; copy or export it again.") from error
        if pixels.shape != (height, width, 3):
            problem = f"level {level} gave {pixels.shape[1]} x {pixels.shape[0]} of {width} x {height} pixels"
            raise DamagedSlideError(self._path, f"{problem}; copy or export it again.")
        return pixels if self._guard is None else self._guard.blank(size, damaged, x, y, pixels)

    def associated(self, name: str) -> Pixels:
        """One associated image."""
        try:
            return self._slide.associated(name)
        except (StoppedError, ValueError) as error:
            problem = f"its {name} image cannot be decoded ({_first_line(error)})"
            raise DamagedSlideError(self._path, f"{problem}; copy or export it again.") from error

    def close(self) -> None:
        """Release the file."""
        self._slide.close()


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
