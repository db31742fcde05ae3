"""A slide's own haematoxylin and DAB vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.vectors._optical_density import RUIFROK_DAB, RUIFROK_H, unit_vector

__all__ = ["LEAST_RED", "StainVectors", "estimate_stains"]

_MOST_PIXELS = 200_000
_FEWEST_PIXELS = 200
_FURTHEST = 18.0
"""Degrees from Ruifrok's vector beyond which an estimate is not believed."""
_CLOSEST = 20.0
"""Degrees between the two below which they are one stain seen twice."""
LEAST_RED: Final = 0.85
"""Red over green OD: haematoxylin has 0.9 to 1.3 (seven real cores: 0.97 to 1.15), nuclei that are brown as
well less. Where all of them are, they do not say what haematoxylin looks like."""


@dataclass(frozen=True, slots=True, eq=False)
class StainVectors:
    """Optical density per unit concentration.

    Attributes:
        hematoxylin: (3,) float32 unit vector, red, green, blue.
        dab: (3,) float32 unit vector.
        source: `measured` where both are the slide's own; `hematoxylin measured` or `dab measured` where the
            other one is Ruifrok's; `ruifrok` where both are.
        pixels: How many stained pixels the estimate rests on.
    """

    hematoxylin: NDArray[np.float32]
    dab: NDArray[np.float32]
    source: Literal["measured", "hematoxylin measured", "dab measured", "ruifrok"]
    pixels: int

    @property
    def matrix(self) -> NDArray[np.float32]:
        """(2, 3), haematoxylin then DAB, as `unmix` takes it."""
        return np.stack([self.hematoxylin, self.dab])

    @property
    def apart(self) -> float:
        """Degrees between the two; Ruifrok's are 37."""
        return _degrees(self.hematoxylin, self.dab)


def estimate_stains(
    od: NDArray[np.floating], mask: NDArray[np.bool_] | None = None, *, faintest: float = 0.12
) -> StainVectors:
    """The slide's own stain vectors, or Ruifrok's where the slide cannot tell.

    After Macenko et al., A method for normalizing histology slides for quantitative analysis, ISBI 2009: the
    stained pixels' directions lie in a plane; its extremes are the stains. Here the extremes are taken apart,
    haematoxylin among the bluish pixels and DAB among the brownish ones, because many IHC slides show one
    stain only and would give its noise as the second.

    Args:
        od: (..., 3) optical density against the slide's glass.
        mask: (...,) bool, the tissue; everything where None.
        faintest: Length of the OD vector below which a pixel's direction is noise.

    Raises:
        ValueError: if shapes do not fit.
    """
    if od.ndim < 1 or od.shape[-1] != 3:
        raise ValueError(f"need (..., 3), got {od.shape}")
    if mask is not None and mask.shape != od.shape[:-1]:
        raise ValueError(f"mask {mask.shape} does not fit optical density {od.shape}")
    pixels = od.reshape(-1, 3) if mask is None else od[mask]
    red, green, blue_light = (np.ascontiguousarray(channel) for channel in pixels.T)
    length = np.sqrt(red * red + green * green + blue_light * blue_light)
    stained = pixels[(length > faintest) & (np.minimum(np.minimum(red, green), blue_light) > 0)]
    stained = stained[:: max(1, len(stained) // _MOST_PIXELS)].astype(np.float64)
    blue = _extreme(stained, RUIFROK_H, RUIFROK_DAB)
    brown = _extreme(stained, RUIFROK_DAB, RUIFROK_H)
    if blue is not None and brown is not None and _degrees(blue, brown) < _CLOSEST:
        blue = brown = None
    if blue is not None and (_degrees(blue, RUIFROK_DAB) < _CLOSEST or blue[0] < LEAST_RED * blue[1]):
        blue = None
    if brown is not None and _degrees(brown, RUIFROK_H) < _CLOSEST:
        brown = None
    hematoxylin = RUIFROK_H if blue is None else blue
    dab = RUIFROK_DAB if brown is None else brown
    source: Literal["measured", "hematoxylin measured", "dab measured", "ruifrok"]
    if blue is not None:
        source = "measured" if brown is not None else "hematoxylin measured"
    else:
        source = "dab measured" if brown is not None else "ruifrok"
    return StainVectors(hematoxylin, dab, source, len(stained))


def _extreme(
    stained: NDArray[np.float64], stain: NDArray[np.float32], other: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """The median direction of the tenth of the pixels nearest to `stain` and away from `other`."""
    if len(stained) < _FEWEST_PIXELS:
        return None
    unit = stained / np.linalg.norm(stained, axis=1, keepdims=True)
    # Along the line from the other stain to this one: above 0.5 this one dominates.
    axis = stain.astype(np.float64) - other
    place = (unit @ axis - other @ axis) / (axis @ axis)
    own = unit[place > 0.6]
    if len(own) < max(_FEWEST_PIXELS, 0.002 * len(unit)):
        return None
    place = place[place > 0.6]
    purest = own[place >= np.quantile(place, 0.8)]
    vector = unit_vector(np.median(purest, axis=0))
    return vector if _degrees(vector, stain) <= _FURTHEST else None


def _degrees(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.degrees(np.arccos(np.clip(float(first @ second), -1.0, 1.0))))
