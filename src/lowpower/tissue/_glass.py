"""A slide's own glass: its colour, its noise, and how unevenly it is lit."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lowpower.tissue._colour_axes import rgb_of
from lowpower.tissue._grid import Flags, Plane, enlarge, shrink
from lowpower.tissue._types import WhitePointSource

__all__ = ["BLOCK_UM", "Glass", "colour_off", "find_glass", "stand_in_white_point"]

BLOCK_UM = 16.0
"""Side of the blocks that are judged flat or not: wider than a nucleus, so that tissue is not flat."""

_FLAT = 0.010
"""Standard deviation of mean OD above which a block is never glass; at 1 to 4 um/px it is 0.0007 to 0.002."""
_SURELY_FLAT = 0.003
"""Standard deviation of mean OD below which a block is flat whatever varies in it."""
_GRAINY = 0.65
"""Above `_SURELY_FLAT` only a camera's noise is taken for glass: averaging 2 x 2 pixels halves it. Pale
tissue keeps 0.8 to 0.9 of its variation."""
_DARKEST = 0.20
"""Mean OD of the darkest glass believed in (RGB 160)."""
_MOST_TINTED = 0.06
"""Colour of the most tinted glass believed in, as distance from grey in OD."""
_PEAK = 0.006
"""Half-width in mean OD of the glass's peak among the flat blocks."""
_STEP = 0.008
"""Colour within which blocks are one glass: JPEG rounds a block's colour to steps of up to 0.007."""


@dataclass(frozen=True, eq=False)
class Glass:
    """The glass as found.

    Attributes:
        level: (3,) opponent density relative to white.
        field: (h, w, 3) opponent density at every block where the light is uneven, else None.
        blocks: (h, w) bool, the blocks it was measured on.
        share: Share of the image's blocks among them.
        noise: Standard deviation of one pixel's mean OD.
        illumination_range: Largest difference of mean OD across the image.
    """

    level: Plane
    field: Plane | None
    blocks: Flags
    share: float
    noise: float
    illumination_range: float


def find_glass(density: Plane, padding: Flags, mpp: float) -> Glass | None:
    """Glass is the brightest colour that many flat blocks share.

    Brightest and not commonest, because a slide may be mostly (flat) tissue; flat, because tissue never is.

    Args:
        density: (H, W, 3) opponent density.
        padding: (H, W) bool, pixels that no scanner saw.
        mpp: um/px of both.

    Returns:
        The glass, or None where no glass is in view.
    """
    side = max(4, round(BLOCK_UM / mpp))
    rows, columns = density.shape[0] // side, density.shape[1] // side
    if rows < 1 or columns < 1:
        return None
    cut = density[: rows * side, : columns * side]
    shape = (columns, rows)
    mean = shrink(cut, shape)
    lightness = np.ascontiguousarray(cut[..., 0])
    square = shrink(lightness * lightness, shape)
    deviation = np.sqrt(np.maximum(square - mean[..., 0] ** 2, 0.0))
    seen = shrink(np.asarray(padding[: rows * side, : columns * side], np.float32), shape) == 0.0
    colour = np.hypot(mean[..., 1], mean[..., 2])
    even = (deviation < _SURELY_FLAT) | (_paired(lightness, shape) < _GRAINY * deviation)
    possible = seen & (mean[..., 0] < _DARKEST) & (colour < _MOST_TINTED) & (deviation < _FLAT) & even
    if np.count_nonzero(possible) < max(2, 0.001 * seen.sum()):
        return None
    floor = float(np.quantile(deviation[possible], 0.1))
    flat = possible & (deviation <= max(0.003, 2.5 * floor))
    level = _brightest_peak(mean, flat)
    if level is None:
        return None
    blocks, field = _follow_light(mean, flat, level)
    share = float(blocks.sum() / max(1, seen.sum()))
    span = 0.0 if field is None else float(np.ptp(field[..., 0]))
    return Glass(level, field, blocks, share, float(np.median(deviation[blocks])), span)


