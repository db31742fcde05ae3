"""What may be said: a class where the bundle's conformal set leaves one, otherwise a referral to a human."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lowpower.models import Bundle, Prediction

__all__ = ["REFER", "decide", "prediction_set"]

REFER = "refer"


def prediction_set(bundle: Bundle, probabilities: NDArray[np.float64]) -> tuple[str, ...] | None:
    """Classes that remain possible at the bundle's coverage; None where it has no abstention rule.

    Split conformal prediction (Vovk et al. 2005): a class stays while it is at least as probable as the
    threshold that the validation slides gave.
    """
    if bundle.abstention is None:
        return None
    kept = probabilities >= np.array(bundle.abstention.min_probability)
    return tuple(name for name, stays in zip(bundle.scheme.classes, kept, strict=True) if stays)


def decide(bundle: Bundle, prediction: Prediction) -> tuple[str, str | None]:
    """The decision and, where it is to refer, why.

    Returns:
        (class name, None), or ("refer", sentence).
    """
    classes = bundle.scheme.classes
    likeliest = classes[int(np.argmax(prediction.probabilities))]
    kept = prediction_set(bundle, prediction.probabilities)
    if kept is None:
        return likeliest, None
    if len(kept) == 1:
        return kept[0], None
    assert bundle.abstention is not None
    error = f"{1 - bundle.abstention.coverage:.0%}"
    if not kept:
        return REFER, f"Refer to a pathologist: no class is likely enough at an error rate of {error}."
    among = " and ".join(kept)
    return REFER, f"Refer to a pathologist: {among} cannot be told apart at an error rate of {error}."
