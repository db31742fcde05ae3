"""Random fields and periodic textures that everything is made of.

A bank is a periodic image of `BANK` x `BANK` px at `BANK_UM` um/px. Sampled through a smooth warp its period
does not show. Banks depend on nothing, so a process makes them once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from lowpower.simulate._images import Floats, blurred, distance, looked_up, placed

__all__ = ["BANK", "BANK_UM", "Floats", "bank", "ramp", "smooth_field", "smoothstep", "tile", "wrapped"]

BANK = 1024
"""Side of a texture bank in its own pixels."""
BANK_UM = 0.5
"""Microns per pixel of a texture bank."""
_VIEW = 800
"""Largest side of a tile that costs no copy."""


def ramp(values: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, straight between."""
    t = values * np.float32(1.0 / (high - low))
    t -= np.float32(low / (high - low))
    return np.clip(t, 0.0, 1.0, out=t)


def smoothstep(values: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, smooth between."""
    t = ramp(values, low, high)
    slope = t * np.float32(-2.0)
    slope += np.float32(3.0)
    t *= t
    t *= slope
    return t


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
        step_x, step_y = max(scale * np.sqrt(ratio) / 3, 1.0), max(scale / np.sqrt(ratio) / 3, 1.0)
        rows, columns = int(shape[0] / step_y) + 12, int(shape[1] / step_x) + 12
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        # Blur and spline together leave about this share of the noise's deviation.
        grid = blurred(grid, 1.5) * np.float32(3.85 * np.sqrt(np.pi))
        shift_x, shift_y = rng.uniform(4, 5, size=2)
        # Doubling by a spline before the last, linear step: linear steps alone show the grid as corners.
        while min(step_x, step_y) > 4:
            grid = np.asarray(cv2.pyrUp(grid), np.float32)
            step_x, step_y, shift_x, shift_y = step_x / 2, step_y / 2, shift_x * 2, shift_y * 2
        matrix = np.array([[1 / step_x, 0, shift_x], [0, 1 / step_y, shift_y]])
        fine = placed(grid, matrix, (shape[1], shape[0]))
        total += np.float32(weight) * fine
        power += weight**2
        weight, scale = weight / 2, scale / 2
    total /= np.float32(np.sqrt(power))
    return total


def _periodic(rng: np.random.Generator, along_um: float, across_um: float) -> Floats:
    """Periodic Gaussian noise of unit variance with correlation lengths along x and across it."""
    spectrum = scipy.fft.rfft2(rng.standard_normal((BANK, BANK), dtype=np.float32))
    fy = np.fft.fftfreq(BANK, BANK_UM)[:, None].astype(np.float32)
    fx = np.fft.rfftfreq(BANK, BANK_UM)[None, :].astype(np.float32)
    spectrum *= np.exp(np.float32(-2 * np.pi**2) * ((fx * along_um) ** 2 + (fy * across_um) ** 2))
    field: Floats = scipy.fft.irfft2(spectrum, s=(BANK, BANK))
    return np.asarray(field / field.std(), np.float32)


def _bent(rng: np.random.Generator, image: Floats, amount_um: float, scale_um: float) -> Floats:
    """A periodic image pushed about by periodic noise."""
    ys, xs = np.mgrid[0:BANK, 0:BANK].astype(np.float32)
    push = np.float32(amount_um / BANK_UM)
    dx, dy = (_periodic(rng, scale_um, scale_um) * push for _ in range(2))
    return looked_up(image, xs + dx, ys + dy, wrap=True)


def _fibres(rng: np.random.Generator) -> Floats:
    """Collagen: wavy fibres of several widths, with slits between them (strongly negative)."""
    body = 0.9 * _periodic(rng, 3.6, 0.55) + 0.6 * _periodic(rng, 9.0, 1.0) + 0.4 * _periodic(rng, 26.0, 2.8)
    slits = np.maximum(_periodic(rng, 5.0, 0.55) - 1.0, 0) * 2.4
    where = ramp(_periodic(rng, 18.0, 7.0), -0.8, 1.4)
    return _bent(rng, body - slits * where, 2.2, 6.0) + 0.35 * _periodic(rng, 0.9, 0.5)


def _web(rng: np.random.Generator) -> Floats:
    """Torn mesh: crooked threads of several sizes and flakes, below 0 in gaps and about 1 in threads."""
    mesh = 0.55 * _periodic(rng, 3.0, 2.6) + 0.35 * _periodic(rng, 1.1, 1.0) - np.float32(0.35)
    for scale, weight in ((5.5, 1.0), (3.4, 1.0), (2.2, 0.9), (1.3, 0.6)):
        thread = 1.0 - np.abs(_periodic(rng, scale, scale)) * np.float32(2.6 * scale**0.5)
        torn = ramp(_periodic(rng, 3.5, 3.5), -1.3, 0.4)
        mesh = np.maximum(mesh, np.float32(weight) * thread * (0.25 + 0.9 * torn))
    return _bent(rng, mesh, 1.5, 2.0) + 0.16 * _periodic(rng, 0.45, 0.45)


def _fibrils(rng: np.random.Generator) -> Floats:
    """The finest threads, unit variance, with sharp dark and light lines."""
    threads = (
        0.8 * _periodic(rng, 3.2, 0.42) + 0.6 * _periodic(rng, 2.2, 0.6) + 0.45 * _periodic(rng, 0.6, 0.42)
    )
    lines = np.maximum(_periodic(rng, 7.0, 0.42) - 0.9, 0) - np.maximum(_periodic(rng, 6.0, 0.5) - 1.0, 0)
    return _bent(rng, threads + 1.3 * lines, 1.6, 4.0)


def _muscle(rng: np.random.Generator) -> Floats:
    """Bundles of smooth muscle: streaks along, and cracks between the bundles (strongly negative)."""
    body = (
        0.5 * _periodic(rng, 40.0, 2.6) + 0.7 * _periodic(rng, 24.0, 1.0) + 0.55 * _periodic(rng, 12.0, 0.5)
    )
    cracks = (
        np.maximum(_periodic(rng, 45.0, 2.2) - 1.5, 0) * 4.0
        + np.maximum(_periodic(rng, 14.0, 0.8) - 1.7, 0) * 2.5
    )
    return _bent(rng, body - cracks, 2.0, 14.0) + 0.25 * _periodic(rng, 0.8, 0.5)


def _debris(rng: np.random.Generator) -> Floats:
    """Grains and flakes, mostly 0."""
    grains = np.maximum(_periodic(rng, 0.6, 0.6) - 1.3, 0)
    flakes = np.maximum(_periodic(rng, 1.8, 1.8) - 1.6, 0) * np.float32(1.4)
    return np.asarray((grains + flakes) * smoothstep(_periodic(rng, 22.0, 22.0), -0.9, 0.9), np.float32)


def _fat(rng: np.random.Generator) -> Floats:
    """Distance in microns to the nearest wall between fat cells (periodic Voronoi)."""
    cells = int(BANK * BANK_UM / 46.0)
    step = BANK / cells
    gx, gy = np.meshgrid(np.arange(cells), np.arange(cells))
    x = ((gx + 0.5 * (gy % 2) + rng.uniform(0.15, 0.85, gx.shape)) * step) % BANK
    y = ((gy + rng.uniform(0.15, 0.85, gx.shape)) * step) % BANK
    around = 160
    seeds = np.full((BANK + 2 * around, BANK + 2 * around), 255, np.uint8)
    for dx in (-BANK, 0, BANK):
        for dy in (-BANK, 0, BANK):
            column, row = (x + dx).astype(int) + around, (y + dy).astype(int) + around
            seen = (column >= 0) & (row >= 0) & (column < len(seeds)) & (row < len(seeds))
            seeds[row[seen], column[seen]] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    edges = np.ones(labels.shape, np.uint8)
    edges[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    edges[1:][labels[1:] != labels[:-1]] = 0
    return distance(edges)[around:-around, around:-around] * np.float32(BANK_UM)


_MAKERS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "fibres": _fibres,
    "web": _web,
    "fibrils": _fibrils,
    "muscle": _muscle,
    "grain": lambda rng: _periodic(rng, 0.5, 0.5),
    "mottle": lambda rng: _periodic(rng, 1.6, 1.6),
    "cloud": lambda rng: _periodic(rng, 8.0, 8.0),
    "debris": _debris,
    "fat": _fat,
}


@cache
def bank(name: str) -> Floats:
    """The bank `name`: fibres, web, fibrils, muscle, grain, mottle, cloud, debris or fat."""
    rng = np.random.default_rng([0xBA2C, list(_MAKERS).index(name)])
    texture = np.ascontiguousarray(_MAKERS[name](rng), dtype=np.float32)
    texture.flags.writeable = False
    return texture


@cache
def _padded(name: str) -> Floats:
    texture = np.pad(bank(name), ((0, _VIEW), (0, _VIEW)), "wrap")
    texture.flags.writeable = False
    return texture


_Array = TypeVar("_Array", bound=NDArray[Any])


def wrapped(padded: _Array, left: int, top: int, width: int, height: int) -> _Array:
    """A view into a periodic image that was padded by `_VIEW` px, or a copy where that is too little."""
    left, top = left % BANK, top % BANK
    if width <= _VIEW and height <= _VIEW:
        return cast(_Array, padded[top : top + height, left : left + width])
    rows, columns = np.arange(top, top + height) % BANK, np.arange(left, left + width) % BANK
    return cast(_Array, padded[np.ix_(rows, columns)])


def tile(name: str, left: int, top: int, width: int, height: int, shift: int = 0) -> Floats:
    """(height, width) of bank `name`, one bank pixel a pixel, aligned with the slide; do not write to it."""
    return wrapped(_padded(name), left + shift * 577, top + shift * 331, width, height)
