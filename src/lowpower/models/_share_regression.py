"""Class probabilities from a measurement: a multinomial logistic regression over what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ShareRegression", "fit_share_regression", "measured_inputs"]


def measured_inputs(shares: Sequence[float], h_score: float, areas: Sequence[float]) -> tuple[float, ...]:
    """What the regression sees of a slide: shares of cells by grade, H-score / 300, shares of area by DAB.

    Args:
        shares: (4,) of tumour-like cells, from not stained to strongest.
        h_score: 0 to 300.
        areas: (3,) weak, moderate and strong.
    """
    return tuple(float(value) for value in (*shares, h_score / 300, *areas))


class ShareRegression(BaseModel):
    """A fitted regression; a file, no pickle.

    Attributes:
        classes: K.
        present: Classes that the training slides had; others have probability 0.
        mean: Of each input over the training slides.
        scale: Standard deviation of each input, 1 where it was constant.
        weights: (present classes, inputs), on standardised inputs.
        intercepts: (present classes,).
        slides: Slides it was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: int = Field(ge=2)
    present: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    slides: int

    def probabilities(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """(K,) class probabilities of one slide's inputs."""
        standard = (np.asarray(inputs, np.float64) - np.array(self.mean)) / np.array(self.scale)
        logits = np.array(self.weights) @ standard + np.array(self.intercepts)
        powers = np.exp(logits - logits.max())
        found = np.zeros(self.classes)
        found[list(self.present)] = powers / powers.sum()
        return found


def fit_share_regression(
    inputs: ArrayLike, labels: ArrayLike, classes: int, *, strength: float = 1.0
) -> ShareRegression:
    """Fit on training slides, every class weighing the same.

    Args:
        inputs: (N, inputs) of `measured_inputs`.
        labels: (N,) class indices.
        classes: K.
        strength: Inverse of the L2 penalty.

    Raises:
        ValueError: on fewer than two classes among the labels.
    """
    from sklearn.linear_model import LogisticRegression

    values, truth = np.asarray(inputs, np.float64), np.asarray(labels)
    if len(np.unique(truth)) < 2:
        raise ValueError("a regression needs slides of at least two classes")
    mean, scale = values.mean(0), values.std(0)
    scale[scale < 10 * np.finfo(np.float64).eps] = 1.0  # constant but for rounding
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000)
    model.fit((values - mean) / scale, truth)
    weights, intercepts = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(model.classes_) == 2:  # scikit-learn gives one row: the second class against the first
        weights, intercepts = np.concatenate([-weights, weights]) / 2, np.array([-1, 1]) * intercepts / 2
    return ShareRegression(
        classes=classes,
        present=tuple(int(index) for index in model.classes_),
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(tuple(row) for row in weights.tolist()),
        intercepts=tuple(intercepts.tolist()),
        slides=len(truth),
    )
