"""Dark blobs of nuclear size: a slide's usual nuclear contrast and colour are read off them.

A blob is a local maximum of the difference-of-Gaussians response over four sizes. Most are nuclei, and what
is usual among them needs no more; which are nuclei the network says (`_cell_network`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells._nuclei_rays import Floats

__all__ = ["Peaks", "local_maxima", "peaks_of", "refined"]

_SEED_UM = 1.0
_SIZES_UM = (1.7, 2.4, 3.4, 4.8)
_APART_UM = 2.4


def blob_response(stain: Floats, mpp: float) -> Floats:
    """Largest difference-of-Gaussians response over nuclear sizes, OD.

    Args:
        stain: (H, W) at about 1 um/px.
        mpp: um/px of `stain`.
    """
    # Neighbouring sizes differ by one factor, so that each Gaussian serves twice.
    step = _SIZES_UM[1] / _SIZES_UM[0]
    blurred = [
        cv2.GaussianBlur(stain, (0, 0), size / step**0.5 / mpp) for size in (*_SIZES_UM, _SIZES_UM[-1] * step)
    ]
    best = np.full(stain.shape, -np.inf, np.float32)
    for inner, outer in pairwise(blurred):
        np.maximum(best, cv2.subtract(inner, outer) * np.float32(2.6), out=best)
    return best


def seed_image(stain: Floats, mpp: float) -> tuple[Floats, float]:
    """`stain` averaged to about 1 um/px by a whole factor, and its um/px."""
    factor = max(1, round(_SEED_UM / mpp))
    if factor == 1:
        return stain, mpp
    height, width = stain.shape[0] // factor, stain.shape[1] // factor
    cut = stain[: height * factor, : width * factor]
    small = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32), mpp * factor


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """N local maxima: `xy` (N, 2) microns, `response` (N,) OD."""

    xy: Floats
    response: Floats


def peaks_of(stain: Floats, mpp: float, least: float) -> Peaks:
    """Local maxima of the blob response that reach `least`.

    Args:
        stain: (H, W) nuclear stain, OD.
        mpp: um/px of `stain`.
        least: Smallest response, OD.
    """
    small, coarse = seed_image(stain, mpp)
    response = blob_response(small, coarse)
    rows, columns = local_maxima(response, least, round(_APART_UM / coarse))
    places = refined(response, rows, columns) * np.float32(coarse)
    return Peaks(places, response[rows, columns])


def local_maxima(image: Floats, least: float, reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns where `image` is highest within `reach` pixels (at least 1) and reaches `least`.

    The outermost pixels are never maxima: what goes on beyond them is not known.
    """
    reach = max(1, reach)
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    top = (image >= cv2.dilate(image, window)) & (image >= least)
    top[:1], top[-1:], top[:, :1], top[:, -1:] = False, False, False, False
    rows, columns = np.nonzero(top)
    return rows, columns


def refined(image: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """(N, 2) x and y of the maxima, pixels from the corner: a parabola through each and its neighbours."""
    values = image[rows, columns]
    offsets = []
    for before, after in (
        (image[rows, columns - 1], image[rows, columns + 1]),
        (image[rows - 1, columns], image[rows + 1, columns]),
    ):
        curve = np.minimum(before + after - 2 * values, -1e-6)
        offsets.append(np.clip(0.5 * (before - after) / curve, -0.5, 0.5))
    return np.stack([columns + 0.5 + offsets[0], rows + 0.5 + offsets[1]], axis=1).astype(np.float32)
