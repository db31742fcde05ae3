"""A library of nuclei: small images of haematoxylin, stamped into the tissue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from lowpower.simulate._textures import Floats, smoothstep

__all__ = ["KINDS", "NucleusLibrary", "nucleus_library"]

KINDS = ("tumour", "normal", "stromal", "lymphocyte", "endothelial", "erythrocyte")
_TURNS = 24
_VARIANTS = {
    "tumour": 24, "normal": 8, "stromal": 14, "lymphocyte": 14, "endothelial": 6, "erythrocyte": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Look:
    radius_um: tuple[float, float]
    elongation: tuple[float, float]
    irregular: float
    rim: float
    chromatin: float
    clump_um: float
    nucleoli: float
    fill: tuple[float, float]


_LOOKS = {
    "tumour": _Look((0.78, 1.25), (1.0, 1.75), 0.07, 0.45, 0.28, 0.9, 1.4, (0.55, 1.0)),
    "normal": _Look((0.62, 0.8), (1.0, 1.5), 0.05, 0.3, 0.25, 0.7, 0.3, (0.8, 1.15)),
    "stromal": _Look((0.4, 0.75), (1.6, 5.0), 0.14, 0.3, 0.25, 0.7, 0.1, (0.55, 1.15)),
    "lymphocyte": _Look((0.62, 0.8), (1.0, 1.35), 0.06, 0.2, 0.4, 0.8, 0.0, (1.0, 1.6)),
    "endothelial": _Look((0.4, 0.55), (2.5, 5.0), 0.08, 0.2, 0.2, 0.7, 0.0, (0.8, 1.3)),
    "erythrocyte": _Look((0.5, 0.8), (1.0, 3.2), 0.06, 0.0, 0.0, 1.0, 0.0, (1.0, 1.0)),
}


@dataclass(frozen=True, slots=True)
class NucleusLibrary:
    """Stamps of every kind.

    Attributes:
        stamps: Per kind, [variant][turn] -> (S, S) float32 relative OD (1 = the laboratory's counterstain).
        turns: Number of orientations over half a turn.
    """

    stamps: dict[str, list[list[Floats]]]
    turns: int = _TURNS


def _erythrocyte(distance: Floats, turn: float, xs: Floats, ys: Floats) -> Floats:
    """Unstained and refractile: a dark outline, brighter on one side, a pale centre."""
    rim = np.exp(-(((distance - 0.82) / 0.2) ** 2))
    lit = 0.65 + 0.35 * np.sin(np.arctan2(ys, xs) + turn * 2)
    return np.asarray((rim * lit + 0.28) * smoothstep(-distance, -1.1, -0.95), np.float32)


def _stamp(
    rng: np.random.Generator, kind: str, look: _Look, turn: float, unit_um: float, mpp: float
) -> Floats:
    """One nucleus. `rng` gives the same nucleus for every `turn`."""
    radius = unit_um * rng.uniform(*look.radius_um) / mpp
    elongation = rng.uniform(*look.elongation)
    major, minor = radius * np.sqrt(elongation), radius / np.sqrt(elongation)
    half = int(np.ceil(major * 1.25)) + 2
    ys, xs = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    u = xs * np.cos(turn) + ys * np.sin(turn)
    v = -xs * np.sin(turn) + ys * np.cos(turn)
    angle = np.arctan2(v / minor, u / major)
    wave = np.zeros_like(u)
    for order in (2, 3, 4, 5):
        wave += rng.normal(0, look.irregular / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    distance = (np.hypot(u / major, v / minor) / (1 + wave)).astype(np.float32)
    edge = max(0.9 / minor, 0.06)
    inside = smoothstep(-distance, -1 - edge, -1 + edge)
    if kind == "erythrocyte":
        return _erythrocyte(distance, turn, xs, ys)
    fill = rng.uniform(*look.fill)
    body = np.full_like(u, 1.0 - look.rim * 0.45)
    body += look.rim * np.exp(-(((distance - 0.9) / 0.16) ** 2))
    # Chromatin is drawn in the nucleus's own frame, so that a turned stamp is the same nucleus turned.
    side = 2 * half + 1
    clumps = rng.standard_normal((side, side)).astype(np.float32)
    clumps = cv2.GaussianBlur(clumps, (0, 0), max(look.clump_um / mpp * 0.5, 0.5))
    clumps /= clumps.std() + 1e-6
    matrix = cv2.getRotationMatrix2D((half, half), -np.degrees(turn), 1.0)
    body += look.chromatin * cv2.warpAffine(clumps, matrix, (side, side), borderMode=cv2.BORDER_REFLECT)
    for _ in range(rng.poisson(look.nucleoli)):
        a, r = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.45)
        nu, nv = r * major * np.cos(a), r * minor * np.sin(a)
        size = rng.uniform(0.5, 0.95) / mpp
        body += rng.uniform(0.5, 1.1) * np.exp(-((u - nu) ** 2 + (v - nv) ** 2) / (2 * (size * 0.7) ** 2))
    return np.asarray(fill * np.clip(body, 0.15, 2.2) * inside, np.float32)


@lru_cache(maxsize=4)
def nucleus_library(nucleus_um: float, mpp: float, seed: int) -> NucleusLibrary:
    """Stamps for tumour nuclei of mean diameter `nucleus_um`, and for the other kinds at their usual size.

    Args:
        nucleus_um: Mean diameter of tumour nuclei, microns.
        mpp: Microns per pixel of the stamps.
        seed: Draws the variants.
    """
    stamps: dict[str, list[list[Floats]]] = {}
    for number, kind in enumerate(KINDS):
        unit = nucleus_um / 2 if kind == "tumour" else 4.6
        stamps[kind] = [
            [
                _stamp(
                    np.random.default_rng([seed, number, variant]), kind, _LOOKS[kind],
                    np.pi * turn / _TURNS, unit, mpp,
                )
                for turn in range(_TURNS)
            ]
            for variant in range(_VARIANTS[kind])
        ]  # fmt: skip
    return NucleusLibrary(stamps)
