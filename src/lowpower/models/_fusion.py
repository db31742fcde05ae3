"""From patch probabilities to one decision per slide: mean, majority, top share, or a fitted histogram.

Patches are classified one by one by a network trained on patches that carry their slide's label; fusion is
what makes one slide of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lowpower.errors import ConfigError

__all__ = ["FusionName", "HistogramFusion", "fit_histogram_fusion", "fuse_patches"]

FusionName = Literal["mean", "majority", "top"]
_SMOOTHING = 1.0


def fuse_patches(
    probabilities: NDArray[np.floating], method: FusionName = "mean", *, top: float = 0.1
) -> NDArray[np.float64]:
    """One slide's class probabilities from those of its patches.

    mean: their mean. majority: the share of patches that vote for a class (ties go to the lower class),
    smoothed by one vote spread over the classes, so that no class is impossible. top: the mean over the share
    `top` of patches with the highest expected class index; a score given for > 10 % of the cells is
    decided by the most stained tenth.

    Args:
        probabilities: (N, K), N >= 1 patches.
        method: mean, majority or top.
        top: Share of the patches that `top` looks at, above 0; at least one patch is.

    Returns:
        (K,), summing to 1.

    Raises:
        ValueError: if there are no patches or `top` is not in (0, 1].
        ConfigError: on an unknown method.
    """
    patches = _checked(probabilities)
    count, classes = patches.shape
    if method == "mean":
        fused = patches.mean(axis=0)
    elif method == "majority":
        votes = np.bincount(patches.argmax(axis=1), minlength=classes)
        fused = (votes + _SMOOTHING / classes) / (count + _SMOOTHING)
    elif method == "top":
        if not 0 < top <= 1:
            raise ValueError(f"top is a share in (0, 1], not {top}")
        take = max(1, round(top * count))
        order = np.argsort(-(patches @ np.arange(classes)), kind="stable")
        fused = patches[order[:take]].mean(axis=0)
    else:
        raise ConfigError(f"fusion {method!r} is unknown; there are {', '.join(get_args(FusionName))}.")
    return np.asarray(fused / fused.sum(), np.float64)


class HistogramFusion(BaseModel):
    """A multinomial logistic regression over the histogram of a slide's patch scores; a file, no pickle.

    Attributes:
        classes: K.
        bins: Bins of each class's histogram.
        coefficients: (K, K * bins + K) weights of the standardised features.
        intercepts: (K,).
        centre: Mean of each feature on the slides it was fitted on.
        scale: Standard deviation of each feature, 1 where it was constant.
        slides: Slides it was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    classes: int = Field(ge=2)
    bins: int = Field(ge=2)
    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    slides: int

    def fuse(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Class probabilities (K,) of a slide from those of its patches (N, K).

        Raises:
            ValueError: if there are no patches or another number of classes.
        """
        patches = _checked(probabilities)
        if patches.shape[1] != self.classes:
            raise ValueError(f"patches have {patches.shape[1]} classes, the fusion {self.classes}")
        features = (_histogram(patches, self.bins) - np.array(self.centre)) / np.array(self.scale)
        logits = np.array(self.coefficients) @ features + np.array(self.intercepts)
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum(), np.float64)


def fit_histogram_fusion(
    slides: Sequence[NDArray[np.floating]],
    labels: NDArray[np.integer],
    classes: int,
    *,
    bins: int = 8,
    strength: float = 0.3,
) -> HistogramFusion:
    """Fit the fusion on slides that trained nothing else: the validation fold, never the test fold.

    Args:
        slides: (N_i, K) patch probabilities of each slide.
        labels: (number of slides,) class indices.
        classes: K. A class without a slide here gets the lowest logit of all and is never preferred.
        bins: Bins of each class's histogram.
        strength: Inverse of the L2 penalty.

    Raises:
        ValueError: on fewer than two classes among the labels, or shapes that do not fit.
    """
    from sklearn.linear_model import LogisticRegression

    labels = np.asarray(labels)
    if len(slides) != len(labels):
        raise ValueError(f"{len(slides)} slides, {len(labels)} labels")
    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError("a fusion needs slides of at least two classes to be fitted")
    features = np.stack([_histogram(_checked(patches), bins) for patches in slides])
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-9] = 1.0
    regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    regression.fit((features - centre) / scale, labels)
    weights, intercepts = np.asarray(regression.coef_), np.asarray(regression.intercept_)
    if len(present) == 2:  # scikit-learn gives one row: the second class against the first
        weights, intercepts = (
            np.concatenate([-weights, weights]) / 2,
            np.concatenate([-intercepts, intercepts]) / 2,
        )
    every = np.zeros((classes, features.shape[1]))
    offsets = np.full(classes, float(intercepts.min()) - 10.0)
    every[present], offsets[present] = weights, intercepts
    return HistogramFusion(
        classes=classes,
        bins=bins,
        coefficients=tuple(tuple(row) for row in every.tolist()),
        intercepts=tuple(offsets.tolist()),
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        slides=len(slides),
    )


def _histogram(patches: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Share of patches in each bin of each class's probability, then each class's mean: (K * bins + K,)."""
    place = np.minimum((patches * bins).astype(np.int64), bins - 1)
    shares = [
        np.bincount(place[:, index], minlength=bins) / len(patches) for index in range(patches.shape[1])
    ]
    return np.concatenate([*shares, patches.mean(axis=0)])


def _checked(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    patches = np.asarray(probabilities, np.float64)
    if patches.ndim != 2 or patches.shape[0] < 1 or patches.shape[1] < 2:
        raise ValueError(f"patch probabilities must be (N >= 1, K >= 2), not {patches.shape}")
    return patches
