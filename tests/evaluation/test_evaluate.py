from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sklearn.metrics as reference

from lowpower.cohort import SCHEMES
from lowpower.errors import PredictionsError
from lowpower.evaluation import (
    Calibration,
    Evaluation,
    Metric,
    auc_macro,
    evaluate_predictions,
    fit_calibration,
    read_predictions,
)

Table = Callable[..., pl.DataFrame]


def every_metric(evaluation: Evaluation) -> dict[str, Metric]:
    found = dict(evaluation.metrics)
    for name, group in evaluation.per_class.items():
        found |= {f"{name} {kind}": metric for kind, metric in group.items()}
    for name, cutoff in evaluation.cutoffs.items():
        found |= {f"{name} auc": cutoff.auc, f"{name} ppa": cutoff.ppa, f"{name} npa": cutoff.npa}
        if cutoff.operating_point is not None:
            found[f"{name} op ppa"] = cutoff.operating_point.ppa
            found[f"{name} op npa"] = cutoff.operating_point.npa
    if evaluation.abstention is not None:
        kept = evaluation.abstention
        found |= {"coverage": kept.coverage, "referred": kept.referred, "kept": kept.accuracy_kept}
    return found


def test_values_equal_the_references_and_lie_in_their_intervals(predictions: Table) -> None:
    table = predictions(400, per_patient=2)
    labels, probabilities = table["label"].to_numpy(), table.select(pl.col("^p_.$")).to_numpy()
    predicted = probabilities.argmax(1)

    found = evaluate_predictions(table, "her2_four", resamples=500)

    expected = {
        "auc_macro": auc_macro(labels, probabilities),
        "accuracy": reference.accuracy_score(labels, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
        "f1_weighted": reference.f1_score(labels, predicted, average="weighted"),
        "f1_macro": reference.f1_score(labels, predicted, average="macro"),
        "kappa_quadratic": reference.cohen_kappa_score(labels, predicted, weights="quadratic"),
        "log_loss": reference.log_loss(labels, probabilities),
        "brier": reference.brier_score_loss(labels, probabilities, scale_by_half=False),
        "expected_score_error": np.abs(probabilities @ np.arange(4) - labels).mean(),
    }
    assert {name: found.metrics[name].value for name in expected} == pytest.approx(expected)
    precision, recall, f1, support = reference.precision_recall_fscore_support(labels, predicted)
    for label, group in enumerate(found.per_class.values()):
        assert group["sensitivity"].value == pytest.approx(recall[label])
        assert group["sensitivity"].n == support[label]
        assert group["precision"].value == pytest.approx(precision[label])
        assert group["f1"].value == pytest.approx(f1[label])
    for name, metric in every_metric(found).items():
        assert metric.low is not None, name
        assert metric.low <= metric.value <= metric.high, name
    assert (found.slides, found.patients) == (400, 200)
    assert found.confusion == reference.confusion_matrix(labels, predicted).tolist()


def test_same_seed_same_file_other_seed_other_intervals(predictions: Table) -> None:
    table = predictions()

    first = evaluate_predictions(table, "her2_four", seed=1, resamples=200)

    assert evaluate_predictions(table, "her2_four", seed=1, resamples=200) == first
    other = evaluate_predictions(table, "her2_four", seed=2, resamples=200)
    assert other.metrics["auc_macro"].low != first.metrics["auc_macro"].low
    assert other.metrics["accuracy"].value == first.metrics["accuracy"].value


def test_row_order_changes_no_value(predictions: Table) -> None:
    table = predictions()
    mixed = table.sample(fraction=1, shuffle=True, seed=0)

    first = every_metric(evaluate_predictions(table, "her2_four", resamples=50))
    second = every_metric(evaluate_predictions(mixed, "her2_four", resamples=50))

    assert {name: metric.value for name, metric in second.items()} == pytest.approx(
        {name: metric.value for name, metric in first.items()}
    )


@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_every_scheme_evaluates(predictions: Table, scheme: str) -> None:
    classes = SCHEMES[scheme].classes
    table = predictions(150, len(classes))
    named = table.rename({f"p_{label}": f"p_{name}" for label, name in enumerate(classes)}).with_columns(
        pl.col("label").map_elements(lambda label: classes[label], return_dtype=pl.String)
    )

    found = evaluate_predictions(table, scheme, resamples=50)

    assert evaluate_predictions(named, scheme, resamples=50) == found
    assert set(found.cutoffs) == {cutoff.name for cutoff in SCHEMES[scheme].cutoffs}
    assert found.mapping == SCHEMES[scheme].mapping


def test_labels_as_text_indices_are_indices(predictions: Table, tmp_path: Path) -> None:
    table = predictions()
    table.write_csv(tmp_path / "p.csv")

    read = evaluate_predictions(read_predictions(tmp_path / "p.csv"), "her2_four", resamples=50)

    assert read == evaluate_predictions(table, "her2_four", resamples=50)


def test_the_file_round_trips_and_holds_no_nan(predictions: Table, tmp_path: Path) -> None:
    """One class only, nothing predicted right: as much undefined as can be."""
    table = predictions(12).with_columns(pl.lit(2).alias("label"))

    found = evaluate_predictions(table, "her2_four", resamples=100)

    text = found.save(tmp_path / "evaluation.json").read_text()
    assert "NaN" not in text
    assert Evaluation.load(tmp_path / "evaluation.json") == found
    assert json.loads(text)["schema_version"] == 1
    assert found.metrics["auc_macro"].value is None
    assert found.metrics["auc_macro"].note == "undefined: it needs slides of every class"
    assert found.cutoffs["3+ | rest"].ppa.note == "undefined: no slide is positive"
    assert "no slide of class 0" in found.notes
    assert found.roc["0"].true_positive_rate == []


def test_too_few_patients_get_values_but_no_intervals(predictions: Table) -> None:
    found = evaluate_predictions(predictions(40, per_patient=5), "her2_four")

    assert all(metric.low is None for metric in every_metric(found).values())
    assert found.metrics["accuracy"].value is not None
    assert "8 patients are too few for intervals (at least 10)" in found.notes


def test_resamples_that_lost_a_class_are_counted(predictions: Table) -> None:
    table = predictions(60).with_columns(
        pl.when(pl.int_range(60) < 3).then(3).otherwise(pl.col("label").clip(0, 2)).alias("label")
    )

    found = evaluate_predictions(table, "her2_four", resamples=400)

    for name in ("auc_macro", "balanced_accuracy", "f1_macro"):
        left_out = int(found.metrics[name].note.split(" of 400")[0])
        assert left_out / 400 == pytest.approx((1 - 3 / 60) ** 60, abs=0.03)
    assert found.metrics["accuracy"].note == ""


class TestCalibrated:
    @pytest.fixture
    def calibration(self, predictions: Table) -> Calibration:
        return fit_calibration(predictions(300, seed=1, sharpen=3.0), "her2_four")

    def test_temperature_helps_new_slides(self, predictions: Table, calibration: Calibration) -> None:
        test = predictions(300, seed=2, sharpen=3.0)

        raw = evaluate_predictions(test, "her2_four", resamples=50)
        tempered = evaluate_predictions(test, "her2_four", calibration=calibration, resamples=50)

        assert calibration.temperature > 1.5
        assert tempered.temperature == calibration.temperature
        for name in ("log_loss", "ece"):
            assert tempered.metrics[name].value < raw.metrics[name].value
        assert tempered.metrics["accuracy"] == raw.metrics["accuracy"]
        assert raw.abstention is None

    def test_abstention_and_operating_points_are_measured(
        self, predictions: Table, calibration: Calibration
    ) -> None:
        found = evaluate_predictions(
            predictions(300, seed=2, sharpen=3.0), "her2_four", calibration=calibration, resamples=100
        )

        assert found.abstention is not None
        assert found.abstention.promised == 0.9
        assert found.abstention.coverage.value == pytest.approx(0.9, abs=0.06)
        assert found.abstention.accuracy_kept.value > found.metrics["accuracy"].value
        assert 0 < found.abstention.referred.value < 1
        for cutoff, point in zip(found.cutoffs.values(), calibration.operating_points, strict=True):
            assert cutoff.operating_point is not None
            assert cutoff.operating_point.threshold == point.threshold

    def test_validation_patients_are_refused(self, predictions: Table, calibration: Calibration) -> None:
        test = predictions(50, seed=2).with_columns(
            pl.when(pl.int_range(50) == 17).then(pl.lit("1-P4")).otherwise("patient").alias("patient")
        )

        with pytest.raises(PredictionsError, match="patient '1-P4' is among the validation patients"):
            evaluate_predictions(test, "her2_four", calibration=calibration)
        other = evaluate_predictions(
            test, "her2_four", calibration=calibration, resamples=50, same_cohort=False
        )
        assert other.slides == 50

    def test_another_scheme_is_refused(self, predictions: Table, calibration: Calibration) -> None:
        with pytest.raises(PredictionsError, match="fitted for the scheme her2_four, not her2_three"):
            evaluate_predictions(predictions(50, 3), "her2_three", calibration=calibration)

    def test_it_survives_json_and_names_no_patient(self, calibration: Calibration) -> None:
        text = calibration.model_dump_json()

        assert Calibration.model_validate_json(text) == calibration
        assert "1-P" not in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop("patient"), "lacks patient"),
        (lambda t: t.drop("p_3"), "lacks p_3; her2_four needs"),
        (lambda t: t.head(0), "no rows"),
        (lambda t: t.with_columns(pl.lit("x").alias("slide")), "slide 'x' occurs twice"),
        (lambda t: t.with_columns(pl.lit(4).alias("label")), "label 4"),
        (lambda t: t.with_columns(pl.lit("4+").alias("label")), r"label '4\+' is no class of her2_four"),
        (lambda t: t.with_columns(pl.lit(0.9).alias("p_0")), "sum to 1"),
        (lambda t: t.with_columns(pl.lit("much").alias("p_0")), "predictions"),
        (lambda t: t.with_columns(pl.lit(None, pl.Int64).alias("label")), "empty label in row 1"),
    ],
)
def test_tables_that_cannot_serve_are_refused(
    predictions: Table, change: Callable[[pl.DataFrame], pl.DataFrame], said: str
) -> None:
    with pytest.raises(PredictionsError, match=said) as caught:
        evaluate_predictions(change(predictions(20)), "her2_four")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_serve_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="cannot be read"):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(PredictionsError, match="not a table"):
        read_predictions(tmp_path / "empty.csv")
    with pytest.raises(PredictionsError, match="cannot be read"):
        Evaluation.load(tmp_path / "none.json")
    (tmp_path / "e.json").write_text("{}")
    with pytest.raises(PredictionsError, match="is not an evaluation"):
        Evaluation.load(tmp_path / "e.json")
