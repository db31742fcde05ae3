"""The `stain` encoder: what a pathologist would name, measured per patch, without any training.

Absolute stain shifts with laboratory and scanner; what survives is where the brown lies (nucleus, ring or
cell body), how patchy it is and how dark relative to the haematoxylin. The numbers below say that.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, optical_density, unmix

__all__ = ["STAIN_NAMES", "stain_features"]

_LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8)
_PERCENTILES = (5, 25, 50, 75, 95, 99)
_SCALES = (1.0, 2.0, 4.0, 8.0)
_STAINS = ("h", "dab")

STAIN_NAMES: tuple[str, ...] = (
    *(f"{stain}_{what}" for stain in _STAINS for what in ("mean", "std", *(f"p{p}" for p in _PERCENTILES))),
    *(f"dab_above_{level}" for level in _LEVELS),
    *(f"{stain}_detail_{scale:g}px" for stain in _STAINS for scale in _SCALES),
    "dab_in_nuclei",
    "dab_beside_nuclei",
    "dab_ring_share",
    "dab_to_h",
    "correlation",
    "residual",
    "tissue_share",
)
"""What each feature of the `stain` encoder is, in order; OD unless it is a share or a ratio."""


def stain_features(images: NDArray[np.uint8], white_point: ArrayLike) -> NDArray[np.float32]:
    """Explicit stain statistics of patches.

    Args:
        images: (B, H, W, 3) uint8 RGB.
        white_point: (3,) RGB of the slide's glass, 0..255.

    Returns:
        (B, len(STAIN_NAMES)) float32, in the order of `STAIN_NAMES`.
    """
    rows = [_features(optical_density(image, white_point)) for image in images]
    return np.stack(rows) if rows else np.zeros((0, len(STAIN_NAMES)), np.float32)


def _features(od: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = np.stack([RUIFROK_H, RUIFROK_DAB])
    stains = np.maximum(unmix(od, vectors), 0)
    h, dab = (np.ascontiguousarray(stains[..., index]) for index in (0, 1))
    values: list[float] = []
    for stain in (h, dab):
        values += [float(stain.mean()), float(stain.std()), *np.percentile(stain, _PERCENTILES).tolist()]
    values += [float((dab > level).mean()) for level in _LEVELS]
    values += [detail for stain in (h, dab) for detail in _details(stain)]
    nuclei = cv2.GaussianBlur(h, (0, 0), 1.0)
    inside = nuclei > max(float(np.percentile(nuclei, 75)), 0.05)
    beside = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~inside
    total = float(dab.sum()) + 1e-6
    values += [
        _mean(dab, inside),
        _mean(dab, beside),
        float(_ridges(dab).sum()) / total,
        float(dab.mean()) / (float(h.mean()) + 0.02),
        _correlation(h, dab),
        float(np.abs(od - stains @ vectors).mean()),
        float((od.mean(axis=2) > 0.04).mean()),
    ]
    return np.array(values, np.float32)


def _details(stain: NDArray[np.float32]) -> list[float]:
    """Standard deviation of the differences of Gaussians, octave by octave."""
    blurred = [stain, *(cv2.GaussianBlur(stain, (0, 0), scale) for scale in _SCALES)]
    return [float((fine - coarse).std()) for fine, coarse in itertools.pairwise(blurred)]


def _ridges(dab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stain that stands out as a line up to 4 px wide, as a membrane does: the white top-hat."""
    smooth = cv2.GaussianBlur(dab, (0, 0), 0.7)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return np.asarray(np.maximum(cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, element) - 0.02, 0), np.float32)


def _mean(stain: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    return float(stain[where].mean()) if where.any() else 0.0


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    spread = float(first.std() * second.std())
    if spread < 1e-8:
        return 0.0
    return float(((first - first.mean()) * (second - second.mean())).mean()) / spread
