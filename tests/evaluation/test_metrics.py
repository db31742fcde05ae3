from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lowpower import evaluation as ours
from lowpower.evaluation.metrics import _weighted

Drawn = tuple[NDArray[np.int64], NDArray[np.float64]]
Draw = Callable[..., Drawn]

CASES = [{}, {"n": 7, "seed": 3}, {"classes": 2}, {"classes": 3, "skill": 0.0}, {"skill": 9.0}, {"n": 1000}]


def tables(classes: int = 4) -> st.SearchStrategy[Drawn]:
    """Small tables with many ties, missing classes and single slides."""

    def build(rows: list[tuple[int, list[int]]]) -> Drawn:
        weights = np.array([weight for _, weight in rows], float) + 1e-3
        return np.array([label for label, _ in rows]), weights / weights.sum(1, keepdims=True)

    row = st.tuples(
        st.integers(0, classes - 1), st.lists(st.integers(0, 3), min_size=classes, max_size=classes)
    )
    return st.lists(row, min_size=1, max_size=25).map(build)


@pytest.mark.parametrize("case", CASES)
def test_metrics_equal_scikit_learn(draw: Draw, case: dict[str, float]) -> None:
    labels, probabilities = draw(**case)
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(1)
    known = list(range(classes))

    assert ours.accuracy(labels, probabilities) == pytest.approx(reference.accuracy_score(labels, predicted))
    assert ours.balanced_accuracy(labels, probabilities) == pytest.approx(
        np.mean(reference.recall_score(labels, predicted, average=None, labels=np.unique(labels)))
    )
    for average in ("macro", "weighted"):
        expected = reference.f1_score(labels, predicted, average=average, zero_division=0)
        assert getattr(ours, f"f1_{average}")(labels, probabilities) == pytest.approx(expected)
    assert ours.kappa_quadratic(labels, probabilities) == pytest.approx(
        reference.cohen_kappa_score(labels, predicted, weights="quadratic", labels=known)
    )
    assert (
        ours.confusion_matrix(labels, probabilities)
        == reference.confusion_matrix(labels, predicted, labels=known)
    ).all()


@pytest.mark.parametrize("case", [case for case in CASES if case.get("n") != 7])
def test_aucs_equal_scikit_learn(draw: Draw, case: dict[str, float]) -> None:
    labels, probabilities = draw(**case)
    scores = probabilities.round(12)  # scikit-learn tells 0.1 + 0.2 from 0.3; we do not
    classes = probabilities.shape[1]

    per_class = [reference.roc_auc_score(labels == label, scores[:, label]) for label in range(classes)]

    assert ours.auc_per_class(labels, probabilities) == pytest.approx(per_class)
    assert ours.auc_macro(labels, probabilities) == pytest.approx(np.mean(per_class))
    if classes > 2:
        assert ours.auc_macro(labels, probabilities) == pytest.approx(
            reference.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
        )
    for at in range(1, classes):
        assert ours.auc_at(labels, probabilities, at) == pytest.approx(
            reference.roc_auc_score(labels >= at, probabilities[:, at:].sum(1).round(12))
        )


@pytest.mark.parametrize("at", [1, 2, 3])
def test_percent_agreements_are_sensitivity_and_specificity(draw: Draw, at: int) -> None:
    labels, probabilities = draw()
    called = probabilities.argmax(1) >= at

    assert ours.percent_agreement(labels, probabilities, at) == pytest.approx(
        (reference.recall_score(labels >= at, called), reference.recall_score(labels < at, ~called))
    )


def test_percent_agreement_by_hand() -> None:
    labels = [0, 0, 0, 1, 2, 2, 3, 3]
    predicted = [0, 1, 0, 0, 2, 3, 3, 2]

    assert ours.percent_agreement(labels, np.eye(4)[predicted], 1) == (4 / 5, 2 / 3)
    assert ours.percent_agreement(labels, np.eye(4)[predicted], 3) == (1 / 2, 5 / 6)


def test_weighted_auc_equals_scikit_learn_and_mann_whitney(draw: Draw) -> None:
    labels, probabilities = draw(150, 2)
    weights = np.random.default_rng(0).integers(0, 4, (5, 150)).astype(float)
    score, positive = probabilities[:, 1].round(12), labels == 1

    found = _weighted.auc(weights, positive, score)

    for row, value in zip(weights, found, strict=True):
        assert value == pytest.approx(reference.roc_auc_score(positive, score, sample_weight=row))
    statistic = scipy.stats.mannwhitneyu(score[positive], score[~positive]).statistic
    assert _weighted.auc(np.ones((1, 150)), positive, score)[0] == pytest.approx(
        statistic / (positive.sum() * (~positive).sum())
    )


