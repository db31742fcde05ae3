"""Are the probabilities true? Temperature scaling, reliability, Brier score, log loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lowpower.evaluation.metrics._sample import validated
from lowpower.evaluation.metrics._weighted import ece, equal_mass_bins

__all__ = [
    "ReliabilityBin",
    "TemperatureFit",
    "apply_temperature",
    "brier_score",
    "ece_if_perfect",
    "expected_calibration_error",
    "fit_temperature",
    "log_loss",
    "reliability",
]

_TINY: Final = 1e-12
_LARGEST: Final = 20.0


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """A temperature and what it did to the validation slides.

    Attributes:
        temperature: Above 1 softens, below 1 sharpens, 1 changes nothing.
        nll_before: Mean negative log-likelihood (nats) at temperature 1.
        nll_after: The same at `temperature`.
        note: What a reader must know, or an empty string.
    """

    temperature: float
    nll_before: float
    nll_after: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of the reliability curve.

    Attributes:
        low: Smallest confidence in it.
        high: Largest confidence in it.
        confidence: Mean confidence.
        accuracy: Share of right predictions.
        n: Slides.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int


def apply_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Probabilities to the power 1 / temperature, rescaled to sum to 1.

    For a softmax head this equals dividing the logits; it serves ordinal heads too, since it asks for
    probabilities only. The order of classes never changes.

    Args:
        probabilities: (N, K) or (K,), rows sum to 1.
        temperature: Above 0.

    Returns:
        The same shape.

    Raises:
        ValueError: if the temperature is not a positive number.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be above 0, got {temperature}")
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY)) / temperature
    powered = np.exp(logs - logs.max(-1, keepdims=True))
    return np.asarray(powered / powered.sum(-1, keepdims=True))


def fit_temperature(labels: ArrayLike, probabilities: ArrayLike) -> TemperatureFit:
    """The temperature with the least negative log-likelihood (Guo et al., ICML 2017). Fit on validation only.

    Args:
        labels: (N,) class index.
        probabilities: (N, K) as the network gave them.

    Returns:
        The fit. Where every prediction is right, nothing limits how far probabilities may be sharpened, and
        the temperature stays 1; a note says so.

    Raises:
        ValueError: if the input is invalid.
    """
    from scipy.optimize import minimize_scalar

    sample = validated(labels, probabilities)
    before = log_loss(labels, probabilities)
    if bool((sample.predicted == sample.labels).all()):
        return TemperatureFit(1.0, before, before, "every prediction is right: temperature left at 1")

    def loss(log_temperature: float) -> float:
        return log_loss(sample.labels, apply_temperature(sample.probabilities, math.exp(log_temperature)))

    edge = math.log(_LARGEST)
    found = minimize_scalar(loss, bounds=(-edge, edge), method="bounded", options={"xatol": 1e-6})
    temperature, note = math.exp(found.x), ""
    if abs(found.x) > edge - 1e-3:
        note = f"temperature reached the edge of its range (1/{_LARGEST:g} to {_LARGEST:g})"
    return TemperatureFit(temperature, before, float(found.fun), note)


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean negative log-likelihood in nats; probabilities are held above 1e-12.

    Raises:
        ValueError: if the input is invalid.
    """
    sample = validated(labels, probabilities)
    chosen = sample.probabilities[np.arange(sample.size), sample.labels]
    return float(-np.log(np.maximum(chosen, _TINY)).mean())


def brier_score(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance to the one-hot label, summed over classes: 0 (best) to 2 (Brier 1950).

    Raises:
        ValueError: if the input is invalid.
    """
    sample = validated(labels, probabilities)
    target = np.eye(sample.classes)[sample.labels]
    return float(((sample.probabilities - target) ** 2).sum(1).mean())


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error of the predicted class, over bins of equal numbers of slides.

    Raises:
        ValueError: if the input is invalid.
    """
    sample = validated(labels, probabilities)
    confidence = sample.confidence
    members = equal_mass_bins(confidence, bins)
    return float(ece(np.ones((1, sample.size)), members, confidence, sample.predicted == sample.labels)[0])


def ece_if_perfect(
    probabilities: ArrayLike, *, bins: int = 10, quantile: float = 0.975, draws: int = 1000, seed: int = 0
) -> float:
    """The calibration error that perfectly calibrated probabilities would still show, by chance alone.

    Right and wrong are drawn with the stated confidence (consistency resampling, Broecker and Smith 2007). An
    error below this says nothing against the probabilities.

    Args:
        probabilities: (N, K).
        bins: As in `expected_calibration_error`.
        quantile: Of the drawn errors.
        draws: How often.
        seed: Of the drawing.

    Raises:
        ValueError: if the input is invalid.
    """
    sample = validated(np.zeros(len(np.asarray(probabilities)), np.int64), probabilities)
    confidence = sample.confidence
    members = equal_mass_bins(confidence, bins)
    held = np.eye(int(members.max()) + 1)[members]
    rng = np.random.default_rng(seed)
    errors = [
        np.abs(((rng.random(sample.size) < confidence) - confidence) @ held).sum() / sample.size
        for _ in range(draws)
    ]
    return float(np.quantile(errors, quantile))


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> list[ReliabilityBin]:
    """The reliability curve: for bins of equal numbers of slides, confidence against share right.

    Raises:
        ValueError: if the input is invalid.
    """
    sample = validated(labels, probabilities)
    confidence, right = sample.confidence, sample.predicted == sample.labels
    members = equal_mass_bins(confidence, bins)
    return [
        ReliabilityBin(
            float(confidence[held].min()),
            float(confidence[held].max()),
            float(confidence[held].mean()),
            float(right[held].mean()),
            int(held.sum()),
        )
        for held in (members == number for number in range(int(members.max()) + 1))
        if held.any()
    ]
