"""A training crop out of a view: geometry, stain-space variation, scanner-like damage.

Stains are varied in optical density (OD = -log10(I / white point)), where they add: with rows of M the
unit vectors of haematoxylin, DAB and their cross product, OD = C M (Ruifrok and Johnston 2001). New amounts
and new vectors give OD' = C diag(s) M' = OD (M^-1 diag(s) M'), one 3 x 3 matrix per crop. The label bounds
how far DAB may go; haematoxylin may go further.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.stain import RUIFROK_DAB, RUIFROK_H
from lowpower.training._sections import Augmentation
from lowpower.views import View

__all__ = ["Crop", "make_crop"]

_LN10 = float(np.log(10))
_BRIGHTEST = 1.25
_JPEG_WHITE = 240.0


@dataclass(frozen=True, eq=False)
class Crop:
    """One training example.

    Attributes:
        image: (h, w, 3) float32, intensity / white point; glass is 1.0.
        mask: (h, w) bool, tissue.
        cells: (N, 3) tumour cells, x and y in the crop's pixels, class; None if nobody knows them.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    cells: NDArray[np.float32] | None = None


def make_crop(
    view: View,
    side: int,
    options: Augmentation,
    rng: np.random.Generator,
    cells: NDArray[np.float32] | None = None,
) -> Crop:
    """Draw a crop of at most `side` x `side` pixels, centred on tissue where the view is larger.

    `cells` of the view, as `Crop.cells`, move with it.
    """
    matrix, size = _placement(view, side, options, rng)
    white = np.maximum(view.white_point, 1.0)
    glass = tuple(float(value) for value in np.rint(white))
    image = cv2.warpAffine(
        view.image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=glass
    )
    mask: Any = cv2.warpAffine(
        view.mask.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
    )
    od: Any = cv2.LUT(image, _od_table(tuple(float(value) for value in white)))
    od = cv2.transform(od, _stain_matrix(options, rng))
    _add_over_tissue(od, mask, options, rng)
    intensity: Any = cv2.exp(od * -_LN10)
    intensity = _damage(intensity, mask, options, rng)
    if cells is not None:
        moved = cells[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        cells = np.column_stack([moved, cells[:, 2]]).astype(np.float32)
    return Crop(np.minimum(intensity, _BRIGHTEST, out=intensity), mask > 0, cells)


def _placement(
    view: View, side: int, options: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Affine matrix from view to crop pixels, and the crop's (width, height)."""
    quarter = float(rng.integers(4)) * 90.0
    free = float(rng.uniform(-45, 45)) if options.rotate and rng.random() < 0.5 else 0.0
    angle = np.deg2rad(quarter + free)
    scale = 1.0 + float(rng.uniform(-options.scale, options.scale))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([flip, 1.0])
    height, width = view.mask.shape
    reach = np.abs(linear) @ np.array([width, height], np.float64)
    size = np.minimum(np.ceil(reach - 1e-6), side).astype(int)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    if (reach > side).any():
        tissue = np.flatnonzero(view.mask)
        row, column = divmod(int(tissue[rng.integers(tissue.size)]), width)
        wanted = np.array([column, row], np.float64)
        # Where the crop spans the whole view along an axis of its own, stay centred on that axis.
        offset = linear @ (wanted - centre)
        slack = np.maximum(reach - size, 0) / 2
        centre = centre + np.linalg.solve(linear, np.clip(offset, -slack, slack))
    shift = (size - 1) / 2 - linear @ centre
    return np.column_stack([linear, shift]), (int(size[0]), int(size[1]))


@lru_cache(maxsize=256)
def _od_table(white: tuple[float, ...]) -> NDArray[np.float32]:
    """(1, 256, 3) optical density of each grey value in each channel."""
    values = np.maximum(np.arange(256, dtype=np.float64), 1.0)[:, None]
    return np.asarray(-np.log10(values / np.array(white))[None], np.float32)


def _factor(amount: float, rng: np.random.Generator) -> float:
    """Log-uniform between 1/(1+amount) and 1+amount."""
    return float(np.exp(rng.uniform(-1, 1) * np.log1p(amount)))


def _stain_matrix(options: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """The 3 x 3 matrix that maps an OD column vector to its varied one."""
    stains = np.stack([RUIFROK_H, RUIFROK_DAB]).astype(np.float64)
    before = np.vstack([stains, _third(stains)])
    moved = stains + rng.normal(0, 1, stains.shape) * options.vectors
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    after = np.vstack([moved, _third(moved)])
    amounts = np.diag(
        [_factor(options.hematoxylin, rng), _factor(options.dab, rng), _factor(options.residual, rng)]
    )
    return np.asarray((np.linalg.inv(before) @ amounts @ after).T, np.float32)


def _third(stains: NDArray[np.float64]) -> NDArray[np.float64]:
    normal = np.cross(stains[0], stains[1])
    return np.asarray(normal / np.linalg.norm(normal))


def _add_over_tissue(
    od: NDArray[np.float32], mask: NDArray[np.uint8], options: Augmentation, rng: np.random.Generator
) -> None:
    """Add, over tissue only, a wrong white point, even background DAB and stained edges, in place."""
    dab = np.asarray(RUIFROK_DAB, np.float32)
    tint = rng.uniform(-options.tint, options.tint, 3).astype(np.float32)
    haze = float(rng.uniform(0, options.haze)) if rng.random() < 0.5 else 0.0
    od += (tint + haze * dab) * mask[..., None]
    strength = float(rng.uniform(0, options.edge))
    width = int(rng.integers(2, 7))
    field = rng.random((4, 4), np.float32)
    if rng.random() >= options.edge_chance or strength <= 0:
        return
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    band = cv2.blur((mask - inner).astype(np.float32), (3, 3))
    # Smooth random patches: edges stain in parts, not all around.
    patches = cv2.resize(field, (od.shape[1], od.shape[0]), interpolation=cv2.INTER_CUBIC)
    band *= np.clip(3 * (patches - 0.5), 0, 1) * strength
    od += band[..., None] * dab


def _damage(
    intensity: Any, mask: NDArray[np.uint8], options: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Blur, noise and JPEG as other scanners have them; noise stays off the filled glass."""
    sigma = float(rng.uniform(0, options.blur))
    if rng.random() < 0.5 and sigma > 0.2:
        intensity = cv2.GaussianBlur(intensity, (0, 0), sigma)
    level = float(rng.uniform(0, options.noise))
    start = int(rng.integers(_NOISE.size // 2))
    if rng.random() < 0.5 and level > 0:
        grain = np.take(_NOISE, np.arange(start, start + intensity.size), mode="wrap").reshape(
            intensity.shape
        )
        intensity = intensity + grain * level * mask[..., None]
    quality = int(rng.integers(options.jpeg, 101))
    if rng.random() < 0.3 and quality < 100:
        grey = np.clip(intensity * _JPEG_WHITE, 0, 255).astype(np.uint8)
        coded = cv2.imencode(".jpg", grey[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded: Any = cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB)
        intensity = decoded.astype(np.float32) / _JPEG_WHITE
    return np.asarray(intensity, np.float32)


_NOISE = np.random.default_rng(0).standard_normal(1 << 20, dtype=np.float32)
"""Drawn once: drawing anew would cost more than everything else done to a crop."""
