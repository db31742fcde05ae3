"""How tumour-like a cell is by its own look, its size and its neighbours, and how much is asked of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from lowpower.stain.cells._nuclei_rays import Floats

__all__ = ["LEAST_LIKE", "context_of", "likeness_asked", "likeness_in_context"]

LEAST_LIKE, _MOST_LIKE = 0.2, 0.5
"""Bounds of what is asked of a tumour-like cell; in the user's tumour regions the lower one."""
_APART_UP_TO = 0.75
_APART = 0.8
"""Two kinds of cells lie apart where between them fewer than this share of either's peak is found."""
_SMALLER = 0.85
"""Lymphocytes are smaller than tumour by this at least; stained tumour is no larger than unstained."""
_BINS, _SMOOTH = 100, 3.0

_OWN, _AROUND, _SIZE = 0.66, 0.34, 0.67
"""From `recipes/fit_likeness.py`, scaled so that the first two add up to one: on simulated slides, logistic
regression of what is tumour on the log-odds of a cell's likeness, those around it, and its log diameter."""
_USUAL_UM = 8.0
"""A nucleus of this diameter, among its like, is as tumour-like as the network finds it."""
_NEAR_UM, _NEIGHBOURS = 15.0, 20
_AT_ONCE = 20_000
"""Cells whose neighbours are held at once: a million would take most of a gigabyte."""
_BOUND = 0.02
_SMALLEST_UM, _LARGEST_UM = 2.0, 20.0


def context_of(xy: NDArray[np.float64], tumour: Floats, diameter: Floats) -> NDArray[np.float64]:
    """(N, 3): log-odds of each cell's own likeness and of those around it, log diameter over the usual.

    Args:
        xy: (N, 2) centres, microns.
        tumour: (N,) how much of the network's centre maps is tumour, 0..1.
        diameter: (N,) microns.
    """
    bounded = np.clip(tumour.astype(np.float64), _BOUND, 1 - _BOUND)
    own = np.log(bounded / (1 - bounded))
    tree, around = cKDTree(xy), np.empty(len(xy))
    for start in range(0, len(xy), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        apart, near = tree.query(xy[part], k=range(1, min(_NEIGHBOURS, len(xy)) + 1))
        weights = np.exp(-0.5 * (apart / _NEAR_UM) ** 2)
        around[part] = (weights * own[near]).sum(axis=1) / weights.sum(axis=1)
    size = np.log(np.clip(diameter.astype(np.float64), _SMALLEST_UM, _LARGEST_UM) / _USUAL_UM)
    return np.stack([own, around, size], axis=1)


def likeness_in_context(xy: NDArray[np.float64], tumour: Floats, diameter: Floats) -> Floats:
    """Likeness of each cell (N,), 0..1, with its size and the cells around it; arguments as `context_of`.

    Tumour grows in groups of large nuclei; a lone fibroblast or endothelial cell that looks like tumour does
    not. On real fields the size tells more than the network, which never saw them.
    """
    if len(xy) == 0:
        return tumour
    logit = context_of(xy, tumour, diameter) @ np.array([_OWN, _AROUND, _SIZE])
    return np.asarray(1 / (1 + np.exp(-logit)), np.float32)


def likeness_asked(tumour: Floats, diameter: Floats, weights: NDArray[np.float64] | None = None) -> float:
    """The likeness from which a cell of this slide counts as tumour: what makes the expected F1 highest.

    Where the network tells kinds apart, that is one half. Where it is unsure of all (pale or black nuclei,
    growth it has not seen), asking for one half would keep the stained and lose the pale. A cell belongs to
    the best set where its probability is above half of the best F1 (Lipton et al., Optimal thresholding of
    classifiers to maximize F1 measure, ECML 2014).

    Where likeness above that falls into two heaps and the lower one is of smaller nuclei, as lymphocytes
    beside tumour are, the valley between them is asked for.

    Args:
        tumour: (N,) likeness, 0..1, taken for probabilities.
        diameter: (N,) microns.
        weights: (N,) how many cells of the slide each stands for, where only some fields were read.
    """
    if len(tumour) == 0 or tumour.max() <= 0:
        return _MOST_LIKE
    order = np.argsort(-tumour.astype(np.float64), kind="stable")
    each = np.ones(len(tumour)) if weights is None else weights[order]
    hits = np.cumsum(tumour[order].astype(np.float64) * each)
    best = (2 * hits / (np.cumsum(each) + hits[-1])).max()
    least = float(np.clip(best / 2, LEAST_LIKE, _MOST_LIKE))
    valley = _valley_above(least, tumour, weights)
    lower, upper = diameter[(tumour >= least) & (tumour < valley)], diameter[tumour >= valley]
    if len(lower) and len(upper) and np.median(lower) < _SMALLER * np.median(upper):
        return valley
    return least


def _valley_above(least: float, tumour: Floats, weights: NDArray[np.float64] | None) -> float:
    """The lowest place between two heaps of likeness above `least`; `least` where there is one heap."""
    above = tumour >= least
    each = None if weights is None else weights[above]
    counts = np.histogram(tumour[above], _BINS, (0.0, 1.0), weights=each)[0].astype(np.float64)
    heaps = gaussian_filter1d(counts, _SMOOTH)
    first = int(least * _BINS)
    left = np.maximum.accumulate(heaps[first:])[:-2]
    right = np.maximum.accumulate(heaps[::-1])[::-1][first + 2 :]
    between = heaps[first + 1 : -1]
    allowed = np.arange(first + 1, _BINS - 1) < _APART_UP_TO * _BINS
    valleys = np.flatnonzero(allowed & (between < _APART * np.minimum(left, right)))
    if len(valleys) == 0:
        return least
    return float((first + 1 + valleys[np.argmin(between[valleys])] + 0.5) / _BINS)