def _paired(lightness: Plane, shape: tuple[int, int]) -> Plane:
    """Standard deviation in each block of the means of 2 x 2 pixels."""
    half = shrink(lightness, (lightness.shape[1] // 2, lightness.shape[0] // 2))
    mean = shrink(half, shape)
    spread: Plane = np.sqrt(np.maximum(shrink(half * half, shape) - mean * mean, 0.0))
    return spread


def _brightest_peak(mean: Plane, flat: Flags) -> Plane | None:
    values = mean[flat]
    width = 0.002
    counts, edges = np.histogram(values[:, 0], bins=int(_DARKEST / width), range=(0.0, _DARKEST))
    mass = np.convolve(counts, np.ones(5), "same")
    enough = mass >= max(2.0, 0.01 * len(values), 0.05 * float(mass.max()))
    if not enough.any():
        return None
    first = int(np.argmax(enough))
    # Climb from the first sufficient bin to the top of its peak.
    while first + 1 < len(mass) and mass[first + 1] > mass[first]:
        first += 1
    centre = (edges[first] + edges[first + 1]) / 2
    near = values[np.abs(values[:, 0] - centre) <= _PEAK]
    level: Plane = np.median(near, axis=0).astype(np.float32)
    return level


def _follow_light(mean: Plane, flat: Flags, level: Plane) -> tuple[Flags, Plane | None]:
    """The glass blocks, and the quadratic surface through them where the light falls off across the slide."""
    rows, columns = flat.shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    y, x = y / max(1, rows - 1) - 0.5, x / max(1, columns - 1) - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    surface = np.broadcast_to(level, mean.shape)
    blocks = _close_to(mean, surface, flat)
    if blocks.sum() < 200:
        return blocks, None
    for _ in range(4):
        every = max(1, int(blocks.sum()) // 10_000)
        known = terms[blocks][::every].astype(np.float64)
        # Six terms, thousands of blocks: the normal equations cost a fraction of a decomposition.
        # The ridge decides where blocks in a line leave a term open.
        ridge = 1e-6 * len(known) * np.eye(known.shape[1])
        coefficients = np.linalg.solve(known.T @ known + ridge, known.T @ mean[blocks][::every])
        surface = (terms @ coefficients).astype(np.float32)
        blocks = _close_to(mean, surface, flat)
        if blocks.sum() < 200:
            return _close_to(mean, np.broadcast_to(level, mean.shape), flat), None
    lit = surface[blocks]
    # Where no glass was seen the surface is a guess: never let it leave what the glass itself showed.
    surface = np.clip(surface, lit.min(axis=0), lit.max(axis=0))
    return blocks, surface


def _close_to(mean: Plane, surface: Plane, flat: Flags) -> Flags:
    off = mean - surface
    colour = np.hypot(off[..., 1], off[..., 2])
    close: Flags = flat & (np.abs(off[..., 0]) < _PEAK) & (colour < _STEP)
    return close


def colour_off(glass: Glass, density: Plane, where: Flags) -> float:
    """How far the median colour of the pixels that are marked (H, W) is from the glass around them.

    Up to 1 they are of its colour, as blocks of one glass are.
    """
    level = glass.level
    if glass.field is not None:
        level = _medians(enlarge(glass.field, (where.shape[1], where.shape[0])), where)
    off = _medians(density, where) - level
    return float(max(abs(off[0]) / _PEAK, np.hypot(off[1], off[2]) / _STEP))


def _medians(plane: Plane, where: Flags) -> Plane:
    """(3,) of the marked pixels: one axis at a time, which takes half the time."""
    return np.array([np.median(plane[..., axis][where]) for axis in range(plane.shape[2])], np.float32)


def stand_in_white_point(density: Plane, padding: Flags) -> tuple[Plane, WhitePointSource]:
    """A white point for a view without glass.

    The brightest half percent of 3 x 3 means, with its colour cut back to what scanners' glass has, since the
    brightest tissue is still tinted by its stain. Where even that is dark, plain (240, 240, 240).
    """
    smooth = cv2.blur(density, (3, 3))
    seen = smooth[~padding]
    if len(seen) == 0:
        return np.full(3, 240.0, np.float32), "default"
    darkness = seen[:, 0]
    brightest = np.median(seen[darkness <= np.quantile(darkness, 0.005)], axis=0)
    if brightest[0] > _DARKEST:
        return np.full(3, 240.0, np.float32), "default"
    colour = float(np.hypot(brightest[1], brightest[2]))
    brightest[1:] *= min(1.0, 0.01 / max(colour, 1e-6))
    return rgb_of(brightest), "brightest tissue"
