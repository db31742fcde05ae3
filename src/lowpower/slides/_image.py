"""Plain images: a PNG, JPEG, BMP or TIFF field of view, decoded whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from lowpower.errors import NotASlideError
from lowpower.slides._reader import Pixels, Stored
from lowpower.units import Box

__all__ = ["ImageReader"]


class ImageReader:
    """Reads a field of view.

    Raises:
        NotASlideError: if it is no image.
    """

    backend = "image"

    def __init__(self, path: Path) -> None:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.fromfile(path, np.uint8), flags)
        if image is None:
            raise NotASlideError(path, "is no slide or image format that can be read; give a slide file.")
        self._image = np.asarray(image, np.uint8)
        height, width = image.shape[:2]
        self.stored = Stored(sizes=((width, height),), rows=(256,), bounds=Box(0, 0, width, height))

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Pixels, (height, width, 3)."""
        return self._image[y : y + height, x : x + width]

    def associated(self, name: str) -> Pixels:
        """Plain images have none."""
        raise KeyError(name)

    def close(self) -> None:
        """Nothing is held open."""
