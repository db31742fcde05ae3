"""Spreading whole groups of rows over parts so that each class is spread evenly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["deal", "draw_share"]


def _strata(classes: NDArray[Any], groups: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Groups by the rarest class they hold, rarest first.

    The rarest class decides, so that a patient with a rare and a common slide counts where it is scarce.
    """
    names, index = np.unique(groups, return_inverse=True)
    holds = np.zeros((names.size, int(classes.max()) + 1), bool)
    holds[index, classes] = True
    per_class = holds.sum(0)
    order = sorted(np.flatnonzero(per_class), key=lambda label: (per_class[label], label))
    strata, free = [], np.ones(names.size, bool)
    for label in order:
        chosen = free & holds[:, label]
        free &= ~chosen
        strata.append(names[chosen])
    return strata


def deal(
    classes: NDArray[Any], groups: NDArray[Any], parts: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Deal groups into parts: within each class, numbers of groups differ by at most one.

    Args:
        classes: (N,) class index of each row.
        groups: (N,) group of each row; a group is never divided.
        parts: Number of parts.
        rng: Decides ties and the order within a class.

    Returns:
        (N,) part of each row, 0 .. parts-1.
    """
    names, sizes = np.unique(groups, return_counts=True)
    size_of = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    part_of: dict[int, int] = {}
    slides = np.zeros(parts, np.int64)
    for stratum in _strata(classes, groups):
        held = np.zeros(parts, np.int64)
        shuffled = rng.permutation(stratum)
        ties = rng.permutation(parts)
        for group in sorted(shuffled.tolist(), key=lambda name: -size_of[name]):
            part = int(np.lexsort((ties, slides, held))[0])
            part_of[group] = part
            held[part] += 1
            slides[part] += size_of[group]
    return np.array([part_of[group] for group in groups.tolist()], np.int64)


def draw_share(
    classes: NDArray[Any], groups: NDArray[Any], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Mark the rows of about `share` of each class's groups; at least one group, and never all of a class.

    Args:
        classes: (N,) class index of each row.
        groups: (N,) group of each row.
        share: Between 0 and 1.
        rng: Decides which.

    Returns:
        (N,) True where drawn.
    """
    drawn: list[int] = []
    for stratum in _strata(classes, groups):
        number = min(max(1, round(share * stratum.size)), stratum.size - 1)
        drawn += rng.permutation(stratum)[:number].tolist()
    return np.isin(groups, drawn)
