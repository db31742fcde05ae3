"""A library of nuclei: small images of haematoxylin, stamped into the tissue."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from lowpower.simulate._images import Floats, blurred, placed
from lowpower.simulate._textures import smoothstep

__all__ = ["KINDS", "NucleusLibrary", "nucleus_library"]

KINDS = (
    "tumour",
    "normal",
    "stromal",
    "lymphocyte",
    "endothelial",
    "erythrocyte",
    "macrophage",
    "in-situ",
    "crushed",
)
_TURNS = 24
_OTHER_UM = 4.2
"""Unit of radius of all nuclei but the tumour's."""


@dataclass(frozen=True, slots=True)
class _Look:
    variants: int
    radius: tuple[float, float]
    elongation: tuple[float, float]
    irregular: float
    rim: float
    chromatin: float
    nucleoli: float
    fill: tuple[float, float]
    ghosts: float = 0.0

    def changed(self, rim: float, chromatin: float, spread: float) -> _Look:
        """The same with stronger or weaker rims and clumps, and radii spread about their geometric mean."""
        low, high = self.radius
        middle = math.sqrt(low * high)
        radius = (middle * (low / middle) ** spread, middle * (high / middle) ** spread)
        if spread == 1.0:
            radius = self.radius
        return replace(self, rim=self.rim * rim, chromatin=self.chromatin * chromatin, radius=radius)


_LOOKS = {
    "tumour": _Look(40, (0.74, 1.3), (1.0, 1.8), 0.08, 0.32, 0.3, 1.2, (0.6, 1.15), 0.16),
    "columnar": _Look(32, (0.72, 1.1), (1.4, 2.7), 0.08, 0.32, 0.3, 0.9, (0.6, 1.15), 0.12),
    "normal": _Look(10, (0.62, 0.8), (1.0, 1.6), 0.06, 0.25, 0.3, 0.4, (0.75, 1.15)),
    "stromal": _Look(30, (0.38, 0.8), (1.3, 5.0), 0.2, 0.2, 0.3, 0.15, (0.4, 1.2), 0.25),
    "lymphocyte": _Look(24, (0.56, 0.82), (1.0, 1.6), 0.1, 0.25, 0.45, 0.2, (0.75, 1.6), 0.05),
    "endothelial": _Look(8, (0.4, 0.55), (2.5, 5.0), 0.1, 0.2, 0.25, 0.0, (0.6, 1.2)),
    "erythrocyte": _Look(12, (0.48, 0.75), (1.0, 3.4), 0.08, 0.0, 0.0, 0.0, (0.5, 1.0)),
    "macrophage": _Look(10, (0.6, 0.9), (1.0, 1.7), 0.12, 0.3, 0.3, 0.6, (0.5, 1.0)),
    "crushed": _Look(16, (0.55, 1.0), (2.2, 6.0), 0.25, 0.0, 0.15, 0.0, (0.8, 1.9), 0.2),
}


@dataclass(frozen=True, slots=True, eq=False)
class NucleusLibrary:
    """Stamps of every kind.

    Attributes:
        stamps: Per kind, and for "columnar" tumour cells, [variant][turn] -> (S, S) float32 relative OD
            (1 = the laboratory's counterstain).
        turns: Number of orientations over half a turn.
    """

    stamps: dict[str, list[list[Floats]]]
    turns: int = _TURNS


def _erythrocyte(distance: Floats, side: Floats) -> Floats:
    """Unstained and refractile: a dark outline, darker on one side, a pale centre."""
    rim = np.exp(-(((distance - 0.84) / 0.17) ** 2))
    body = (rim * (0.7 + 0.5 * side) + 0.16) * smoothstep(-distance, -1.1, -0.95)
    return np.asarray(np.maximum(body, 0), np.float32)


def _chromatin(rng: np.random.Generator, side: int, mpp: float) -> Floats:
    """Clumps of two sizes, unit variance."""
    total = np.zeros((side, side), np.float32)
    for size_um, weight in ((0.45, 0.7), (1.1, 0.7)):
        clumps = rng.standard_normal((side, side), dtype=np.float32)
        clumps = blurred(clumps, max(size_um / mpp, 0.5))
        total += np.float32(weight / (clumps.std() + 1e-6)) * clumps
    return total


