"""Several models against one reference: the tests equal the pairwise ones, corrected once over all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.multitest import multipletests

from lowpower.errors import PredictionsError
from lowpower.evaluation import (
    compare_predictions,
    compare_with_reference,
    evaluate_predictions,
    metric_table,
    named_metrics,
    shared_slides,
)

Table = Callable[..., pl.DataFrame]


@pytest.fixture
def models(predictions: Table) -> Callable[..., dict[str, pl.DataFrame]]:
    """One reference and three models of the same slides, each blurred more."""

    def make(n: int = 80, classes: int = 4) -> dict[str, pl.DataFrame]:
        first = predictions(n, classes, per_patient=2)
        columns = [f"p_{index}" for index in range(classes)]
        found = {"reference": first}
        for number, share in enumerate((0.05, 0.4, 0.8)):
            noise = np.random.default_rng(number).dirichlet(np.ones(classes), n)
            mixed = (1 - share) * first.select(columns).to_numpy() + share * noise
            found[f"m{number}"] = first.with_columns(pl.Series(c, mixed[:, i]) for i, c in enumerate(columns))
        return found

    return make


EVERY = ("permutation", "bootstrap", "mcnemar", "delong")


def test_each_test_is_the_pairwise_one_and_holm_runs_over_all(models: Callable[..., dict]) -> None:
    tables = models()

    found = compare_with_reference(tables, "her2_four", "reference", resamples=100, tests=EVERY)

    for name in ("m0", "m1", "m2"):
        pair = compare_predictions(tables["reference"], tables[name], "her2_four", resamples=100)
        for measure, key in (("auc_macro", "auc_macro"), ("auc[0 | >=1+]", "auc_at/1")):
            swapped, drawn = (found.test_of(name, kind, measure) for kind in ("permutation", "bootstrap"))
            entry = pair.metrics[key]
            assert (swapped.difference, swapped.p) == (entry.difference, entry.p)
            assert (drawn.low, drawn.p) == (entry.low, entry.p_bootstrap)
        assert found.test_of(name, "mcnemar", "accuracy").p == pair.mcnemar.p
        for label, entry in pair.delong.items():
            test = found.test_of(name, "delong", label)
            assert test.p == entry.p
            assert test.difference == pytest.approx(entry.second - entry.first)
            assert test.low < test.difference < test.high
    families = [("permutation", m, 3) for m in ("auc_macro", "kappa_quadratic", "f1_weighted", "accuracy")]
    for kind, start, number in (
        *families,
        ("permutation", "auc[", 9),
        ("mcnemar", "", 3),
        ("delong", "", 12),
    ):
        family = [test for test in found.tests if test.test == kind and test.measure.startswith(start)]
        assert len(family) == number == family[0].family
        expected = multipletests([test.p for test in family], method="holm")[1]
        assert [test.p_holm for test in family] == pytest.approx(expected)
    assert found.table().height == 3 * (7 + 7 + 1 + 4)


def test_without_a_name_the_permutation_test_is_made(models: Callable[..., dict]) -> None:
    found = compare_with_reference(models(), "her2_four", "reference", resamples=50)
    assert {test.test for test in found.tests} == {"permutation"}
    assert found.notes == [], "McNemar's caveat without McNemar's test"
    named = compare_with_reference(models(), "her2_four", "reference", resamples=50, tests=["mcnemar"])
    assert "McNemar's test takes" in named.notes[0]


def test_two_classes_are_one_auc(models: Callable[..., dict]) -> None:
    found = compare_with_reference(
        models(classes=2), "her2_status", "reference", resamples=50, tests=["delong"]
    )
    assert {test.measure for test in found.tests if test.test == "delong"} == {"positive"}


def test_too_few_patients_get_no_interval(models: Callable[..., dict]) -> None:
    found = compare_with_reference(models(16), "her2_four", "reference", resamples=50)
    auc = found.test_of("m0", "permutation", "auc_macro")
    assert (auc.low, auc.p, auc.p_holm) == (None, None, None)
    assert any("too few for intervals" in note for note in found.notes)


def test_different_slides_are_counted_and_left_out_only_when_asked(predictions: Table) -> None:
    table = predictions(30)
    tables = {"a": table[:25], "b": table[5:]}

    with pytest.raises(PredictionsError, match=r"a 25, b 25, 20 shared; .*shared="):
        shared_slides(tables, keep_shared=False)

    kept = shared_slides(tables, keep_shared=True)
    assert kept["a"]["slide"].equals(kept["b"]["slide"])
    assert kept["a"].height == 20
    with pytest.raises(PredictionsError, match="share no slide"):
        shared_slides({"a": table[:5], "b": table[5:]}, keep_shared=True)


def test_the_flat_table_holds_every_metric(predictions: Table) -> None:
    evaluation = evaluate_predictions(predictions(60), "her2_four", resamples=50)

    rows = {row["metric"]: row for row in metric_table(evaluation).iter_rows(named=True)}

    assert list(rows) == list(named_metrics(evaluation))
    cutoff = evaluation.cutoffs["3+ | rest"].ppa
    assert (rows["ppa[3+ | rest]"]["value"], rows["ppa[3+ | rest]"]["n"]) == (cutoff.value, cutoff.n)
    assert rows["auc[1+]"]["low"] == evaluation.per_class["1+"]["auc"].low
