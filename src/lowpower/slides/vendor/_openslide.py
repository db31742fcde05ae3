"""OpenSlide: behind fastslide, for what that does not open or opens wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import openslide

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides._damage import DamageLog
from lowpower.slides._reader import (
    MppClaim,
    Pixels,
    Stored,
    inside_canvas,
    join_claims,
    mirax_files,
    on_white,
)
from lowpower.slides.tiff import TiffLayout
from lowpower.slides.vendor._guard import TileGuard

__all__ = ["OpenSlideReader"]

_CACHE_BYTES = 64 << 20


class OpenSlideReader:
    """Reads through OpenSlide; what it leaves transparent (nothing was scanned there) is white.

    Args:
        path: The slide.
        layout: Its TIFF directories, where it is a TIFF: their um/px go before OpenSlide's.
        about: What is known of the file already; it goes before what OpenSlide says.

    Raises:
        NotASlideError: if OpenSlide knows no such format.
        DamagedSlideError: if it knows the format and cannot open the file.
    """

    backend = "openslide"

    def __init__(self, path: Path, layout: TiffLayout | None = None, about: Stored | None = None) -> None:
        self._path = path
        self._guard = None if layout is None else TileGuard(path, layout)
        self.damage = DamageLog() if self._guard is None else self._guard.damage
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideUnsupportedFormatError as error:
            raise NotASlideError(path, "is not opened by OpenSlide.") from error
        except openslide.OpenSlideError as error:
            raise DamagedSlideError(path, f"cannot be opened ({error}); copy or export it again.") from error
        self._slide.set_cache(openslide.OpenSlideCache(_CACHE_BYTES))
        properties = self._slide.properties
        sizes = tuple(self._slide.level_dimensions)
        x, y, width, height = (
            int(properties.get(f"openslide.bounds-{side}", default))
            for side, default in zip(("x", "y", "width", "height"), (0, 0, *sizes[0]), strict=True)
        )
        mpp_x, mpp_y = (_number(properties.get(f"openslide.mpp-{axis}")) for axis in "xy")
        claims: tuple[MppClaim, ...] = (
            () if mpp_x is None or mpp_y is None else (MppClaim("openslide.mpp-x", mpp_x, mpp_y),)
        )
        tried: tuple[str, ...] = ("openslide.mpp-x",)
        unusable: tuple[tuple[str, str], ...] = ()
        if layout is not None:
            if layout.kind != "vendor" and sizes != layout.sizes:
                self._slide.close()
                raise NotASlideError(path, "is read by OpenSlide with other levels than it declares.")
            claims, tried = join_claims(claims, tried, layout.stored, vendor=layout.kind == "vendor")
            unusable = layout.stored.unusable
        stored = Stored(
            sizes=sizes,
            rows=tuple(
                int(properties.get(f"openslide.level[{i}].tile-height", 256)) for i in range(len(sizes))
            ),
            bounds=inside_canvas(x, y, width, height, sizes[0]),
            claims=claims,
            keys_tried=tried,
            unusable=unusable,
            associated=tuple(sorted(self._slide.associated_images)),
            vendor=properties.get("openslide.vendor"),
            scanner=properties.get("aperio.ScanScope ID") or properties.get("hamamatsu.Product"),
            icc=_profile(self._slide),
            files=mirax_files(path),
            notes=() if layout is None else layout.stored.notes,
        )
        self.stored = stored if about is None else replace(about, sizes=sizes, rows=stored.rows)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels, (height, width, 3)."""
        size = self.stored.sizes[level]
        damaged = [] if self._guard is None else self._guard.check(size, x, y, width, height)
        try:
            factor = self._slide.level_downsamples[level]
            region = self._slide.read_region((round(x * factor), round(y * factor)), level, (width, height))
        except openslide.OpenSlideError as error:
            problem = f"pixels of level {level} cannot be decoded ({error})"
            raise DamagedSlideError(self._path, f"{problem}; copy or export it again.") from error
        pixels = np.asarray(region)
        pixels = on_white(pixels) if pixels[..., 3].min() < 255 else pixels[..., :3]
        return pixels if self._guard is None else self._guard.blank(size, damaged, x, y, pixels)

    def associated(self, name: str) -> Pixels:
        """One associated image."""
        try:
            return on_white(np.asarray(self._slide.associated_images[name]))
        except openslide.OpenSlideError as error:
            problem = f"its {name} image cannot be decoded ({error})"
            raise DamagedSlideError(self._path, f"{problem}; copy or export it again.") from error

    def close(self) -> None:
        """Release the file."""
        self._slide.close()


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _profile(slide: openslide.OpenSlide) -> bytes | None:
    profile = slide.color_profile
    return None if profile is None else bytes(profile.tobytes())
