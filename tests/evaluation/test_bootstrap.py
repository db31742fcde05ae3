from __future__ import annotations

import numpy as np
import pytest

from lowpower.evaluation import interval_of, resampled
from lowpower.evaluation._bootstrap import patient_weights
from lowpower.evaluation.metrics._weighted import mean


def test_patients_are_drawn_whole_and_as_many_as_there_are() -> None:
    patients = np.array(["a", "b", "a", "c", "c", "c"])

    (weights,) = patient_weights(patients, 500, seed=0)

    assert weights.shape == (500, 6)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, 0] + weights[:, 1] + weights[:, 3] == 3).all()
    assert weights.mean(0) == pytest.approx(1, abs=0.1)


def test_resamples_repeat_with_the_seed_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    patients = np.arange(30) // 2
    whole = np.concatenate(list(patient_weights(patients, 100, 3)))
    monkeypatch.setattr("lowpower.evaluation._bootstrap._CELLS", 7 * 30)
    blocks = list(patient_weights(patients, 100, 3))

    assert [len(block) for block in blocks] == [7] * 14 + [2]
    assert (np.concatenate(blocks) == whole).all()
    assert (np.concatenate(list(patient_weights(patients, 100, 4))) != whole).any()


def test_interval_of_a_mean_equals_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)

    draws = resampled(lambda w: {"mean": mean(w, values)}, np.arange(400), 4000, seed=1)["mean"]
    found = interval_of(values.mean(), draws, patients=400)

    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)
    assert found.note == ""


def test_slides_of_one_patient_are_not_independent() -> None:
    """Four copies of each slide add nothing: the interval must not shrink."""
    values = np.random.default_rng(0).normal(size=100)
    alone = resampled(lambda w: {"m": mean(w, values)}, np.arange(100), 2000, seed=0)["m"]
    fourfold = np.repeat(values, 4)
    copies = resampled(lambda w: {"m": mean(w, fourfold)}, np.repeat(np.arange(100), 4), 2000, seed=0)["m"]

    assert copies == pytest.approx(alone)


def test_intervals_cover_the_truth() -> None:
    """Accuracy of 40 patients with 3 correlated slides each, truly 0.7: about 95 % of intervals hold it."""
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(400):
        share = rng.beta(3.5, 1.5, 40)
        right = rng.random((40, 3)) < share[:, None]
        flat = right.ravel().astype(float)
        draws = resampled(lambda w, flat=flat: {"a": mean(w, flat)}, np.repeat(np.arange(40), 3), 500, seed)[
            "a"
        ]
        found = interval_of(flat.mean(), draws, patients=40)
        held += found.low <= 0.7 <= found.high

    assert 0.91 <= held / 400 <= 0.98


def test_too_few_patients_get_no_interval() -> None:
    found = interval_of(0.5, np.linspace(0, 1, 100), patients=9)

    assert (found.low, found.high) == (None, None)
    assert found.note == "no interval: 9 patients, fewer than 10"


def test_undefined_resamples_are_left_out_and_counted() -> None:
    draws = np.r_[np.full(3, np.nan), np.linspace(0.4, 0.6, 97)]

    found = interval_of(0.5, draws, patients=100)

    assert found.low == pytest.approx(0.405)
    assert found.note == "3 of 100 resamples left out: a class was missing"


def test_mostly_undefined_resamples_give_no_interval() -> None:
    found = interval_of(0.5, np.r_[np.full(60, np.nan), np.linspace(0, 1, 40)], patients=100)

    assert found.low is None
    assert "60 of 100" in found.note


def test_a_value_that_resampling_cannot_move_gets_no_interval() -> None:
    found = interval_of(1.0, np.ones(100), patients=50)

    assert found.low is None
    assert "every resample gave the same value" in found.note


def test_few_patients_are_noted() -> None:
    assert "12 patients behind it: the interval is likely too narrow" in (
        interval_of(0.5, np.linspace(0, 1, 100), patients=100, behind=12).note
    )


def test_the_reflected_interval_mirrors_the_percentiles() -> None:
    found = interval_of(0.1, np.linspace(0.1, 0.3, 101), patients=50, reflect=True)

    assert (found.low, found.high) == pytest.approx((0.0, 0.095))
