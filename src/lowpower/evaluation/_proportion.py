"""Intervals of proportions whose trials come in patients: Wilson's with the patients' design effect."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["patient_wilson", "wilson"]


def wilson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (JASA 1927).

    Args:
        successes: 0 .. trials.
        trials: Above 0.
        confidence: Of the interval.

    Raises:
        ValueError: if there are no trials, or successes lie outside.

    Examples:
        >>> low, high = wilson(9, 10)
        >>> f"{low:.2f} to {high:.2f}"
        '0.60 to 0.98'
    """
    if not 0 <= successes <= trials or trials <= 0:
        raise ValueError(f"{successes:g} successes of {trials:g} trials is no proportion")
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    share = successes / trials
    centre = share + z2 / (2 * trials)
    half = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2)))
    scale = 1 + z2 / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def patient_wilson(
    hits: NDArray[np.bool_], patients: NDArray[Any], confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's interval of a share of slides, of which one patient may have several.

    The trials count for as many as would give the variance between patients: divided by the design effect
    (Kish 1965), at least 1, and corrected for the patients it is estimated from (Korn and Graubard, Survey
    Methodology 1998). With one slide a patient it is Wilson's own. Where all slides are hits, or none, they
    show no variance: then a patient counts once.

    Args:
        hits: (N,) of the slides that the share is of, N >= 1.
        patients: (N,)
        confidence: Of the interval.

    Raises:
        ValueError: if there is no slide.
    """
    from scipy.stats import t

    if hits.size == 0:
        raise ValueError("no slides: no proportion")
    _, whose = np.unique(patients, return_inverse=True)
    number, trials, share = int(whose.max()) + 1, hits.size, float(hits.mean())
    if share in (0.0, 1.0) or number < 2:
        return wilson(share * number, number, confidence)
    excess = np.bincount(whose, hits - share)
    between = number / (number - 1) * float(excess @ excess) / trials**2
    effect = max(1.0, between * (trials - 1) / (share * (1 - share)))
    tail = (1 + confidence) / 2
    effect *= (float(t.ppf(tail, number - 1)) / float(t.ppf(tail, trials - 1))) ** 2
    return wilson(share * trials / effect, trials / effect, confidence)
