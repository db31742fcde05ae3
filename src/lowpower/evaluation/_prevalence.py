"""Probabilities for a laboratory with other shares of classes than they were made for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.cohort import LabelScheme
from lowpower.errors import PredictionsError

__all__ = ["at_prevalence", "prevalence_of"]

_TOLERANCE = 0.011
"""Shares in whole per cent, rounded, may miss 1 by this."""


def prevalence_of(shares: str | Mapping[str, float], scheme: LabelScheme) -> NDArray[np.float64]:
    """Shares (K,) of the classes, summing to 1.

    Args:
        shares: By class name, or as text: "0=0.4, 1+=0.3, 2+=0.15, 3+=0.15".
        scheme: Whose classes.

    Raises:
        PredictionsError: if a class is missing or unknown, a share is no positive number, or they do not sum
            to 1.
    """
    said = shares if isinstance(shares, str) else ", ".join(f"{k}={v:g}" for k, v in shares.items())
    example = ",".join(f"{name}={1 / len(scheme.classes):.2g}" for name in scheme.classes)
    advice = f"give the share of each class of {scheme.name}, for instance {example}."
    found: dict[str, float] = {}
    for part in said.split(","):
        name, equals, number = part.rpartition("=")
        try:
            found[name.strip()] = float(number if equals else "")
        except ValueError:
            wrong = f"prevalence {said!r}: {part.strip()!r} is no CLASS=SHARE; {advice}"
            raise PredictionsError(wrong) from None
    odd = sorted(set(found) ^ set(scheme.classes))
    if odd:
        what = "names no class" if odd[0] in found else "is missing"
        raise PredictionsError(f"prevalence {said!r}: {odd[0]!r} {what}; {advice}")
    values = [found[name] for name in scheme.classes]
    if min(values) <= 0 or not math.isfinite(sum(values)) or abs(sum(values) - 1) > _TOLERANCE:
        raise PredictionsError(
            f"prevalence {said!r}: shares must be above 0 and sum to 1, not {sum(values):g}; {advice}"
        )
    return np.array(values) / sum(values)


def at_prevalence(
    probabilities: ArrayLike, prevalence: ArrayLike, assumed: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Probabilities as they would be where classes have other shares (Saerens et al. 2002).

    Right where slides of one class look the same here and there, and the probabilities were true before.

    Args:
        probabilities: (N, K) or (K,).
        prevalence: (K,) shares of the classes wanted.
        assumed: (K,) shares that the probabilities were made for; None: equal, as class-balanced training
            makes them.

    Returns:
        The same shape.
    """
    wanted = np.asarray(prevalence, np.float64)
    before = np.full(wanted.shape, 1 / wanted.size) if assumed is None else np.asarray(assumed, np.float64)
    moved = np.asarray(probabilities, np.float64) * (wanted / before)
    return np.asarray(moved / moved.sum(-1, keepdims=True))
