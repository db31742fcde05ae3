"""fastslide: the first choice. Thread-safe, C++, decodes one large region on several threads by itself."""

from __future__ import annotations

from pathlib import Path

import fastslide
import numpy as np

from lowpower.errors import DamagedSlideError
from lowpower.slides._reader import MppClaim, Pixels, Stored
from lowpower.units import Box

__all__ = ["FastSlideReader"]

_CACHE_BYTES = 64 << 20
_MPP_KEYS = {"Aperio": "aperio.MPP", "Generic TIFF": "tiff.ResolutionUnit", "OME-TIFF": "ome.PhysicalSizeX"}


class FastSlideReader:
    """Reads through fastslide.

    Raises:
        DamagedSlideError: if the library opens it without levels.
    """

    backend = "fastslide"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slide = fastslide.FastSlide.from_file_path(path, cache=_CACHE_BYTES)
        sizes = tuple((int(width), int(height)) for width, height in self._slide.level_dimensions)
        if not sizes:
            raise DamagedSlideError(path, "holds no readable level; copy or export it again.")
        (x, y), (width, height) = self._slide.bounds
        key = _MPP_KEYS.get(self._slide.format, "openslide.mpp-x")
        mpp_x, mpp_y = self._slide.mpp
        self.stored = Stored(
            sizes=sizes,
            rows=(256,) * len(sizes),
            bounds=Box(int(x), int(y), int(width), int(height)),
            claims=(MppClaim(key, mpp_x, mpp_y),) if mpp_x > 0 and mpp_y > 0 else (),
            keys_tried=(key,),
            associated=tuple(sorted(self._slide.associated_images.keys())),
            vendor=str(self._slide.format).lower(),
            scanner=self._slide.properties.get("scanner_id") or None,
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels, (height, width, 3)."""
        try:
            image = self._slide.read_region((x, y), level, (width, height))
        except (RuntimeError, ValueError) as error:
            problem = str(error).splitlines()[0]
            raise DamagedSlideError(
                self._path, f"pixels at level {level} cannot be decoded ({problem}); copy or export it again."
            ) from error
        return np.asarray(image.numpy())

    def associated(self, name: str) -> Pixels:
        """One associated image."""
        return np.array(self._slide.associated_images[name].numpy())

    def close(self) -> None:
        """Release the file."""
        self._slide.close()
