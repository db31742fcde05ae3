"""wsidicom: DICOM whole-slide series that neither fastslide nor OpenSlide opens."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import wsidicom
from PIL import Image

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides._damage import DamageLog
from lowpower.slides._reader import Pixels
from lowpower.slides.dicom._dicom_frames import describe
from lowpower.slides.dicom._dicom_levels import DicomSlide

__all__ = ["WsiDicomReader"]

logging.getLogger("wsidicom").addHandler(logging.NullHandler())


class WsiDicomReader:
    """Reads through wsidicom.

    Raises:
        NotASlideError: if wsidicom does not open the series.
    """

    backend = "wsidicom"

    def __init__(self, path: Path, slide: DicomSlide) -> None:
        self._path = path
        self.damage = DamageLog()
        try:
            with pydicom.config.disable_value_validation(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._slide = wsidicom.WsiDicom.open(list(slide.files))
                levels = sorted(self._slide.levels, key=lambda level: level.level)
        except Exception as error:  # wsidicom's errors share no base class
            raise NotASlideError(path, f"is not opened by wsidicom ({error}).") from error
        self._levels = [int(level.level) for level in levels]
        self.stored = replace(
            describe(slide),
            sizes=tuple((int(level.size.width), int(level.size.height)) for level in levels),
            rows=tuple(int(level.tile_size.height) for level in levels),
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Stored pixels, (height, width, 3)."""
        try:
            region = self._slide.read_region((x, y), self._levels[level], (width, height))
        except Exception as error:  # and those of the decoders it picks
            problem = f"pixels of level {level} cannot be decoded ({error})"
            raise DamagedSlideError(self._path, f"{problem}; copy or export it again.") from error
        return _array(region)

    def associated(self, name: str) -> Pixels:
        """One associated image."""
        read = {"label": self._slide.read_label, "overview": self._slide.read_overview}
        return _array(read.get(name, self._slide.read_thumbnail)())

    def close(self) -> None:
        """Release the files."""
        self._slide.close()


def _array(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"), np.uint8)
