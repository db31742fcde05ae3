"""Where nuclei and stained membranes are in a field: four maps that a network draws (`_cell_runtime`)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lowpower.graphs import Precision
from lowpower.stain.cells._cell_runtime import drawn_maps
from lowpower.stain.cells._nuclei_rays import Floats

__all__ = ["FADE_OD", "GRID", "STRIDE", "CellMaps", "cell_maps", "network_input"]

GRID = 2
"""Working pixels a side of a map's pixel."""
STRIDE = 16
"""Fields whose sides and corners are multiples of this give the same maps wherever they begin."""
FADE_OD = 0.15
"""The membrane map is 1 - exp(-OD / FADE_OD) of the DAB on the membrane."""
_LOWEST, _HIGHEST = -2.0, 6.0
_STRIP = 64
_FAST_MULTIPLE = 128
"""OpenVINO takes 10 ms to get ready for each new shape, half a field's time: few shapes are few waits."""


@dataclass(frozen=True, slots=True, eq=False)
class CellMaps:
    """What the network sees in a field, each (H / 2, W / 2), 0..1.

    Attributes:
        tumour: Centres of tumour nuclei, one blob each.
        other: Centres of all other nuclei.
        nucleus: Whether a nucleus lies here.
        membrane: DAB on membranes, 1 - exp(-OD / FADE_OD).
    """

    tumour: Floats
    other: Floats
    nucleus: Floats
    membrane: Floats


def network_input(hematoxylin: Floats, dab: Floats, contrast: float) -> Floats:
    """(3, H, W): haematoxylin on the slide's scale, DAB on that of all slides, and haematoxylin once more.

    Once more as it stands out from its neighbourhood: that finds pale nuclei beside nearly black ones.

    Args:
        hematoxylin: (H, W) OD.
        dab: (H, W) OD.
        contrast: The slide's usual nuclear contrast, OD.
    """
    around, spread = _neighbourhood(hematoxylin)
    stains = np.empty((3, *hematoxylin.shape), np.float32)
    # In strips that stay in the processor's cache.
    for top in range(0, len(hematoxylin), _STRIP):
        rows = slice(top, top + _STRIP)
        strip = stains[:, rows]
        np.multiply(hematoxylin[rows], np.float32(1 / (3 * contrast)), out=strip[0])
        np.multiply(dab[rows], np.float32(2), out=strip[1])
        np.subtract(hematoxylin[rows], around[rows], out=strip[2])
        strip[2] /= np.float32(2) * spread[rows] + np.float32(0.01)
        np.maximum(strip, np.float32(_LOWEST), out=strip)
        np.minimum(strip, np.float32(_HIGHEST), out=strip)
    return stains


def _neighbourhood(image: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation (H, W) of an image within about 24 pixels.

    From blocks of `STRIDE` pixels, so that they are the same wherever the field begins.
    """
    height, width = image.shape
    filled = cv2.copyMakeBorder(image, 0, -height % STRIDE, 0, -width % STRIDE, cv2.BORDER_REPLICATE)
    small = (filled.shape[1] // STRIDE, filled.shape[0] // STRIDE)
    mean, square = (
        cv2.blur(
            cv2.resize(one, small, interpolation=cv2.INTER_AREA), (3, 3), borderType=cv2.BORDER_REPLICATE
        )
        for one in (filled, filled * filled)
    )
    spread = np.sqrt(np.maximum(square - mean * mean, 0))
    whole = (filled.shape[1], filled.shape[0])
    mean, spread = (
        cv2.resize(one, whole, interpolation=cv2.INTER_LINEAR)[:height, :width] for one in (mean, spread)
    )
    return np.asarray(mean, np.float32), np.asarray(spread, np.float32)


def cell_maps(hematoxylin: Floats, dab: Floats, contrast: float, precision: Precision = "exact") -> CellMaps:
    """The network's maps of a field.

    Args:
        hematoxylin: (H, W) OD at about 0.5 um/px.
        dab: (H, W) OD.
        contrast: The slide's usual nuclear contrast, OD.
        precision: Which runtime runs the network.
    """
    height, width = hematoxylin.shape
    stains = network_input(hematoxylin, dab, contrast)
    multiple = STRIDE if precision == "exact" else _FAST_MULTIPLE
    down, right = -height % multiple, -width % multiple
    if down or right:
        stains = np.pad(stains, ((0, 0), (0, down), (0, right)), "edge")
    maps = drawn_maps(stains, precision)
    return CellMaps(*maps[:, : -(-height // GRID), : -(-width // GRID)])
