"""What is fitted on validation slides is calibrated on them out of fold: the promised coverage holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.evaluation import (
    apply_temperature,
    conformal_sets,
    fit_conformal,
    fit_temperature,
    patient_folds,
)
from lowpower.experiments.units._late_fusion import cross_fused, fit_weights, fused
from lowpower.experiments.units._learners import cross_histogram
from lowpower.models import fit_histogram_fusion

CLASSES = 4
Floats = NDArray[np.float64]
Slides = tuple[list[Floats], NDArray[np.int64], NDArray[np.int64]]


def drawn(patients: int, rng: np.random.Generator, slides: int = 1) -> Slides:
    """Patch probabilities, labels and patients of slides of a network of middling skill."""
    whose = np.repeat(np.arange(patients), slides)
    labels = np.repeat(rng.permutation(np.arange(patients) % CLASSES), slides)
    shift = np.repeat(rng.normal(0, 0.8, patients), slides)
    made = []
    for centre in labels + shift + rng.normal(0, 0.3, whose.size):
        seen = centre + rng.normal(0, 1.2, 30)
        odds = np.exp(-((seen[:, None] - np.arange(CLASSES)) ** 2) / 2)
        made.append(odds / odds.sum(1, keepdims=True))
    return made, labels, whose


def coverage(labels: NDArray[np.int64], seen: Floats, truth: NDArray[np.int64], test: Floats) -> float:
    """Share of test slides whose set, promised at 0.90 from `seen`, holds the truth."""
    temperature = fit_temperature(labels, seen).temperature
    rule = fit_conformal(labels, apply_temperature(seen, temperature), coverage=0.9)
    sets = conformal_sets(apply_temperature(test, temperature), rule)
    return float(sets[np.arange(len(truth)), truth].mean())


@pytest.mark.parametrize(("slides", "once"), [(17, 0.70), (40, 0.80), (80, 0.85)])
def test_a_histogram_fusion_keeps_its_promise(slides: int, once: float) -> None:
    rng = np.random.default_rng(slides)
    honest, naive = [], []
    for _ in range(12):
        seen, labels, whose = drawn(slides, rng)
        test, truth, _ = drawn(60, rng)
        fusion = fit_histogram_fusion(seen, labels, CLASSES)
        told = np.stack([fusion.fuse(slide) for slide in test])
        honest.append(coverage(labels, cross_histogram(seen, labels, whose, CLASSES), truth, told))
        naive.append(coverage(labels, np.stack([fusion.fuse(slide) for slide in seen]), truth, told))
    assert np.mean(naive) < once, "the simulation shows no harm to cure"
    assert np.mean(honest) > 0.87
    assert np.mean(honest) < 0.985


def test_a_late_fusion_keeps_its_promise() -> None:
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(20):
        arms, tests = [], []
        labels, truth = rng.integers(0, CLASSES, 20), rng.integers(0, CLASSES, 200)
        for skill in (0.2, 0.5, 1.0):
            sides = [rng.dirichlet(np.ones(CLASSES), len(of)) + skill * np.eye(CLASSES)[of]
                     for of in (labels, truth)]  # fmt: skip
            arms.append(sides[0] / sides[0].sum(1, keepdims=True))
            tests.append(sides[1] / sides[1].sum(1, keepdims=True))
        seen = cross_fused(arms, labels, np.arange(20))
        covered.append(coverage(labels, seen, truth, fused(tests, fit_weights(arms, labels))))
    assert 0.88 < np.mean(covered) < 0.985


def changed(answer: Callable[[list[Floats]], Floats], slides: list[Floats], row: int) -> NDArray[np.bool_]:
    """Whose answers change when one slide does."""
    other = [*slides]
    other[row] = np.roll(slides[row], 1, axis=1)
    return np.asarray(~np.isclose(answer(slides), answer(other)).all(1))


def test_no_slide_of_a_patient_is_fitted_on_for_another_of_the_same_patient() -> None:
    slides, labels, whose = drawn(8, np.random.default_rng(1), slides=2)
    moved = changed(lambda given: cross_histogram(given, labels, whose, CLASSES), slides, 0)
    assert moved[0]
    assert not moved[1], "the other slide of its patient"
    assert moved[2:].sum() >= 10


def test_folds_keep_patients_whole_and_spread_classes() -> None:
    labels = np.repeat([0, 1, 2, 3], 10)
    whose = np.repeat(np.arange(20), 2)
    folds = patient_folds(labels, whose)
    assert len(folds) == 5
    assert sorted(np.concatenate([rest for _, rest in folds]).tolist()) == list(range(40))
    for fit, rest in folds:
        assert not set(whose[fit]) & set(whose[rest])
        assert np.bincount(labels[rest], minlength=4).tolist() == [2, 2, 2, 2]
    assert len(patient_folds(np.array([0, 1, 0]), np.array(["a", "b", "b"]))) == 2
    with pytest.raises(ValueError, match="two patients"):
        patient_folds(np.array([0, 1]), np.array(["a", "a"]))
