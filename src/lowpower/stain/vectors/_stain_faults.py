"""What is wrong with a slide's stain: grey, dark field, H&E, weak, brown all over."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.stain.vectors._look import StainLook, every_so_many, looks_like
from lowpower.stain.vectors._optical_density import RUIFROK_DAB, RUIFROK_H, optical_density, unmix
from lowpower.stain.vectors._vectors import StainVectors
from lowpower.tissue import CHECKS, QCFlag

__all__ = ["STAIN_CODES", "stain_quality", "vector_quality"]

STAIN_CODES: Final = frozenset({"greyscale", "dark_field", "unexpected_stain"})
"""Flags that say: this is no haematoxylin and DAB in bright field."""

_MOST_PIXELS = 200_000


def stain_quality(
    rgb: NDArray[np.uint8], mask: NDArray[np.bool_], white_point: ArrayLike, look: StainLook | None = None
) -> tuple[QCFlag, ...]:
    """Judge the stain of a low-resolution image; thresholds stand in `lowpower.tissue.CHECKS`.

    Args:
        rgb: (H, W, 3) uint8, 4 to 8 um/px.
        mask: (H, W) bool, the tissue.
        white_point: (3,) RGB of the slide's glass.
        look: What `looks_like` said of it; asked if None.

    Returns:
        Flags, the first that refuses alone: what is grey need not be called weak too.

    Raises:
        ValueError: if shapes do not fit.
    """
    look = looks_like(rgb, mask, white_point) if look is None else look
    pixels = every_so_many(rgb, mask, _MOST_PIXELS)
    if len(pixels) == 0:
        return ()
    brightness = float(np.median(pixels.max(axis=1)))
    colour = float(np.percentile(np.ptp(pixels.astype(np.int16), axis=1), 99))
    od = optical_density(pixels, white_point)
    brown = np.maximum(unmix(od, np.stack([RUIFROK_H, RUIFROK_DAB]))[:, 1], 0.0)
    darkness = od.mean(axis=1)
    palest = brown[darkness <= np.quantile(darkness, 0.25)]
    values = {
        "dark_field": (brightness, f"the tissue is dark (median {brightness:.0f} of 255): fluorescence?"),
        "greyscale": (colour, "the image is greyscale: brown cannot be told from blue."),
        "unexpected_stain": (float(look.kind == "h-e"), f"looks like H&E ({look.why})."),
        "weak_stain": _weak(darkness),
        "high_background": _background(float(palest.mean())),
    }
    flags = []
    for code, (value, message) in values.items():
        effect = CHECKS[code].effect(value)
        if effect == "refuse":
            return (QCFlag(code, message, effect),)
        if effect is not None:
            flags.append(QCFlag(code, message, effect))
    return tuple(flags)


def vector_quality(vectors: StainVectors) -> tuple[QCFlag, ...]:
    """Judge whether a slide's two stains can be told apart: the closer, the more unmixing makes of noise."""
    apart = vectors.apart
    effect = CHECKS["alike_stains"].effect(apart)
    if effect is None:
        return ()
    message = f"haematoxylin and DAB look alike here ({apart:.0f} degrees apart): how brown is uncertain."
    return (QCFlag("alike_stains", message, effect),)


def _weak(darkness: NDArray[np.float32]) -> tuple[float, str]:
    strongest = float(np.quantile(darkness, 0.95))
    return strongest, f"stained weakly: the darkest twentieth of the tissue has {strongest:.3f} OD."


def _background(brown: float) -> tuple[float, str]:
    return brown, f"brown all over: even the palest quarter of the tissue has {brown:.2f} DAB OD."
