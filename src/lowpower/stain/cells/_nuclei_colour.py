"""The colour of nuclei themselves: the surest haematoxylin on an IHC slide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells._blobs import peaks_of
from lowpower.stain.cells._nuclei_rays import Floats, blurred, ray_directions, sample
from lowpower.stain.vectors import (
    LEAST_RED,
    RUIFROK_DAB,
    RUIFROK_H,
    StainVectors,
    mean_density,
    optical_density,
    unit_vector,
)

__all__ = ["with_nuclear_hematoxylin"]

_LEAST = 0.03
_FEWEST = 40
_BLUEST = 0.4
_FURTHEST = 25.0
_CLOSEST = 15.0


def with_nuclear_hematoxylin(
    vectors: StainVectors, images: list[NDArray[np.uint8]], white_point: Floats, mpp: float
) -> StainVectors:
    """`vectors` with the haematoxylin that nuclei show over what surrounds them.

    The difference between a blob and its surroundings leaves out what stains both, so that neither blush nor
    a tinted background turns the vector. Only the bluer nuclei count: brown ones may be a nuclear marker's.

    Args:
        vectors: The estimate from all stained pixels; its DAB is kept.
        images: Sample fields, RGB (H, W, 3).
        white_point: (3,) RGB of the glass.
        mpp: um/px of the fields.
    """
    found = [np.zeros((0, 3), np.float32)]
    circle = (ray_directions()[::2] * np.float32(6.0))[None]
    for image in images:
        density = optical_density(image, white_point)
        peaks = peaks_of(mean_density(density), mpp, _LEAST)
        channels = []
        for index in range(3):
            smooth = blurred(np.ascontiguousarray(density[..., index]), 1.0, mpp)
            around = np.sort(sample(smooth, peaks.xy[:, None] + circle, mpp), axis=1)[:, :8].mean(axis=1)
            channels.append(sample(smooth, peaks.xy, mpp) - around)
        found.append(np.stack(channels, axis=1))
    difference = np.concatenate(found)
    difference = difference[(difference > 0.01).all(axis=1)]
    if len(difference) < _FEWEST:
        return vectors
    direction = difference / np.linalg.norm(difference, axis=1, keepdims=True)
    bluer = direction @ (RUIFROK_H - RUIFROK_DAB)
    vector = unit_vector(np.median(direction[bluer >= np.quantile(bluer, 1 - _BLUEST)], axis=0))
    brown = vector[0] < LEAST_RED * vector[1] or _degrees(vector, vectors.dab) < _CLOSEST
    if brown or _degrees(vector, RUIFROK_H) > _FURTHEST:
        return vectors
    source = {"ruifrok": "hematoxylin measured", "dab measured": "measured"}.get(
        vectors.source, vectors.source
    )
    return StainVectors(vector, vectors.dab, source, vectors.pixels)  # type: ignore[arg-type]


def _degrees(first: Floats, second: Floats) -> float:
    return float(np.degrees(np.arccos(np.clip(float(first @ second), -1.0, 1.0))))
