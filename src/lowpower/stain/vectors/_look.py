"""Which stain a slide looks like: an H&E slide handed in as IHC must be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.stain.vectors._optical_density import optical_density

__all__ = ["StainLook", "every_so_many", "looks_like"]

_MOST_PIXELS = 200_000
_DARKEST_FAINT = 0.05
"""Mean OD below which a pixel's hue is noise."""
_GREY = 0.12
"""Colour over mean OD below which a pixel is grey: mixed stains, dust."""
_VIVID = 0.30
"""Colour over mean OD above which magenta is eosin; where blue and brown overlap it stays below."""
_FEWEST = 0.003
"""Share of the tissue that must be coloured at all before its hue means anything."""


@dataclass(frozen=True, slots=True)
class StainLook:
    """What a slide looks like, and the numbers that say so."""

    kind: Literal["h-dab", "h-e", "unclear"]
    why: str


def every_so_many(rgb: NDArray[np.uint8], mask: NDArray[np.bool_], most: int) -> NDArray[np.uint8]:
    """(N, 3) every so many of an image's masked pixels, for N from `most` to twice that, all if fewer."""
    places = np.flatnonzero(mask)
    return rgb.reshape(-1, rgb.shape[-1])[places[:: max(1, len(places) // most)]]


def looks_like(rgb: NDArray[np.uint8], mask: NDArray[np.bool_], white_point: ArrayLike) -> StainLook:
    """Tell haematoxylin-DAB from haematoxylin-eosin by the hues of the tissue's optical density.

    On the circle of hues at constant OD, haematoxylin lies near -35 degrees, DAB near 180 and eosin near -90
    (Ruifrok and Johnston's vectors); mixtures of haematoxylin and DAB pass through grey, so that vivid
    magenta is eosin and nothing else. Each pixel counts by how much colour it has.

    Args:
        rgb: (H, W, 3) uint8, any um/px.
        mask: (H, W) bool, the tissue.
        white_point: (3,) RGB of the slide's glass.

    Returns:
        `h-e` where most colour is magenta, `h-dab` where most is blue or brown; `unclear` otherwise, and
        where there is hardly any colour.

    Raises:
        ValueError: if shapes do not fit.
    """
    if mask.shape != rgb.shape[:-1]:
        raise ValueError(f"mask {mask.shape} does not fit image {rgb.shape}")
    od = optical_density(every_so_many(rgb, mask, _MOST_PIXELS), white_point)
    if len(od) == 0:
        return StainLook("unclear", "no tissue to look at")
    mean = od.mean(axis=1)
    red_blue = (od[:, 0] - od[:, 2]) / np.sqrt(2.0)
    green = (od[:, 0] + od[:, 2] - 2 * od[:, 1]) / np.sqrt(6.0)
    colour = np.hypot(red_blue, green)
    telling = (mean > _DARKEST_FAINT) & (colour > _GREY * mean)
    share = float(telling.mean())
    if share < _FEWEST or telling.sum() < 50:
        return StainLook("unclear", f"only {share:.1%} of the tissue has any colour")
    weight = np.where(telling, colour, 0.0)
    hue = np.degrees(np.arctan2(green, red_blue))
    total = float(weight.sum())
    magenta_side = (hue > -140) & (hue <= -65)
    magenta = float(weight[magenta_side & (colour > _VIVID * mean)].sum()) / total
    blue = float(weight[(hue > -65) & (hue <= 30)].sum()) / total
    brown = float(weight[(hue > 130) | (hue <= -140)].sum()) / total
    numbers = f"of its colour {magenta:.0%} is magenta, {blue:.0%} blue, {brown:.0%} brown"
    if magenta > 0.5:
        return StainLook("h-e", f"{numbers}: eosin, not DAB")
    if blue + brown > 0.6 and magenta < 0.3:
        return StainLook("h-dab", numbers)
    return StainLook("unclear", numbers)