def _nucleus(rng: np.random.Generator, kind: str, look: _Look, unit_um: float, mpp: float) -> Floats:
    """One nucleus, its long axis along x."""
    radius = unit_um * rng.uniform(*look.radius) / mpp
    elongation = rng.uniform(*look.elongation)
    major, minor = radius * np.sqrt(elongation), radius / np.sqrt(elongation)
    half = int(np.ceil(major * 1.3)) + 2
    v, u = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    # A bow, as spindle cells have it.
    v = v + np.float32(rng.normal(0, 0.12)) * (u * u / np.float32(major) - np.float32(major / 3))
    angle = np.arctan2(v / np.float32(minor), u / np.float32(major))
    wave = np.zeros_like(u)
    for order in (1, 2, 3, 4, 5):
        wave += np.float32(rng.normal(0, look.irregular / max(order, 2))) * np.cos(
            order * angle + np.float32(rng.uniform(0, 2 * np.pi))
        )
    distance = np.hypot(u / np.float32(major), v / np.float32(minor)) / (1 + wave)
    if kind == "erythrocyte":
        return np.float32(rng.uniform(*look.fill)) * _erythrocyte(distance, np.sin(angle + 0.7))
    soft = max(0.45 / (minor * mpp), 0.5 / minor)
    ghost = rng.random() < look.ghosts
    if ghost:
        soft *= 3.0
    inside = smoothstep(-distance, -1 - soft, -1 + soft)
    body = 1.0 - look.rim * 0.4 + look.rim * np.exp(-(((distance - 0.88) / 0.17) ** 2))
    body = body + np.float32(look.chromatin * rng.uniform(0.6, 1.3)) * _chromatin(rng, 2 * half + 1, mpp)
    for _ in range(rng.poisson(look.nucleoli)):
        a, r = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.45)
        nu, nv = r * major * np.cos(a), r * minor * np.sin(a)
        size = rng.uniform(0.35, 0.75) / mpp
        body = body + rng.uniform(0.5, 1.4) * np.exp(-((u - nu) ** 2 + (v - nv) ** 2) / (2 * size**2))
    fill = rng.uniform(*look.fill) * (rng.uniform(0.35, 0.7) if ghost else 1.0)
    stamp = np.asarray(0.78 * fill * np.clip(body, 0.12, 1.9) * inside, np.float32)
    return blurred(stamp, 0.7 / mpp) if ghost else stamp


def _turned(stamp: Floats) -> list[Floats]:
    """A stamp at each of the orientations over half a turn."""
    side = stamp.shape[0]
    turned = []
    for number in range(_TURNS):
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), -180 * number / _TURNS, 1.0)
        turned.append(placed(stamp, cv2.invertAffineTransform(matrix).astype(np.float64), (side, side), 0.0))
    return turned


@lru_cache(maxsize=4)
def nucleus_library(
    nucleus_um: float,
    mpp: float,
    seed: int,
    rim: float = 1.0,
    chromatin: float = 1.0,
    pleomorphism: float = 1.0,
) -> NucleusLibrary:
    """Stamps for tumour nuclei of mean diameter `nucleus_um`, and for the other kinds at their usual size.

    Args:
        nucleus_um: Mean diameter of tumour nuclei, microns.
        mpp: Microns per pixel of the stamps.
        seed: Draws the variants.
        rim: Strength of nuclear membranes over the usual.
        chromatin: Clumping of chromatin over the usual.
        pleomorphism: Spread of the sizes of tumour nuclei over the usual.
    """
    stamps: dict[str, list[list[Floats]]] = {}
    for number, kind in enumerate(_LOOKS):
        malignant = kind in ("tumour", "columnar")
        unit = nucleus_um / 2 if malignant else _OTHER_UM
        look = _LOOKS[kind].changed(rim, chromatin, pleomorphism if malignant else 1.0)
        stamps[kind] = [
            _turned(_nucleus(np.random.default_rng([seed, number, i]), kind, look, unit, mpp))
            for i in range(look.variants)
        ]
    return NucleusLibrary(stamps)