def test_weights_mean_repeated_slides(draw: Draw) -> None:
    """A weight of 3 gives exactly what listing the slide three times gives: the bootstrap rests on this."""
    labels, probabilities = draw(60)
    counts = np.random.default_rng(1).integers(0, 4, 60)
    weights = counts[None].astype(float)
    many, much = np.repeat(labels, counts), np.repeat(probabilities, counts, axis=0)
    confidence = probabilities.max(1).round(12)
    wrong = probabilities.argmax(1) != labels

    matrix = _weighted.confusion(weights, labels, probabilities.argmax(1), 4)
    assert (matrix[0] == ours.confusion_matrix(many, much)).all()
    assert _weighted.from_confusion(matrix, ())["kappa_quadratic"][0] == pytest.approx(
        reference.cohen_kappa_score(many, much.argmax(1), weights="quadratic")
    )
    assert _weighted.aurc(weights, confidence, wrong)[0] == pytest.approx(ours.risk_coverage(many, much).aurc)


def test_rounding_errors_break_no_ties(draw: Draw) -> None:
    labels, probabilities = draw(classes=2)

    first, second = ours.auc_per_class(labels, probabilities)

    assert first == pytest.approx(second, abs=1e-12)
    assert ours.auc_at(labels, [[0.7, 0.1, 0.2]] * 100 + [[0.7, 0.3, 0]] * 100, 1) == 0.5


def test_expected_score_is_the_mean_class() -> None:
    assert ours.expected_score([[1, 0, 0, 0], [0, 0.5, 0, 0.5]]) == pytest.approx([0, 2])
    assert ours.expected_score([0.25, 0.25, 0.25, 0.25]) == pytest.approx(1.5)


def test_undefined_is_none_never_nan() -> None:
    sure = np.eye(3)[[0, 0]]

    assert ours.auc_per_class([0, 0], sure) == [None, None, None]
    assert ours.auc_macro([0, 0], sure) is None
    assert ours.auc_at([0, 0], sure, 1) is None
    assert ours.kappa_quadratic([0, 0], sure) is None
    assert ours.percent_agreement([0, 0], sure, 1) == (None, 1.0)
    assert ours.percent_agreement([2, 2], np.eye(3)[[2, 2]], 1) == (1.0, None)


def test_constant_predictions_have_no_agreement_beyond_chance() -> None:
    assert ours.kappa_quadratic([0, 1, 2], np.eye(3)[[1, 1, 1]]) == pytest.approx(0)
    assert ours.auc_macro([0, 1, 2], np.full((3, 3), 1 / 3)) == pytest.approx(0.5)


@settings(max_examples=150, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_metrics_stay_in_range_and_ignore_order(table: Drawn, random: object) -> None:
    labels, probabilities = table
    order = np.arange(labels.size)
    random.shuffle(order)
    ranges = {
        "accuracy": (0, 1),
        "balanced_accuracy": (0, 1),
        "f1_macro": (0, 1),
        "f1_weighted": (0, 1),
        "kappa_quadratic": (-1, 1),
        "auc_macro": (0, 1),
        "log_loss": (0, math.inf),
        "brier_score": (0, 2),
        "expected_calibration_error": (0, 1),
    }

    for name, (low, high) in ranges.items():
        value = getattr(ours, name)(labels, probabilities)
        again = getattr(ours, name)(labels[order], probabilities[order])
        assert (value is None) == (again is None)
        if value is not None:
            assert low - 1e-12 <= value <= high + 1e-12
            assert again == pytest.approx(value, abs=1e-9)
    assert 0 <= ours.risk_coverage(labels, probabilities).aurc <= 1


@settings(max_examples=100, deadline=None)
@given(tables(2))
def test_swapping_two_classes_swaps_the_agreements(table: Drawn) -> None:
    labels, probabilities = table
    tied = probabilities[:, 0] == probabilities[:, 1]
    labels, probabilities = labels[~tied], probabilities[~tied]
    if not labels.size:
        return

    ppa, npa = ours.percent_agreement(labels, probabilities, 1)

    assert ours.percent_agreement(1 - labels, probabilities[:, ::-1], 1) == (npa, ppa)
    assert ours.auc_at(labels, probabilities, 1) == pytest.approx(
        ours.auc_at(1 - labels, probabilities[:, ::-1], 1)
    )


@pytest.mark.parametrize(
    ("labels", "probabilities", "said"),
    [
        ([0, 1], [0.5, 0.5], "classes >= 2"),
        ([0], [[0.5, 0.5], [0.5, 0.5]], "do not fit"),
        ([], np.empty((0, 2)), "no slides"),
        ([0.5], [[0.5, 0.5]], "whole class indices"),
        (["a"], [[0.5, 0.5]], "whole class indices"),
        ([2], [[0.5, 0.5]], "label 2 is no class index below 2"),
        ([-1], [[0.5, 0.5]], "label -1"),
        ([0], [[0.5, np.nan]], "row 0"),
        ([0, 0], [[0.5, 0.5], [1.2, -0.2]], "row 1"),
        ([0], [[0.5, 0.4]], "sum to 1"),
    ],
)
def test_invalid_input_is_refused(labels: object, probabilities: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ours.accuracy(labels, probabilities)


@pytest.mark.parametrize("at", [0, 4])
def test_cut_offs_must_divide_the_classes(draw: Draw, at: int) -> None:
    labels, probabilities = draw()

    for function in (ours.percent_agreement, ours.auc_at, ours.choose_operating_point):
        with pytest.raises(ValueError, match="between 1 and 3"):
            function(labels, probabilities, at)
