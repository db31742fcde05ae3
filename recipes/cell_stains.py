"""Another laboratory's stains and another camera over a simulated field: what `cell_fields` trains on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.stain import optical_density

__all__ = ["Restained", "restained"]

Floats = NDArray[np.float32]

_OTHERS = {"HER2": (0.5, 1.7), "nuclear": (0.6, 3.2)}
"""DAB over what was simulated, lowest and highest: nuclei of a nuclear marker may be nearly black."""


@dataclass(frozen=True, slots=True, eq=False)
class Restained:
    """A crop as another laboratory and camera would show it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        white: (3,) RGB of the glass as a finder of glass would tell it.
        vectors: (2, 3) its haematoxylin and DAB.
        gain: What its DAB OD was multiplied by.
    """

    image: NDArray[np.uint8]
    white: Floats
    vectors: NDArray[np.float64]
    gain: float


def restained(
    image: NDArray[np.uint8],
    white: Floats,
    stains: NDArray[np.float64],
    nuclear: bool,
    rng: np.random.Generator,
) -> Restained:
    """The crop with other amounts and colours of both stains, other contrast, haze, clipping and compression.

    Args:
        image: (H, W, 3) RGB.
        white: (3,) RGB of its glass.
        stains: (2, 3) its haematoxylin and DAB.
        nuclear: Whether a nuclear marker was stained.
        rng: Source of randomness.
    """
    low, high = _OTHERS["nuclear" if nuclear else "HER2"]
    dab_gain, blue_gain = _between(rng, low, high), _between(rng, 0.3, 1.6)
    vectors = _other_vectors(stains, rng)
    amounts = np.diag([blue_gain, dab_gain, rng.uniform(0.5, 1.0)])
    matrix = _with_residual(vectors).T @ amounts @ np.linalg.inv(_with_residual(stains).T)
    gamma = float(np.exp(rng.normal(0, 0.2)))
    density = cv2.transform(optical_density(image, white), (gamma * matrix).astype(np.float32))
    light = cv2.exp(density * np.float32(-np.log(10)))
    if rng.random() < 0.5:
        haze = np.float32(rng.uniform(0, 0.15))
        light = light * (1 - haze) + haze
    over = float(rng.uniform(1.0, 1.15)) if rng.random() < 0.25 else 1.0
    dark = float(rng.uniform(0.0, 0.06)) if rng.random() < 0.5 else 0.0
    level = rng.uniform(165, 250) + rng.normal(0, 5, 3)
    top = np.minimum(level, 255)
    grey = np.clip(np.maximum(light, np.float32(dark)) * (over * top).astype(np.float32), 0, 255)
    if over > 1:
        grey = np.minimum(grey, top.astype(np.float32))
    shown = np.rint(grey).astype(np.uint8)
    if rng.random() < 0.6:
        _, stream = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))])
        decoded = cv2.imdecode(stream, cv2.IMREAD_COLOR)
        assert decoded is not None
        shown = np.asarray(decoded, np.uint8)
    told = np.clip(top * np.exp(rng.normal(0, 0.012)), 100, 255)
    return Restained(shown, told.astype(np.float32), vectors, dab_gain * gamma)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _other_vectors(stains: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, 3) unit vectors near `stains`, one time in four only 17 to 25 degrees apart."""
    vectors = np.abs(stains / np.linalg.norm(stains, axis=1, keepdims=True) + rng.normal(0, 0.06, (2, 3)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    apart = np.degrees(np.arccos(np.clip(vectors[0] @ vectors[1], -1, 1)))
    wanted = rng.uniform(17, 25)
    if rng.random() < 0.25 and apart > wanted:
        middle = vectors.mean(axis=0)
        vectors = middle + (vectors - middle) * (wanted / apart)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _with_residual(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3): both unit vectors and what is neither."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    residual = np.cross(unit[0], unit[1])
    return np.stack([*unit, residual / np.linalg.norm(residual)])
