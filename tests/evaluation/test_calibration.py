from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st

from lowpower.evaluation import (
    apply_temperature,
    brier_score,
    ece_if_perfect,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)


def test_log_loss_and_brier_equal_scikit_learn(draw: Callable[..., tuple]) -> None:
    labels, probabilities = draw()

    assert log_loss(labels, probabilities) == pytest.approx(reference.log_loss(labels, probabilities))
    assert brier_score(labels, probabilities) == pytest.approx(
        reference.brier_score_loss(labels, probabilities, scale_by_half=False)
    )


def test_ece_by_hand() -> None:
    # Four slides in two bins of two: confidences 0.6, 0.7 (one right) and 0.8, 0.9 (both right).
    probabilities = [[0.6, 0.4], [0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]
    labels = [0, 0, 0, 1]

    ece = expected_calibration_error(labels, probabilities, bins=2)

    assert ece == pytest.approx((2 * abs(0.5 - 0.65) + 2 * abs(1 - 0.85)) / 4)
    first, second = reliability(labels, probabilities, bins=2)
    assert (first.low, first.high, first.accuracy, first.n) == (0.6, 0.7, 0.5, 2)
    assert (second.confidence, second.accuracy, second.n) == (pytest.approx(0.85), 1.0, 2)


def test_bins_hold_equal_numbers_and_never_divide_ties(draw: Callable[..., tuple]) -> None:
    labels, probabilities = draw(1000)
    assert {bin_.n for bin_ in reliability(labels, probabilities)} <= set(range(90, 111))

    tied = np.array([[0.7, 0.3]] * 8 + [[0.9, 0.1]] * 2)
    assert [bin_.n for bin_ in reliability(np.zeros(10, int), tied, bins=5)] == [8, 2]
    assert [bin_.n for bin_ in reliability([0], [[0.7, 0.3]])] == [1]


def test_ece_of_true_probabilities_goes_to_zero() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet((1, 1, 1), 100_000)
    labels = (rng.random(100_000)[:, None] > np.cumsum(probabilities, 1)).sum(1)

    assert expected_calibration_error(labels, probabilities) < 0.01
    assert expected_calibration_error(labels, apply_temperature(probabilities, 0.5)) > 0.1


def test_what_chance_shows_of_perfect_calibration() -> None:
    """97.5 % of perfectly calibrated tables stay below the bound; an overconfident one does not."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet((1, 1, 1), 100)
    bound = ece_if_perfect(probabilities)

    def error(sharpened: np.ndarray) -> float:
        labels = (rng.random(100)[:, None] > np.cumsum(probabilities, 1)).sum(1)
        return expected_calibration_error(labels, sharpened)

    assert np.mean([error(probabilities) <= bound for _ in range(300)]) == pytest.approx(0.975, abs=0.025)
    sharp = apply_temperature(probabilities, 0.3)
    assert np.mean([error(sharp) <= ece_if_perfect(sharp, draws=200) for _ in range(30)]) < 0.1


@pytest.mark.parametrize("true", [0.4, 1.0, 2.5])
def test_temperature_is_recovered(true: float) -> None:
    rng = np.random.default_rng(1)
    honest = rng.dirichlet((1, 1, 1, 1), 20_000)
    labels = (rng.random(20_000)[:, None] > np.cumsum(honest, 1)).sum(1)

    fit = fit_temperature(labels, apply_temperature(honest, 1 / true))

    assert fit.temperature == pytest.approx(true, rel=0.03)
    assert fit.nll_after <= fit.nll_before
    assert fit.note == ""


def test_temperature_equals_an_independent_fit_on_logits(draw: Callable[..., tuple]) -> None:
    labels, probabilities = draw(sharpen=3.0)
    logits = np.log(probabilities) + 7.0

    def loss(parameter: np.ndarray) -> float:
        scaled = logits * np.exp(parameter[0])
        logs = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
        return float(-logs[np.arange(labels.size), labels].mean())

    found = scipy.optimize.minimize(loss, [0.0], method="BFGS")

    fit = fit_temperature(labels, probabilities)
    assert fit.temperature == pytest.approx(np.exp(-found.x[0]), rel=1e-3)
    assert fit.nll_after == pytest.approx(found.fun)


def test_temperature_stays_1_where_nothing_is_wrong() -> None:
    fit = fit_temperature([0, 1], [[0.9, 0.1], [0.2, 0.8]])

    assert fit.temperature == 1
    assert "every prediction is right" in fit.note


def test_a_useless_classifier_is_softened_to_the_edge() -> None:
    fit = fit_temperature([0, 1, 0, 1], [[0.1, 0.9], [0.9, 0.1]] * 2)

    assert fit.temperature == pytest.approx(20, rel=0.01)
    assert "edge" in fit.note


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 0.01),
    st.floats(0.1, 10),
)
def test_temperature_keeps_order_and_sum(raw: list[float], temperature: float) -> None:
    probabilities = np.array(raw) / sum(raw)

    warm = apply_temperature(probabilities, temperature)

    assert warm.sum() == pytest.approx(1)
    for first in range(3):
        for second in range(3):
            if probabilities[first] > probabilities[second]:
                assert warm[first] >= warm[second]


def test_temperature_1_changes_nothing_and_0_is_refused(draw: Callable[..., tuple]) -> None:
    _, probabilities = draw()

    assert apply_temperature(probabilities, 1) == pytest.approx(probabilities)
    assert apply_temperature(probabilities[0], 1) == pytest.approx(probabilities[0])
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="above 0"):
            apply_temperature(probabilities, wrong)


def test_a_probability_of_0_stays_finite() -> None:
    assert np.isfinite(log_loss([0], [[0.0, 1.0]]))
    assert fit_temperature([0, 1, 1], [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]).temperature > 1
