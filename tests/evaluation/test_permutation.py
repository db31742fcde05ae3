"""The permutation test by hand, its level, and what it must not depend on."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from lowpower.cohort import scheme_of
from lowpower.evaluation.comparing._permutation import permutation_tests
from lowpower.evaluation.metrics._predictions import Predictions, parse_predictions

SCHEME = scheme_of("her2_four")
COLUMNS = [f"p_{label}" for label in range(4)]
Table = Callable[..., pl.DataFrame]


def pair(patients: int, slides: int = 1, seed: int = 0) -> tuple[Predictions, Predictions]:
    """Two equally good models; slides of a patient go wrong together."""
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(patients), slides)
    labels = np.repeat(rng.permutation(np.arange(patients) % 4), slides)
    tables = []
    for _ in range(2):
        seen = labels + rng.normal(0, 0.7, patients)[whose] + rng.normal(0, 0.5, labels.size)
        odds = np.exp(-((seen[:, None] - np.arange(4)) ** 2))
        odds /= odds.sum(1, keepdims=True)
        table = pl.DataFrame({"slide": [f"s{i}" for i in range(labels.size)], "patient": whose.astype(str)})
        table = table.with_columns(pl.Series("label", labels))
        tables.append(table.with_columns(pl.Series(name, odds[:, k]) for k, name in enumerate(COLUMNS)))
    return parse_predictions(tables[0], SCHEME), parse_predictions(tables[1], SCHEME)


def test_it_is_the_share_of_all_swaps_by_hand() -> None:
    one, other = pair(8, slides=2, seed=3)
    truth, first, second = one.sample.labels, one.sample.predicted, other.sample.predicted
    measures = {
        "accuracy": lambda said: np.mean(said == truth),
        "kappa_quadratic": lambda said: cohen_kappa_score(truth, said, weights="quadratic"),
        "f1_weighted": lambda said: f1_score(truth, said, average="weighted"),
    }
    found = permutation_tests(one, other, SCHEME, permutations=4000, seed=0)
    for name, measure in measures.items():
        observed = abs(measure(second) - measure(first))
        differences = []
        for swap in itertools.product([False, True], repeat=8):
            swapped = np.repeat(swap, 2)
            differences.append(
                abs(measure(np.where(swapped, first, second)) - measure(np.where(swapped, second, first)))
            )
        exact = np.mean(np.array(differences) >= observed - 1e-9)
        assert found[name] == pytest.approx(exact, abs=0.03), name


@pytest.mark.parametrize("slides", [1, 2])
def test_equally_good_models_are_told_apart_at_the_level_stated(slides: int) -> None:
    below: dict[str, int] = {}
    for seed in range(200):
        for name, p in permutation_tests(*pair(40, slides, seed), SCHEME, permutations=99, seed=1).items():
            below[name] = below.get(name, 0) + (p is not None and p <= 0.05)
    for name, count in below.items():
        assert count / 200 <= 0.05 + 3 * 0.0155, name


def test_a_stricter_scale_changes_nothing(predictions: Table) -> None:
    """The same order of slides on another scale is the same model: ranks are swapped, not scores."""
    table = predictions(60, 2)
    squared = np.square(table.select(pl.col("^p_.$")).to_numpy())
    squared /= squared.sum(1, keepdims=True)
    sharp = table.with_columns(p_0=squared[:, 0], p_1=squared[:, 1])
    scheme = scheme_of("her2_status")
    one, other = parse_predictions(table, scheme), parse_predictions(sharp, scheme)
    found = permutation_tests(one, other, scheme, permutations=50, seed=0)
    assert set(found.values()) == {1.0}


def test_a_missing_class_has_no_auc_to_test(predictions: Table) -> None:
    table = predictions(40).with_columns(pl.col("label").clip(0, 2))
    one = parse_predictions(table, SCHEME)
    found = permutation_tests(one, one, SCHEME, permutations=20, seed=0)
    assert found["auc_macro"] is None
    assert found["auc_at/3"] is None
    assert found["accuracy"] == 1.0
