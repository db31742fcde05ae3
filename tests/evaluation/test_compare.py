from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from lowpower.errors import PredictionsError
from lowpower.evaluation import Comparison, compare_predictions, delong, evaluate_predictions, holm, mcnemar

Table = Callable[..., pl.DataFrame]


@pytest.fixture
def pair(predictions: Table) -> Callable[..., tuple[pl.DataFrame, pl.DataFrame]]:
    """Two models of one set of slides; the second sees `gain` more."""

    def make(n: int = 200, gain: float = 0.8, per_patient: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
        first = predictions(n, per_patient=per_patient)
        logits = np.log(first.select(pl.col("^p_.$")).to_numpy())
        rng = np.random.default_rng(9)
        logits = logits + rng.normal(0, 0.7, logits.shape)
        logits[np.arange(n), first["label"].to_numpy()] += gain
        raised = np.exp(logits)
        raised /= raised.sum(1, keepdims=True)
        second = first.with_columns(**{f"p_{label}": raised[:, label] for label in range(4)})
        return first, second.sample(fraction=1, shuffle=True, seed=3)

    return make


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_equals_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.random(80) < 0.7, rng.random(80) < 0.55
    table = [
        [(first & second).sum(), (first & ~second).sum()],
        [(~first & second).sum(), (~first & ~second).sum()],
    ]

    found = mcnemar(first, second)

    assert found.p == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
    assert (found.only_first, found.only_second) == (table[0][1], table[1][0])


def test_mcnemar_without_disagreement_is_1() -> None:
    assert mcnemar([True, False], [True, False]).p == 1
    with pytest.raises(ValueError, match="same slides"):
        mcnemar([True], [True, False])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_refuses_what_is_no_p_value() -> None:
    assert holm([]) == []
    for wrong in ([1.1], [-0.1], [float("nan")]):
        with pytest.raises(ValueError, match="not p-values"):
            holm(wrong)


def scores(n: int, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    shared = positive + rng.normal(0, 1, n)
    return positive, (shared + rng.normal(0, noise, n)).round(1), (shared + rng.normal(0, 0.5, n)).round(1)


def delong_by_hand(positive: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The published formulas, pair by pair: AUC difference and its variance."""
    components = []
    for score in (first, second):
        plus, minus = score[positive][:, None], score[~positive][None, :]
        beats = (plus > minus) + 0.5 * (plus == minus)
        components.append((beats.mean(1), beats.mean(0)))
    s10 = np.cov([c[0] for c in components])
    s01 = np.cov([c[1] for c in components])
    covariance = s10 / positive.sum() + s01 / (~positive).sum()
    difference = components[0][0].mean() - components[1][0].mean()
    return difference, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_delong_equals_the_published_formulas(seed: int) -> None:
    positive, first, second = scores(90, seed)
    difference, variance = delong_by_hand(positive, first, second)

    found = delong(positive, first, second)

    assert found.first == pytest.approx(roc_auc_score(positive, first))
    assert found.second == pytest.approx(roc_auc_score(positive, second))
    assert found.first - found.second == pytest.approx(difference)
    assert found.error**2 == pytest.approx(variance)


def test_delong_agrees_with_a_permutation_test() -> None:
    """Swapping the models' scores at random, slide by slide, is a test that shares nothing with DeLong's."""
    positive, first, second = scores(90, 1)
    first, second = scipy.stats.rankdata(first), scipy.stats.rankdata(second)
    rng = np.random.default_rng(0)
    swaps = rng.random((2000, 90)) < 0.5

    def areas(score: np.ndarray) -> np.ndarray:
        ranks = scipy.stats.rankdata(score, axis=1)[:, positive].sum(1)
        held = positive.sum()
        return (ranks - held * (held + 1) / 2) / (held * (90 - held))

    swapped = areas(np.where(swaps, second, first)) - areas(np.where(swaps, first, second))
    difference = areas(first[None]) - areas(second[None])

    found = delong(positive, first, second)

    assert found.first - found.second == pytest.approx(difference[0])
    assert found.p == pytest.approx(np.mean(np.abs(swapped) >= np.abs(difference) - 1e-12), abs=0.05)


def test_copies_of_a_slide_add_nothing_when_clustered() -> None:
    positive, first, second = scores(80, 1)
    alone = delong(positive, first, second)
    copies = [np.repeat(values, 3) for values in (positive, first, second)]

    clustered = delong(*copies, patients=np.repeat(np.arange(80), 3))

    assert clustered.error == pytest.approx(alone.error)
    assert clustered.p == pytest.approx(alone.p)
    assert delong(*copies).error < 0.7 * alone.error


def test_clustered_delong_keeps_its_level() -> None:
    """Two equally good models, patients with positive and negative slides: 5 % of p-values lie below 0.05."""
    rng = np.random.default_rng(0)
    below = 0
    for _ in range(400):
        patients = np.repeat(np.arange(50), 3)
        positive = rng.random(150) < 0.4
        habit = rng.normal(0, 1, (2, 50))[:, patients]  # each model leans on each patient
        first, second = positive + habit + rng.normal(0, 1, (2, 150))
        p = delong(positive, first, second, patients).p
        below += p is not None and p < 0.05

    assert 0.025 <= below / 400 <= 0.085


def test_delong_of_equal_scores_is_1() -> None:
    positive, first, _ = scores(40, 0)

    assert delong(positive, first, first).p == 1
    assert delong(positive, positive, 1.0 - positive).p is None  # 1 against 0, without any error to judge by


def test_delong_refuses_too_few() -> None:
    with pytest.raises(ValueError, match="two patients"):
        delong([True, False, False], [1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="do not fit"):
        delong([True, False], [1, 2, 3], [1, 2, 3])


def test_a_better_model_is_found_better(pair: Callable[..., tuple]) -> None:
    first, second = pair(300, 1.0, per_patient=2)

    found = compare_predictions(first, second, "her2_four", names=("low", "high"), resamples=500)

    single = [evaluate_predictions(table, "her2_four", resamples=20) for table in (first, second)]
    for name in ("auc_macro", "kappa_quadratic", "accuracy"):
        metric = found.metrics[name]
        assert metric.first == pytest.approx(single[0].metrics[name].value)
        assert metric.second == pytest.approx(single[1].metrics[name].value)
        assert metric.difference == pytest.approx(metric.second - metric.first)
        assert 0 < metric.low < metric.difference < metric.high
        assert metric.p < 0.01
        assert metric.p_bootstrap == pytest.approx(2 / 501)
    assert found.metrics["ppa/1"].first == pytest.approx(single[0].cutoffs["0 | >=1+"].ppa.value)
    assert found.mcnemar.p < 0.01
    assert found.delong["0"].first == pytest.approx(single[0].per_class["0"]["auc"].value)
    assert all(entry.p <= entry.p_holm <= 1 for entry in found.delong.values())
    assert (found.slides, found.patients) == (300, 150)
    assert "McNemar's test takes" in found.notes[0]


def test_equal_models_differ_in_nothing(predictions: Table) -> None:
    table = predictions(100)

    found = compare_predictions(table, table, "her2_four", resamples=100)

    assert found.mcnemar.p == 1
    for name, metric in found.metrics.items():
        assert metric.difference == 0
        assert metric.low is None
        assert metric.p == (1 if name in ("auc_macro", "auc_at/1", "accuracy") else metric.p)
    assert all(entry.p == 1 for entry in found.delong.values())


@pytest.mark.parametrize("metric", ["accuracy", "kappa_quadratic"])
def test_paired_intervals_are_narrower_than_unpaired_ones(pair: Callable[..., tuple], metric: str) -> None:
    first, second = pair(200, 0.3)

    paired = compare_predictions(first, second, "her2_four", resamples=500).metrics[metric]

    single = evaluate_predictions(first, "her2_four", resamples=500).metrics[metric]
    assert paired.high - paired.low < (single.high - single.low) * 2**0.5


def test_swapping_the_models_mirrors_everything(pair: Callable[..., tuple]) -> None:
    first, second = pair()

    forth = compare_predictions(first, second, "her2_four", resamples=300)
    back = compare_predictions(second.sort("slide"), first.sort("slide"), "her2_four", resamples=300)
    again = compare_predictions(first.sort("slide"), second, "her2_four", resamples=300)

    assert back.metrics["accuracy"].difference == pytest.approx(-forth.metrics["accuracy"].difference)
    assert back.metrics["accuracy"].low == pytest.approx(-again.metrics["accuracy"].high)
    assert back.delong["0"].p == pytest.approx(forth.delong["0"].p)


def test_the_file_round_trips(pair: Callable[..., tuple], tmp_path: Path) -> None:
    found = compare_predictions(*pair(60), "her2_four", resamples=50)

    assert Comparison.load(found.save(tmp_path / "c.json")) == found
    with pytest.raises(PredictionsError, match="cannot be read"):
        Comparison.load(tmp_path / "none.json")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(PredictionsError, match="is not a comparison"):
        Comparison.load(tmp_path / "c.json")


def test_few_patients_and_missing_classes_are_said(pair: Callable[..., tuple]) -> None:
    few = compare_predictions(*pair(40, per_patient=5), "her2_four")
    assert "8 patients are too few for intervals (at least 10)" in few.notes
    assert few.metrics["accuracy"].low is None

    first, second = (table.with_columns(pl.col("label").clip(0, 2)) for table in pair(60))
    found = compare_predictions(first, second, "her2_four", resamples=50)
    assert found.delong["3+"].note.startswith("undefined")
    assert found.metrics["auc_macro"].difference is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.head(199), "predicted by A alone"),
        (lambda t: t.with_columns(pl.lit("x").alias("patient")), "has another patient"),
        (lambda t: t.with_columns((pl.col("label") + 1) % 4), "has another label"),
    ],
)
def test_other_slides_labels_or_patients_are_refused(
    pair: Callable[..., tuple], change: Callable[[pl.DataFrame], pl.DataFrame], said: str
) -> None:
    first, second = pair()

    with pytest.raises(PredictionsError, match=said):
        compare_predictions(first, change(second), "her2_four", names=("A", "B"))
