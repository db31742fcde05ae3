"""How strongly a slide's optics draw a thin line: one membrane is pale behind one lens, dark behind another.

Blur, stray light and contrast change what is left of a membrane's DAB more than laboratories do. They act
on haematoxylin too, whose nuclei every slide has: a regression on eight numbers of it tells the rendering.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.stain.cells._nuclei_rays import Floats

__all__ = ["FEATURES", "edge_of", "rendering_features", "rendering_of"]

FEATURES: Final = (
    "detail_0.35um", "detail_0.7um", "detail_1.4um", "steepest", "contrast", "darkest", "dark", "bluest",
)  # fmt: skip
"""What `rendering_features` gives, in order."""
_WEIGHTS: Final = (0.3092, 0.26936, -0.41307, 0.17671, -0.00856, 0.60809, -0.21935, -0.15125)
_USUAL: Final = -0.92454
"""From `recipes/fit_rendering.py`: on simulated slides, log of the OD shown over the relative intensity told,
and what the median slide gives before it."""
_LOWEST, _HIGHEST = 0.37, 2.2
_EDGE, _EDGE_FALLS = 0.945, -0.484
"""On real fields, as they are and blurred: width of nuclear edges is _EDGE * exp(_EDGE_FALLS * fineness)."""
_COARSEST_MPP: Final = 0.65
"""Coarser images hold no detail of this size."""
_SIZES_UM = (0.35, 0.7, 1.4)
_TISSUE_UM, _TISSUE_OD = 4.0, 0.03
_LEAST_TISSUE = 0.2
_FLOOR = 1e-4


def rendering_features(
    fields: Sequence[tuple[Floats, Floats]], contrast: float, mpp: float
) -> NDArray[np.float64] | None:
    """The numbers that tell the rendering, (8,); None without a field that is mostly tissue, or too coarse.

    Args:
        fields: Haematoxylin OD and mean OD over the three channels, each (H, W), of sample fields.
        contrast: The slide's usual nuclear contrast, OD.
        mpp: um/px.
    """
    if mpp > _COARSEST_MPP:
        return None
    details, gradients, blue, dark = [], [], [], []
    for hematoxylin, density in fields:
        tissue = cv2.GaussianBlur(density, (0, 0), _TISSUE_UM / mpp) > _TISSUE_OD
        if tissue.mean() < _LEAST_TISSUE:
            continue
        blurred = [hematoxylin, *(cv2.GaussianBlur(hematoxylin, (0, 0), size / mpp) for size in _SIZES_UM)]
        details.append([float(np.square(fine - coarse)[tissue].mean()) for fine, coarse in pairwise(blurred)])
        across, down = (cv2.Sobel(hematoxylin, cv2.CV_32F, *axes) for axes in ((1, 0), (0, 1)))
        gradients.append(cv2.magnitude(across, down)[tissue] / np.float32(8 * mpp / 0.5))
        blue.append(hematoxylin[tissue])
        dark.append(density[tissue])
    if not details:
        return None
    density, hematoxylin = np.concatenate(dark), np.concatenate(blue)
    return np.array(
        [
            *np.log(np.sqrt(np.mean(details, axis=0)) + _FLOOR),
            np.log(np.percentile(np.concatenate(gradients), 99) + 1e-3),
            np.log(contrast),
            np.percentile(density, 99.8),
            np.percentile(density, 98),
            np.percentile(hematoxylin, 99.8),
        ]
    )


def rendering_of(features: NDArray[np.float64] | None) -> float:
    """What this slide shows of a thin line's OD, over what the usual slide shows; 1 where that is not known.

    Args:
        features: As `rendering_features` gives them; None where images are too coarse, too.
    """
    if features is None:
        return 1.0
    return float(np.clip(np.exp(features @ np.array(_WEIGHTS) - _USUAL), _LOWEST, _HIGHEST))


def edge_of(features: NDArray[np.float64] | None) -> float | None:
    """Over about how many microns nuclear edges rise from 10 to 90 %; None where that is not known.

    Told by how much of the finest detail is there beside detail four times as wide, whatever the contrast.
    """
    if features is None:
        return None
    return float(_EDGE * np.exp(_EDGE_FALLS * (features[0] - features[2])))
