"""How tumour and normal epithelium grow: masks on the plan grid, one way per pattern."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._simulation_spec import Pattern
from lowpower.simulate._textures import Floats, smooth_field
from lowpower.simulate.tissue._layout import PLAN_UM

__all__ = ["grow", "scattered"]

Mask: TypeAlias = NDArray[np.bool_]


def scattered(
    rng: np.random.Generator, shape: tuple[int, int], spacing: float, share: float
) -> tuple[Floats, Floats]:
    """Points on a jittered lattice, a `share` of the sites taken.

    Returns:
        (N, 2) x, y in grid pixels, and (N,) uniform random numbers that go with them.
    """
    rows, columns = int(shape[0] / spacing) + 1, int(shape[1] / spacing) + 1
    gx, gy = np.meshgrid(np.arange(columns), np.arange(rows))
    x = (gx + 0.5 * (gy % 2) + rng.uniform(-0.3, 0.3, gx.shape)) * spacing
    y = (gy + rng.uniform(-0.3, 0.3, gx.shape)) * spacing
    taken = rng.random(gx.shape) < share
    points = np.stack([x[taken], y[taken]], axis=1).astype(np.float32)
    return points, rng.random(len(points)).astype(np.float32)


def _warped(mask: NDArray[np.uint8], rng: np.random.Generator, amount_um: float, scale_um: float) -> Mask:
    shape = (mask.shape[0], mask.shape[1])
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    dx, dy = (
        smooth_field(rng, shape, scale_um / PLAN_UM, 2) * np.float32(amount_um / PLAN_UM) for _ in range(2)
    )
    return cv2.remap(mask, xs + dx, ys + dy, cv2.INTER_NEAREST) > 0


def _round_structures(
    rng: np.random.Generator, shape: tuple[int, int], radius_um: tuple[float, float], share: float, bed: Mask
) -> Mask:
    """Rounded structures, never overlapping, covering about `share` of the bed."""
    low, high = radius_um
    largest = high * 1.15
    spacing = 2.35 * largest * (0.5 / max(share, 0.05)) ** 0.25
    mask = np.zeros(shape, np.uint8)
    points, sizes = scattered(rng, shape, spacing / PLAN_UM, min(1.0, 0.35 + share))
    for (x, y), size in zip(points, sizes, strict=True):
        row, column = min(int(max(y, 0)), shape[0] - 1), min(int(max(x, 0)), shape[1] - 1)
        if not bed[row, column]:
            continue
        radius = (low + (high - low) * size) / PLAN_UM
        ratio = rng.uniform(0.5, 1.0)
        cv2.ellipse(
            mask, (int(x * 8), int(y * 8)), (int(radius * 8), int(radius * ratio * 8)),
            float(rng.uniform(0, 180)), 0, 360, 1, -1, shift=3,
        )  # fmt: skip
    return _warped(mask, rng, 0.4 * low + 8, 1.6 * high)


def _level_set(
    rng: np.random.Generator, shape: tuple[int, int], scale_um: float, share: float, bed: Mask
) -> Mask:
    field = smooth_field(rng, shape, scale_um / PLAN_UM, 3, float(rng.uniform(0.7, 1.6)))
    level = float(np.quantile(field[bed][::7], 1 - share)) if bed.any() else 0.0
    return field > level


def _bands(
    rng: np.random.Generator, shape: tuple[int, int], scale_um: float, share: float, bed: Mask
) -> Mask:
    """Long branching bands: a field near 0."""
    field = np.abs(smooth_field(rng, shape, scale_um / PLAN_UM, 3, float(rng.uniform(0.6, 2.0))))
    level = float(np.quantile(field[bed][::7], share)) if bed.any() else 0.0
    return field < level


def _pattern_mask(
    rng: np.random.Generator, pattern: Pattern, shape: tuple[int, int], share: float, bed: Mask
) -> Mask:
    if pattern == "solid":
        return _level_set(rng, shape, float(rng.uniform(180, 420)), max(share, 0.5), bed)
    if pattern == "nests":
        return _level_set(rng, shape, float(rng.uniform(55, 130)), min(share, 0.7), bed)
    if pattern == "cords":
        return _bands(rng, shape, float(rng.uniform(70, 120)), min(share, 0.45), bed)
    if pattern == "tubules" and rng.random() < 0.6:
        # Back to back: everything but thin septa.
        return ~_bands(rng, shape, float(rng.uniform(60, 150)), float(rng.uniform(0.15, 0.4)), bed)
    if pattern == "tubules":
        return _bands(rng, shape, float(rng.uniform(130, 240)), min(share, 0.65), bed)
    if pattern == "columnar":
        return _round_structures(rng, shape, (60.0, float(rng.uniform(120, 240))), share, bed)
    if pattern == "ducts":
        return _round_structures(rng, shape, (70.0, float(rng.uniform(130, 260))), share, bed)
    return _round_structures(rng, shape, (22.0, float(rng.uniform(45, 80))), share, bed)


def grow(
    rng: np.random.Generator, names: list[Pattern], wanted: float, tissue: Mask
) -> tuple[Mask, Mask, Floats]:
    """Masks of tumour and of normal epithelium, and the field whose sign says which pattern rules.

    Args:
        rng: Source of randomness.
        names: One or two patterns.
        wanted: Share of tissue taken by tumour, roughly.
        tissue: Mask of the piece.
    """
    shape = (tissue.shape[0], tissue.shape[1])
    bed_share = min(1.0, 0.25 + wanted)
    where = smooth_field(rng, shape, 900 / PLAN_UM, 3)
    inside = where[tissue][::11]
    bed = tissue & (where > float(np.quantile(inside, 1 - bed_share)))
    region = smooth_field(rng, shape, 1100 / PLAN_UM, 2)
    region -= np.float32(np.median(region[tissue][::11]))
    masks = [_pattern_mask(rng, name, shape, wanted / bed_share, bed) for name in names]
    tumour = np.where(region > 0, masks[-1], masks[0]) if len(masks) > 1 else masks[0]
    tumour = _warped(tumour.astype(np.uint8), rng, 5, 28)
    soft_bed = _warped(bed.astype(np.uint8), rng, 40, 120)
    tumour = tumour & soft_bed & tissue
    outside = cv2.dilate(tumour.astype(np.uint8), np.ones((13, 13), np.uint8)) == 0
    lobules = smooth_field(rng, shape, 350 / PLAN_UM)
    normal = _round_structures(
        rng, shape, (13.0, 26.0), 0.5, outside & tissue & (lobules > rng.uniform(1.0, 2.6))
    )
    normal &= outside & tissue
    return tumour, normal, region
