"""Probabilities moved to other shares of classes are true there."""

from __future__ import annotations

import numpy as np
import pytest

from lowpower.cohort import scheme_of
from lowpower.errors import PredictionsError
from lowpower.evaluation import (
    at_prevalence,
    ece_if_perfect,
    expected_calibration_error,
    log_loss,
    prevalence_of,
)

SCHEME = scheme_of("her2_four")
SHARES = np.array([0.5, 0.3, 0.15, 0.05])


def test_probabilities_of_balanced_training_are_true_at_the_shares_given() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(4, 4000, p=SHARES)
    seen = labels + rng.normal(0, 0.8, labels.size)
    balanced = np.exp(-((seen[:, None] - np.arange(4)) ** 2) / (2 * 0.64))
    balanced /= balanced.sum(1, keepdims=True)

    moved = at_prevalence(balanced, SHARES)

    assert moved.mean(0) == pytest.approx(SHARES, abs=0.02)
    assert log_loss(labels, moved) < log_loss(labels, balanced) - 0.05
    assert expected_calibration_error(labels, moved) < ece_if_perfect(moved)
    assert expected_calibration_error(labels, balanced) > ece_if_perfect(balanced)
    assert at_prevalence(moved, np.full(4, 0.25), SHARES) == pytest.approx(balanced)
    assert at_prevalence(balanced[0], SHARES) == pytest.approx(moved[0])


def test_shares_are_read_from_text_and_names() -> None:
    told = prevalence_of("3+=0.05, 0=0.5,1+=0.3,2+=0.15", SCHEME)
    assert told == pytest.approx(SHARES)
    assert prevalence_of(dict(zip(SCHEME.classes, SHARES, strict=True)), SCHEME) == pytest.approx(SHARES)
    thirds = prevalence_of("0=0.33,Low=0.33,High=0.33", scheme_of("her2_three"))
    assert thirds == pytest.approx(np.full(3, 1 / 3))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0=0.5,1+=0.5", r"'2\+' is missing"),
        ("0=0.4,1+=0.3,2+=0.2,3+=0.1,4+=0", "'4\\+' names no class"),
        ("0=40,1+=30,2+=15,3+=15", "sum to 1, not 100"),
        ("0=0.5,1+=0.5,2+=0,3+=0", "above 0"),
        ("0.4,0.3,0.2,0.1", "'0.4' is no CLASS=SHARE"),
        ("0=0.4,1+=nan,2+=0.2,3+=0.1", "sum to 1"),
        ("", "is no CLASS=SHARE"),
    ],
)
def test_what_are_no_shares_is_refused_with_an_example(text: str, said: str) -> None:
    with pytest.raises(PredictionsError, match=said) as refused:
        prevalence_of(text, SCHEME)
    assert "0=0.25,1+=0.25,2+=0.25,3+=0.25" in str(refused.value)
