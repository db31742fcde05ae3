"""Patient-clustered bootstrap: patients are drawn with replacement, each with all of their slides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.evaluation.metrics import Array

__all__ = [
    "FEW_PATIENTS",
    "MIN_PATIENTS",
    "QUICK_RESAMPLES",
    "RESAMPLES",
    "Interval",
    "interval_of",
    "patient_weights",
    "resampled",
]

MIN_PATIENTS: Final = 10
"""Below this many patients no interval is given."""
FEW_PATIENTS: Final = 30
"""Below this many patients an interval is given with the note that it is likely too narrow."""
RESAMPLES: Final = 2000
"""Bootstrap draws of patients behind an interval."""
QUICK_RESAMPLES: Final = 1000
"""Draws where there are many intervals: a study's groups, and its table in the terminal."""
_EQUAL: Final = 1e-12
_CELLS: Final = 4_000_000  # weights held at once: 32 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval, or why there is none.

    Attributes:
        low: Lower end, or None.
        high: Upper end, or None.
        note: What a reader must know, or an empty string.
    """

    low: float | None
    high: float | None
    note: str = ""


def patient_weights(patients: NDArray[Any], resamples: int, seed: int) -> Iterator[Array]:
    """How often each slide is in each resample.

    Args:
        patients: (N,) patient of each slide.
        resamples: How many in all.
        seed: Same seed and patients (in the same order): same resamples.

    Yields:
        (R, N) counts; the R of all blocks add up to `resamples`.
    """
    _, index = np.unique(patients, return_inverse=True)
    number = int(index.max()) + 1
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS // index.size)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(0, number, (rows, number)) + number * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * number).reshape(rows, number)
        yield counts[:, index].astype(np.float64)


def resampled(
    statistics: Callable[[Array], Mapping[str, Array]], patients: NDArray[Any], resamples: int, seed: int
) -> dict[str, Array]:
    """Every statistic on every resample.

    Args:
        statistics: From weights (R, N) to (R,) values by name, NaN where undefined.
        patients: (N,) patient of each slide.
        resamples: How many.
        seed: Of the resampling.

    Returns:
        (resamples,) values by name.
    """
    blocks = [statistics(weights) for weights in patient_weights(patients, resamples, seed)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def interval_of(
    value: float,
    values: Array,
    *,
    patients: int,
    behind: int | None = None,
    confidence: float = 0.95,
    reflect: bool = False,
) -> Interval:
    """Percentile interval of a bootstrapped statistic.

    Args:
        value: The statistic on the sample itself.
        values: (R,) on the resamples, NaN where undefined.
        patients: Patients resampled.
        behind: Patients the statistic rests on (for PPA those with a positive slide); default all.
        confidence: Of the interval.
        reflect: Basic interval (percentiles mirrored at `value`) instead, for statistics that resampling
            itself inflates.

    Returns:
        The interval; without ends where it would claim what it cannot know.
    """
    behind = patients if behind is None else behind
    if patients < MIN_PATIENTS:
        return Interval(None, None, f"no interval: {patients} patients, fewer than {MIN_PATIENTS}")
    defined = values[~np.isnan(values)]
    dropped = values.size - defined.size
    notes = [f"{dropped} of {values.size} resamples left out: a class was missing"] if dropped else []
    if defined.size < values.size / 2:
        return Interval(None, None, "; ".join(["no interval", *notes]))
    if behind < FEW_PATIENTS:
        notes.append(f"{behind} patients behind it: the interval is likely too narrow")
    if np.ptp(defined) <= _EQUAL:
        return Interval(None, None, "no interval: every resample gave the same value")
    tail = (1 - confidence) / 2
    low, high = (float(end) for end in np.quantile(defined, (tail, 1 - tail)))
    if reflect:
        low, high = max(0.0, 2 * value - high), 2 * value - low
    return Interval(low, high, "; ".join(notes))
