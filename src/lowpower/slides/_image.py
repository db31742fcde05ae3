"""Plain images: a PNG, JPEG or BMP field of view, decoded whole. EXIF orientation is not applied."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from lowpower.errors import DamagedSlideError, NotASlideError
from lowpower.slides._damage import DamageLog
from lowpower.slides._reader import Pixels, Stored, on_white
from lowpower.units import Box

__all__ = ["ImageReader"]

_REFUSED = {"1": "black and white", "L": "greyscale", "LA": "greyscale", "CMYK": "CMYK", "YCbCr": "YCbCr"}
_REFUSED |= {"I": "greyscale", "I;16": "16-bit greyscale", "I;16B": "16-bit greyscale", "F": "float"}


class ImageReader:
    """Reads a field of view.

    Raises:
        NotASlideError: if it is no image, too large to decode whole, or not in colour.
        DamagedSlideError: if it is cut short or corrupt.
    """

    backend = "image"

    def __init__(self, path: Path) -> None:
        self.damage = DamageLog()  # a picture is one tile: a warning refuses it
        data = path.read_bytes()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError as error:
            raise NotASlideError(
                path, "holds more pixels than a plain image is decoded for; save it as a tiled TIFF."
            ) from error
        except (OSError, ValueError, SyntaxError) as error:
            problem = "is cut short or corrupt; copy or save it again."
            raise DamagedSlideError(path, problem) from error
        width, height = image.size
        if image.mode in _REFUSED:
            raise NotASlideError(path, f"is {_REFUSED[image.mode]}; an IHC slide needs 8-bit RGB colour.")
        self._image = _decode(path, data, image)
        self.stored = Stored(
            sizes=((width, height),),
            rows=(256,),
            bounds=Box(0, 0, width, height),
            icc=image.info.get("icc_profile") or None,
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Pixels, (height, width, 3)."""
        return self._image[y : y + height, x : x + width]

    def associated(self, name: str) -> Pixels:
        """Plain images have none."""
        raise KeyError(name)

    def close(self) -> None:
        """Nothing is held open."""


def _decode(path: Path, data: bytes, image: Image.Image) -> Pixels:
    if image.format == "JPEG":
        # In the image data 0xff is always escaped, so these two can only be markers; an end marker before
        # the last start of scan belongs to an embedded preview.
        if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
            raise DamagedSlideError(path, "its JPEG data are cut short; copy or save it again.")
        try:
            pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
        except ValueError as error:
            raise DamagedSlideError(path, f"is damaged ({error}); copy or save it again.") from error
        return np.asarray(pixels, np.uint8)
    try:
        # PIL knows palettes and transparency.
        converted = image.convert("RGBA" if "A" in image.mode or "transparency" in image.info else "RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise DamagedSlideError(path, f"cannot be decoded ({error}); copy or save it again.") from error
    pixels = np.array(converted, np.uint8)
    return on_white(pixels) if pixels.shape[2] == 4 else pixels
