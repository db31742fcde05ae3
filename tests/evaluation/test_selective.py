"""The promise about issued answers, over repeated draws from known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from lowpower.evaluation import fit_selective

GRID = np.linspace(0.4, 1, 4001)
RISKS = {
    "calibrated": lambda u: 1 - u,
    "just too risky": lambda u: np.full_like(u, 0.1001),
    "just too risky below 0.7": lambda u: np.where(u > 0.7, 0.0999, 0.5),
    "sure and wrong": lambda u: np.where(u > 0.9, 0.13, np.where(u > 0.6, 0.07, 0.5)),
    "good above 0.6": lambda u: np.where(u > 0.6, 0.02, 0.5),
}


def risk_above(threshold, risk):
    return risk(GRID[max(threshold, 0.4) <= GRID]).mean()


@pytest.mark.parametrize("size", [40, 200])
@pytest.mark.parametrize("kind", RISKS)
def test_more_than_the_stated_share_is_wrong_no_oftener_than_promised(kind, size):
    rng, risk = np.random.default_rng(size), RISKS[kind]
    broken, draws = 0, 300
    for _ in range(draws):
        certainty = rng.uniform(0.4, 1, size)
        rule = fit_selective(rng.random(size) < risk(certainty), certainty, error=0.1, confidence=0.9)
        broken += rule.threshold is not None and risk_above(rule.threshold, risk) > 0.1
    # 10 % are allowed; three standard deviations of this simulation more.
    assert broken <= binom.ppf(0.999, draws, 0.1)


def test_what_can_be_issued_is_issued():
    rng, risk = np.random.default_rng(0), RISKS["good above 0.6"]
    shares = []
    for _ in range(50):
        certainty = rng.uniform(0.4, 1, 200)
        rule = fit_selective(rng.random(200) < risk(certainty), certainty, error=0.1, confidence=0.9)
        assert rule.bound < 0.1
        shares.append(rule.issued / 200)
    assert np.mean(shares) > 0.65


def test_one_level_alone_would_break_the_promise():
    """The best of twenty thresholds, each at its own 90 %, is wrong too often; the joint level is not."""
    rng, alone, together, draws = np.random.default_rng(1), 0, 0, 300
    for _ in range(draws):
        certainty, wrong = rng.random(200), rng.random(200) < 0.1001
        sorted_ = wrong[np.argsort(-certainty)]
        alone += any(binom.cdf(sorted_[:k].sum(), k, 0.1) <= 0.1 for k in range(10, 201, 10))
        together += fit_selective(wrong, certainty, error=0.1, confidence=0.9).threshold is not None
    assert alone / draws > 0.2
    assert together / draws < 0.16


@pytest.mark.parametrize(("right", "issued"), [(21, 21), (20, 0)])
def test_every_number_of_answers_is_tried(right, issued):
    rule = fit_selective(np.arange(75) >= right, np.linspace(1, 0, 75), error=0.15, confidence=0.9)
    assert (rule.issued, rule.wrong) == (issued, 0)


def test_too_few_say_how_many_would_do():
    rule = fit_selective(np.zeros(10, bool), np.linspace(0.5, 1, 10), error=0.05, confidence=0.9)
    assert rule.threshold is None
    assert rule.issued == 0
    assert "45 surest without a mistake" in rule.note


def test_equal_certainties_are_issued_or_referred_together():
    certainty = np.repeat([0.9, 0.6], [60, 40])
    rule = fit_selective(np.repeat([False, True], [60, 40]), certainty, error=0.1, confidence=0.9)
    assert 0.6 <= rule.threshold < 0.9
    assert (rule.issued, rule.wrong) == (60, 0)


def test_nothing_is_issued_below_the_floor():
    rule = fit_selective(np.zeros(100, bool), np.linspace(0, 1, 100), error=0.1, confidence=0.9, floor=0.5)
    assert rule.threshold >= 0.5


@pytest.mark.parametrize(
    ("wrong", "certainty", "error"), [([], [], 0.1), ([True], [1, 2], 0.1), ([True], [1], 0)]
)
def test_bad_input_is_named(wrong, certainty, error):
    with pytest.raises(ValueError, match=r"do not fit|between 0 and 1"):
        fit_selective(wrong, certainty, error=error, confidence=0.9)
