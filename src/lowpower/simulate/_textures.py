"""Random fields and periodic textures that everything is made of.

A bank is a periodic image of `BANK` x `BANK` px at `BANK_UM` um/px. Sampled through a smooth warp its period
does not show. Banks depend on nothing, so a process makes them once.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["BANK", "BANK_UM", "Floats", "bank", "noise_bank", "smooth_field", "smoothstep"]

Floats: TypeAlias = NDArray[np.float32]

BANK = 1024
"""Side of a texture bank in its own pixels."""
BANK_UM = 0.5
"""Microns per pixel of a texture bank."""


def smoothstep(values: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, smooth between; works in place of an `if` on fields."""
    t = np.clip((values - low) * (1.0 / (high - low)), 0.0, 1.0, dtype=np.float32)
    return t * t * (3.0 - 2.0 * t)


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], scale: float, octaves: int = 1, ratio: float = 1.0
) -> Floats:
    """Gaussian random field of about unit variance.

    Args:
        rng: Source of randomness.
        shape: (rows, columns).
        scale: Correlation length in pixels of the result.
        octaves: Further fields of half the scale and half the weight.
        ratio: Correlation length along x over that along y.
    """
    total = np.zeros(shape, np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        step_x, step_y = max(scale * np.sqrt(ratio) / 2, 1.0), max(scale / np.sqrt(ratio) / 2, 1.0)
        rows, columns = int(shape[0] / step_y) + 8, int(shape[1] / step_x) + 8
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        grid = cv2.GaussianBlur(grid, (0, 0), 1.0) * 3.5
        shift_x, shift_y = rng.uniform(2, 3, size=2)
        matrix = np.array([[1 / step_x, 0, shift_x], [0, 1 / step_y, shift_y]])
        total += weight * cv2.warpAffine(
            grid, matrix, (shape[1], shape[0]), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        )
        power += weight**2
        weight, scale = weight / 2, scale / 2
    return (total / np.float32(np.sqrt(power))).astype(np.float32)


def _periodic(rng: np.random.Generator, along_um: float, across_um: float) -> Floats:
    """Periodic Gaussian noise of unit variance with correlation lengths along x and across it."""
    spectrum = np.fft.rfft2(rng.standard_normal((BANK, BANK), dtype=np.float32))
    fy = np.fft.fftfreq(BANK, BANK_UM)[:, None]
    fx = np.fft.rfftfreq(BANK, BANK_UM)[None, :]
    spectrum *= np.exp(-2 * np.pi**2 * ((fx * along_um) ** 2 + (fy * across_um) ** 2))
    field = np.fft.irfft2(spectrum, s=(BANK, BANK))
    return (field / field.std()).astype(np.float32)


def _fibres(rng: np.random.Generator) -> Floats:
    fine = _periodic(rng, 14.0, 0.55)
    coarse = _periodic(rng, 30.0, 2.2)
    bundles = _periodic(rng, 60.0, 6.0)
    return 0.5 * fine + 0.6 * coarse + 0.5 * bundles + 0.25 * _periodic(rng, 0.9, 0.6)


def _web(rng: np.random.Generator) -> Floats:
    """Torn strands: ridges of smooth noise at several scales, 0 in gaps to 1 in strands."""
    gaps = np.zeros((BANK, BANK), np.float32)
    for scale, weight in ((7.0, 1.0), (3.5, 0.8), (1.6, 0.5)):
        ridge = 1.0 - np.abs(_periodic(rng, scale * 1.5, scale)) * 1.4
        gaps = np.maximum(gaps, weight * ridge)
    ragged = gaps + 0.18 * _periodic(rng, 0.8, 0.8) + 0.25 * _periodic(rng, 5.0, 5.0)
    return np.clip(ragged, 0.0, 1.4).astype(np.float32)


def _muscle(rng: np.random.Generator) -> Floats:
    return 0.8 * _periodic(rng, 70.0, 2.6) + 0.4 * _periodic(rng, 40.0, 1.0) + 0.3 * _periodic(rng, 2.5, 0.8)


def _debris(rng: np.random.Generator) -> Floats:
    """Grains and flakes, mostly 0."""
    grains = np.clip(_periodic(rng, 0.7, 0.7) - 1.6, 0, None)
    flakes = np.clip(_periodic(rng, 2.2, 2.2) - 1.9, 0, None) * 1.5
    return ((grains + flakes) * smoothstep(_periodic(rng, 25.0, 25.0), -1.0, 1.0)).astype(np.float32)


def _fat(rng: np.random.Generator) -> Floats:
    """Distance in microns to the nearest wall between fat cells (periodic Voronoi)."""
    step, cells = 48.0 / BANK_UM, int(BANK * BANK_UM / 48.0)
    step = BANK / cells
    gx, gy = np.meshgrid(np.arange(cells), np.arange(cells))
    x = ((gx + 0.5 * (gy % 2) + rng.uniform(0.15, 0.85, gx.shape)) * step) % BANK
    y = ((gy + rng.uniform(0.15, 0.85, gx.shape)) * step) % BANK
    seeds = np.full((3 * BANK, 3 * BANK), 255, np.uint8)
    for dx in range(3):
        for dy in range(3):
            seeds[(y + dy * BANK).astype(int).ravel(), (x + dx * BANK).astype(int).ravel()] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    edges = np.ones(labels.shape, np.uint8)
    edges[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    edges[1:][labels[1:] != labels[:-1]] = 0
    distance = cv2.distanceTransform(edges, cv2.DIST_L2, 5)[BANK : 2 * BANK, BANK : 2 * BANK]
    return (distance * BANK_UM).astype(np.float32)


@cache
def bank(name: str) -> Floats:
    """The bank `name`: fibres, web, muscle, grain, mottle, cloud, debris or fat."""
    makers = {
        "fibres": _fibres,
        "web": _web,
        "muscle": _muscle,
        "grain": lambda rng: _periodic(rng, 0.55, 0.55),
        "mottle": lambda rng: _periodic(rng, 2.2, 2.2),
        "cloud": lambda rng: _periodic(rng, 9.0, 9.0),
        "debris": _debris,
        "fat": _fat,
    }
    texture = makers[name](np.random.default_rng([0xBA2C, list(makers).index(name)]))
    texture = np.ascontiguousarray(texture, dtype=np.float32)
    texture.flags.writeable = False
    return texture


@cache
def noise_bank() -> Floats:
    """Sensor noise, unit variance, (1024, 1024, 3): mostly common to the three channels."""
    rng = np.random.default_rng(0x5E2502)
    common = rng.standard_normal((BANK, BANK, 1), dtype=np.float32)
    own = rng.standard_normal((BANK, BANK, 3), dtype=np.float32)
    noise = (0.75 * common + 0.66 * own).astype(np.float32)
    noise.flags.writeable = False
    return noise
