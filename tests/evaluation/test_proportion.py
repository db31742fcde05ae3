"""Wilson's interval, with and without the design effect of patients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

from lowpower.evaluation import evaluate_predictions, fit_calibration, named_metrics, patient_wilson, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (3, 17), (17, 17), (81, 263), (1, 1)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_equals_statsmodels(successes: int, trials: int, confidence: float) -> None:
    expected = proportion_confint(successes, trials, alpha=1 - confidence, method="wilson")

    assert wilson(successes, trials, confidence) == pytest.approx(expected, abs=1e-12)
    # With one slide a patient the design effect is 1.
    hits = np.arange(trials) < successes
    assert patient_wilson(hits, np.arange(trials), confidence) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_what_is_no_proportion(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(successes, trials)
    with pytest.raises(ValueError, match="no proportion"):
        patient_wilson(np.zeros(0, bool), np.zeros(0))


def test_copies_of_a_slide_add_nothing() -> None:
    hits = np.arange(60) < 48
    alone = patient_wilson(hits, np.arange(60))
    copied = patient_wilson(np.repeat(hits, 4), np.repeat(np.arange(60), 4))

    assert copied == pytest.approx(alone, abs=0.005)
    assert np.diff(patient_wilson(np.repeat(hits, 4), np.arange(240)))[0] < 0.6 * np.diff(alone)[0]


def test_where_all_are_hits_a_patient_counts_once() -> None:
    assert patient_wilson(np.ones(60, bool), np.arange(60) // 3) == pytest.approx(wilson(20, 20))
    assert patient_wilson(np.zeros(6, bool), np.arange(6) // 3) == pytest.approx(wilson(0, 2))
    assert patient_wilson(np.array([True, False, True]), np.zeros(3)) == pytest.approx(wilson(2 / 3, 1))


@pytest.mark.parametrize("patients", [20, 80])
@pytest.mark.parametrize("truth", [0.8, 0.95])
def test_intervals_hold_the_truth(patients: int, truth: float) -> None:
    """Patients of one to three slides that go wrong together: about 95 % of intervals hold the share."""
    rng = np.random.default_rng(patients)
    held = 0
    for _ in range(400):
        whose = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
        share = rng.beta(2 * truth, 2 * (1 - truth), patients)
        low, high = patient_wilson(rng.random(whose.size) < share[whose], whose)
        held += low <= truth <= high

    assert 0.91 <= held / 400 <= 0.99


def test_every_proportion_of_an_evaluation_has_it(predictions: Callable[..., pl.DataFrame]) -> None:
    table = predictions(120, per_patient=2)
    calibration = fit_calibration(predictions(60, seed=5), "her2_four")
    found = evaluate_predictions(table, "her2_four", calibration=calibration, resamples=20, same_cohort=False)
    metrics = named_metrics(found)
    labels, whose = table["label"].to_numpy(), table["patient"].to_numpy()
    said = table.select(pl.col("^p_.$")).to_numpy().argmax(1)
    for name, hits, among in (
        ("ppa[3+ | rest]", said == 3, labels == 3),
        ("npa[0 | >=1+]", said == 0, labels == 0),
        ("sensitivity[1+]", said == 1, labels == 1),
        ("precision[2+]", labels == 2, said == 2),
        ("accuracy", said == labels, labels >= 0),
    ):
        metric = metrics[name]
        assert metric.value == pytest.approx(hits[among].mean()), name
        assert (metric.low, metric.high) == pytest.approx(patient_wilson(hits[among], whose[among])), name
    for name in ("coverage", "referred", "operating_ppa[3+ | rest]", "operating_npa[0 | >=1+]"):
        assert metrics[name].low < metrics[name].high
