"""Selective risk: how many answers may be given so that, of those given, few are wrong."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from lowpower.models import Selective

__all__ = ["fit_selective"]

_STEPS: Final = 30


def fit_selective(
    wrong: ArrayLike, certainty: ArrayLike, *, error: float, confidence: float, floor: float = 0.0
) -> Selective:
    """The lowest threshold above which, with the stated confidence, at most `error` of answers are wrong.

    Geifman and El-Yaniv (NeurIPS 2017) bound the share of wrong among the answers given by Clopper and
    Pearson's one-sided interval. The threshold is chosen with the same slides, so the level is tightened
    until the bounds of all numbers of answers, from one to all, hold together. How much is exact: given the
    (k+1)-th certainty, the k slides above it are a sample of all slides above it. So where the risk falls
    with certainty, the wrong among the first k, k+1, ... are no fewer than a coin of bias `error` would give,
    and the chance that such a coin is ever below its bound is summed along its path ("learn then test",
    Angelopoulos et al. 2021, with a walk in the place of Bonferroni).

    Args:
        wrong: (N,) bool, whether each patient's likeliest answer is wrong; patients are independent.
        certainty: (N,) by which answers are ranked.
        error: Share of wrong answers among those given that is allowed.
        confidence: Probability with which that holds on patients like these.
        floor: Threshold below which nothing is given.

    Returns:
        The rule; its threshold is None, and the note says why, where no number of answers can be vouched for.

    Raises:
        ValueError: if shapes differ, there is nothing, or a share is not between 0 and 1.
    """
    from scipy.stats import beta, binom

    mistakes, ranked = np.asarray(wrong, bool), np.asarray(certainty, np.float64)
    if mistakes.shape != ranked.shape or mistakes.ndim != 1 or mistakes.size == 0:
        raise ValueError(f"{mistakes.shape} answers do not fit {ranked.shape} certainties")
    if not (0 < error < 1 and 0 < confidence < 1):
        raise ValueError(f"error {error} and confidence {confidence} must lie between 0 and 1")
    order = np.argsort(-ranked, kind="stable")
    mistakes, ranked = mistakes[order], ranked[order]
    size = mistakes.size
    level = _joint_level(size, error, 1 - confidence)
    chosen: tuple[int, int, float] | None = None
    for count in range(1, size + 1):
        threshold = max(floor, float(ranked[count]) if count < size else floor)
        given = int((ranked > threshold).sum())
        failed = int(mistakes[:given].sum())
        if given and binom.cdf(failed, given, error) <= level and (chosen is None or given > chosen[0]):
            chosen = given, failed, threshold
    few = int(np.ceil(np.log(level) / np.log(1 - error)))
    if chosen is None:
        return Selective(
            error=error, confidence=confidence, threshold=None, n=size, issued=0, wrong=0, bound=None,
            note=f"of {size} validation patients too few are answered rightly to promise that at most "
            f"{error:.0%} of issued answers are wrong (the {few} surest without a mistake would do)",
        )  # fmt: skip
    given, failed, threshold = chosen
    bound = float(beta.ppf(1 - level, failed + 1, given - failed)) if failed < given else 1.0
    return Selective(
        error=error,
        confidence=confidence,
        threshold=threshold,
        n=size,
        issued=given,
        wrong=failed,
        bound=bound,
    )


@functools.lru_cache(maxsize=256)
def _joint_level(size: int, error: float, level: float) -> float:
    """The level of each single bound at which all of them hold together with probability 1 - `level`."""
    low, high = level / size, level
    if _chance_of_any(size, error, high) <= level:
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _chance_of_any(size, error, middle) <= level:
            low = middle
        else:
            high = middle
    return low


def _chance_of_any(throws: int, error: float, level: float) -> float:
    """Chance that a coin of bias `error` is ever, within so many throws, below its bound at `level`."""
    from scipy.stats import binom

    counts = np.arange(1, throws + 1)
    most = np.asarray(binom.ppf(level, counts, error), int)
    most -= binom.cdf(most, counts, error) > level
    size = int(most.max()) + 1
    if size <= 0:
        return 0.0
    # More mistakes than the last bound allows never come below a bound again, and are not followed.
    alive, crossed = np.eye(1, size)[0], 0.0
    for allowed in most.tolist():
        alive[1:] = alive[1:] * (1 - error) + alive[:-1] * error
        alive[0] *= 1 - error
        crossed += float(alive[: allowed + 1].sum())
        alive[: allowed + 1] = 0.0
    return crossed
