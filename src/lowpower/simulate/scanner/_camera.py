"""From stain to grey values: Beer-Lambert, point spread, sharpening, sensor noise."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._simulation_spec import Laboratory, Scanner
from lowpower.simulate._stains import Stains
from lowpower.simulate._textures import BANK, Floats, wrapped
from lowpower.simulate.scanner._glass_faults import Flaws

__all__ = ["MARGIN", "glass", "picture"]

MARGIN = 12
"""Pixels around a block that blur and sharpening look at."""
_GREY = (0.58, 0.57, 0.58)
"""OD of what refracts rather than stains: red cells, debris."""
_FIELD = 2048
_LN10 = float(np.log(10))


@lru_cache(maxsize=4)
def _noise(deviation: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What sensor noise adds and what it takes away, periodic, mostly common to the three channels."""
    rng = np.random.default_rng(0x5E2502)
    common = rng.standard_normal((BANK, BANK, 1), dtype=np.float32)
    own = rng.standard_normal((BANK, BANK, 3), dtype=np.float32)
    noise = np.rint((common * np.float32(0.75) + own * np.float32(0.66)) * np.float32(deviation))
    padded = np.pad(noise.astype(np.int16), ((0, 800), (0, 800), (0, 0)), "wrap")
    return np.maximum(padded, 0).astype(np.uint8), np.maximum(-padded, 0).astype(np.uint8)


def _noisy(grey: NDArray[np.uint8], scanner: Scanner, left: int, top: int) -> NDArray[np.uint8]:
    height, width = grey.shape[:2]
    # Odd strides keep one period's noise from repeating in the next.
    x, y = left + (top // BANK) * 641, top + (left // BANK) * 389
    more, less = (wrapped(part, x, y, width, height) for part in _noise(scanner.noise))
    return np.asarray(cv2.subtract(cv2.add(grey, more), less), np.uint8)


def _log_shading(scanner: Scanner, left: int, top: int, width: int, height: int) -> Floats:
    """(height, width) natural logarithm of brightness within the camera's fields, 0 in their middle."""
    x = ((np.arange(left, left + width) % _FIELD) / _FIELD - 0.5).astype(np.float32)
    y = ((np.arange(top, top + height) % _FIELD) / _FIELD - 0.5).astype(np.float32)
    return np.float32(-2 * scanner.shading) * (x[None] ** 2 + y[:, None] ** 2)


def _colours(laboratory: Laboratory, scanner: Scanner) -> NDArray[np.float32]:
    """(3, 5): natural logarithm of grey values from haematoxylin, DAB, grey, shading and 1.

    The scanner's saturation pulls densities towards their mean over the channels, its gamma stretches them.
    """
    stains = np.array([laboratory.hematoxylin, laboratory.dab, _GREY]).T
    mean = stains.mean(axis=0, keepdims=True)
    stains = np.maximum(mean + scanner.saturation * (stains - mean), 0) * -_LN10 * scanner.gamma
    white = np.log(np.array(scanner.white))[:, None]
    return np.concatenate([stains, np.ones((3, 1)), white], axis=1).astype(np.float32)


@lru_cache(maxsize=16)
def _tone(scanner: Scanner) -> NDArray[np.uint8] | None:
    """(1, 256, 3) recorded grey value of each true one, or None where they are the same."""
    if scanner.black == scanner.blown == scanner.contrast == 0:
        return None
    light = np.arange(256)[:, None] / np.array(scanner.white)
    light = np.clip((light - scanner.black) / (1 - scanner.black - scanner.blown), 0, 1)
    light += scanner.contrast * (light * light * (3 - 2 * light) - light)
    return np.asarray(np.rint(light * np.array(scanner.white))[None], np.uint8)


def picture(
    stains: Stains,
    laboratory: Laboratory,
    scanner: Scanner,
    left: int,
    top: int,
    flaws: Flaws | None = None,
) -> NDArray[np.uint8]:
    """Grey values of a rendered block.

    Args:
        stains: ODs of the block with `MARGIN` pixels around it.
        laboratory: Gives the stains' colours.
        scanner: Gives everything else.
        left: First column of the block on the slide, without the margin.
        top: First row of the block on the slide.
        flaws: Pen and defocus, margin included, or None.

    Returns:
        (height, width, 3) RGB without the margin.
    """
    height, width = stains.dab.shape
    shading = _log_shading(scanner, left - MARGIN, top - MARGIN, width, height)
    amounts = cv2.merge([stains.hematoxylin, stains.dab, stains.grey, shading])
    light = cv2.transform(amounts, _colours(laboratory, scanner))
    if flaws is not None and flaws.ink is not None:
        light = light - flaws.ink[..., None] * np.array(flaws.ink_colour, np.float32) * np.float32(_LN10)
    glare = scanner.flare * float(np.mean(scanner.white))
    grey = cv2.convertScaleAbs(cv2.exp(light), alpha=1 - scanner.flare, beta=glare)
    sigma = scanner.psf_um / scanner.mpp
    if sigma > 0.25:
        grey = cv2.GaussianBlur(grey, (0, 0), sigma)
    if flaws is not None and flaws.defocus is not None:
        soft = cv2.GaussianBlur(grey, (0, 0), min(2.5 / scanner.mpp, MARGIN / 2.5))
        share = flaws.defocus[..., None]
        grey = cv2.convertScaleAbs(grey * (1 - share) + soft * share)
    if scanner.halo > 0:
        wide = cv2.GaussianBlur(grey, (0, 0), min(scanner.halo_um / scanner.mpp, MARGIN / 2.5))
        grey = cv2.addWeighted(grey, 1 - scanner.halo, wide, scanner.halo, 0)
    tone = _tone(scanner)
    if tone is not None:
        grey = cv2.LUT(grey, tone)
    if scanner.sharpen > 0.02:
        soft = cv2.GaussianBlur(grey, (0, 0), scanner.sharpen_um / scanner.mpp)
        grey = cv2.addWeighted(grey, 1 + scanner.sharpen, soft, -scanner.sharpen, 0)
    return _noisy(np.asarray(grey[MARGIN:-MARGIN, MARGIN:-MARGIN], np.uint8), scanner, left, top)


def glass(
    laboratory: Laboratory, scanner: Scanner, left: int, top: int, width: int, height: int
) -> NDArray[np.uint8]:
    """(height, width, 3) of bare glass at the given slide pixels."""
    nothing = np.zeros((height + 2 * MARGIN, width + 2 * MARGIN), np.float32)
    return picture(Stains(nothing, nothing, nothing), laboratory, scanner, left, top)
