"""Colours to sRGB by the file's own ICC profile."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from lowpower.slides._reader import Pixels

__all__ = ["ColourTransform", "colour_transform", "unusable_profile"]

_CHUNK_PIXELS = 1 << 22


class ColourTransform:
    """Converts device RGB to sRGB; safe in threads."""

    def __init__(self, transform: ImageCms.ImageCmsTransform) -> None:
        self._transform = transform

    def apply(self, pixels: Pixels) -> None:
        """Convert (H, W, 3) in place, some rows at a time."""
        rows = max(1, _CHUNK_PIXELS // max(1, pixels.shape[1]))
        for top in range(0, pixels.shape[0], rows):
            part = Image.fromarray(np.ascontiguousarray(pixels[top : top + rows]))
            converted = ImageCms.applyTransform(part, self._transform)
            if converted is not None:
                pixels[top : top + rows] = np.asarray(converted)


def colour_transform(profile: bytes | None) -> ColourTransform | None:
    """A transform to sRGB, or None if there is no usable RGB profile or it is sRGB already."""
    if not profile:
        return None
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB" or "sRGB" in ImageCms.getProfileDescription(source):
            return None
        transform = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), "RGB", "RGB", ImageCms.Intent.PERCEPTUAL
        )
    except (ImageCms.PyCMSError, OSError):
        return None
    return ColourTransform(transform)


def unusable_profile(profile: bytes | None) -> tuple[str, ...]:
    """What a user should know of a colour profile that is there and cannot be read."""
    if not profile:
        return ()
    try:
        ImageCms.getOpenProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError):
        return ("its colour profile cannot be read; colours are taken as they are stored.",)
    return ()
