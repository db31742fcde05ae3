"""Explanation maps painted on a view: patches, cells, and several maps joined."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.scoring.pictures._overlay import Explanation
from lowpower.scoring.records import OTHER, CellTable
from lowpower.views import View

__all__ = ["cell_map", "joined_map", "patch_map"]

_CELLS_UM = 30.0
_FEW_CELLS = 0.08
"""Of the density of a tissue full of cells 10 um apart: below it nothing is said of a place."""
_LEAST_WEIGHT = 0.01
_GRADES = ("none", "faint", "moderate", "intense")


def patch_map(
    view: View,
    coords: NDArray[np.int64],
    side: int,
    scores: NDArray[np.floating],
    classes: tuple[str, ...],
    attention: NDArray[np.floating] | None = None,
) -> Explanation:
    """A map of what each patch says.

    Args:
        view: What to paint on.
        coords: (N, 2) upper left corners, base pixels.
        side: Of a patch, base pixels.
        scores: (N,) expected class index; where patches overlap their mean is shown.
        classes: Class names, lowest first.
        attention: (N,) weights of the patches, summing to 1; twice the average and more is full colour.
    """
    shape = view.mask.shape
    count, total, weight = (np.zeros(shape, np.float32) for _ in range(3))
    shares = np.ones(len(scores)) if attention is None else np.clip(attention * len(attention) / 2, 0, 1)
    for place, score, share in zip(_places(view, coords, side), scores, shares, strict=True):
        count[place] += 1
        total[place] += score
        weight[place] += share
    painted = count > 0
    mean = _filled(total, count)
    return Explanation(
        mean,
        view.mask & painted,
        view.box,
        classes,
        weights=None if attention is None else _filled(weight, count),
        about="expected score of each patch"
        + ("" if attention is None else "; colour as strong as its attention"),
    )


def cell_map(view: View, cells: CellTable) -> Explanation:
    """A map of the mean grade of the counted cells around each place (Gaussian, sigma 30 um)."""
    counted = cells.classes != OTHER
    scale = view.mask.shape[1] / view.box.width, view.mask.shape[0] / view.box.height
    columns = ((cells.cells.x[counted] - view.box.x) * scale[0]).astype(np.intp)
    rows = ((cells.cells.y[counted] - view.box.y) * scale[1]).astype(np.intp)
    inside = (rows >= 0) & (rows < view.mask.shape[0]) & (columns >= 0) & (columns < view.mask.shape[1])
    rows, columns, grades = rows[inside], columns[inside], cells.cells.grade[counted][inside]
    count, total = (np.zeros(view.mask.shape, np.float32) for _ in range(2))
    np.add.at(count, (rows, columns), 1)
    np.add.at(total, (rows, columns), grades)
    sigma = _CELLS_UM / view.mpp
    count, total = (
        np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32) for field in (count, total)
    )
    said = count > _FEW_CELLS * (view.mpp / 10.0) ** 2
    mean = np.asarray(total / np.maximum(count, 1e-9), np.float32)
    mean[~said] = 0
    return Explanation(
        mean, view.mask & said, view.box, _GRADES, about="mean grade of tumour-like cells nearby"
    )


def joined_map(view: View, maps: Sequence[Explanation], weights: Sequence[float]) -> Explanation | None:
    """The weighted mean of maps of one scale, at each place of those that say something there.

    A map of next to no weight is left out, lest it speaks where no other does; None where none is left.
    """
    heard = [(one, weight) for one, weight in zip(maps, weights, strict=True) if weight >= _LEAST_WEIGHT]
    if not heard:
        return None
    total, weight_of = (np.zeros(view.mask.shape, np.float32) for _ in range(2))
    for one, weight in heard:
        scores, there = _on(view, one)
        total += weight * scores * there
        weight_of += weight * there
    said = weight_of > 0
    mean = np.asarray(total / np.where(said, weight_of, 1), np.float32)
    about = "mean of the models' local scores"
    return Explanation(mean, view.mask & said, view.box, heard[0][0].classes, about=about)


def _on(view: View, one: Explanation) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A map's scores and where it says something, on a view's pixels."""
    height, width = view.mask.shape
    across = view.box.x + (np.arange(width) + 0.5) * view.box.width / width
    down = view.box.y + (np.arange(height) + 0.5) * view.box.height / height

    def sampled(values: NDArray[np.float32], border: int) -> NDArray[np.float32]:
        columns = (across - one.box.x) * values.shape[1] / one.box.width - 0.5
        rows = (down - one.box.y) * values.shape[0] / one.box.height - 0.5
        x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=border), np.float32)

    there = sampled(one.mask.astype(np.float32), cv2.BORDER_CONSTANT) >= 0.5
    return sampled(one.scores, cv2.BORDER_REPLICATE), there.astype(np.float32)


def _places(view: View, coords: NDArray[np.int64], side: int) -> list[tuple[slice, slice]]:
    """Where each patch lies on the view; at least one pixel."""
    height, width = view.mask.shape
    scale = np.array([width / view.box.width, height / view.box.height])
    start = np.rint((coords - (view.box.x, view.box.y)) * scale).astype(int)
    stop = np.rint((coords + side - (view.box.x, view.box.y)) * scale).astype(int)
    start = np.clip(start, 0, (width - 1, height - 1))
    stop = np.clip(np.maximum(stop, start + 1), 1, (width, height))
    return [(slice(y0, y1), slice(x0, x1)) for (x0, y0), (x1, y1) in zip(start, stop, strict=True)]


def _filled(total: NDArray[np.float32], count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means; where nothing was painted the nearest one, so that drawing may interpolate."""
    from scipy.ndimage import distance_transform_edt

    mean = total / np.maximum(count, 1)
    if (count > 0).all() or not (count > 0).any():
        return np.asarray(mean, np.float32)
    rows, columns = distance_transform_edt(count == 0, return_distances=False, return_indices=True)
    return np.asarray(mean[rows, columns], np.float32)
