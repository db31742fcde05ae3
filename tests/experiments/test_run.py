"""From a simulated cohort on disk to a tested bundle, and what happens when a step is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml

from lowpower.cohort import read_cohort
from lowpower.demo import DemoSize, run_demo
from lowpower.errors import CohortError, ConfigError
from lowpower.evaluation import DecisionOptions
from lowpower.experiments import evaluate_run, fit_bundle, prepare_run, train_run
from lowpower.models import load_bundle
from lowpower.reports import write_run_report
from lowpower.simulate import CohortSpec, simulate_cohort

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    spec = CohortSpec(
        name="simulated-study", patients=16, second_slide=0.0, mpp=(0.5, 0.5), specimens={"core": 1.0},
        controls=0.0, artefacts=0.0,
    )  # fmt: skip
    return simulate_cohort(spec, tmp_path_factory.mktemp("cohort"))


def write_config(folder: Path, cohort: Path, **changes: object) -> Path:
    config = {
        "name": "small",
        "cohort": str(cohort),
        "out": "run",
        "views": str(cohort.parent / "views"),
        "folds": {"outer": 2, "validation_share": 0.5},
        "model": {"backbone": "test_convnext"},
        "view": {"mpp": 16.0},
        "fitting": {"epochs": 2, "crop": 64},
        "bundle": {"calibrate_on": "validation"},
    } | changes
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cohort):
    config = write_config(tmp_path_factory.mktemp("study"), cohort)
    return train_run(config), config


def test_training_never_names_a_test_slide(finished, cohort):
    run, _ = finished
    folds = json.loads((run.folder / "folds.json").read_text())
    test = {
        folds["slides"][i]["slide"]
        for i, s in enumerate(folds["slides"])
        if s["row"] in folds["folds"][0]["test"]
    }
    assert test
    used = pl.read_csv(run.unit / "slides.csv")["slide"].to_list()
    assert len(used) == 8
    assert not test & set(used)
    assert run.validation.height == 4
    assert not test & set(run.validation["slide"])
    seen = {path.name.split("-")[0] for path in (run.folder.parents[0]).rglob("view-*/*.slide.json")}
    assert not {Path(slide).stem for slide in test} & seen


def test_the_bundle_is_calibrated_on_validation_and_names_its_cohort(finished, cohort):
    run, _ = finished
    bundle = load_bundle(run.bundle)
    assert bundle.temperature == pytest.approx(run.calibration.temperature)
    assert bundle.abstention is not None
    assert bundle.spec.cohort_fingerprint == read_cohort(cohort).fingerprint
    assert bundle.spec.software["lowpower"]
    assert bundle.decision.network.issue.threshold is None  # four validation patients vouch for nothing
    assert "fewer than 5 measured validation patients" in bundle.decision.notes[0]
    assert list(cohort.parent.glob("views/measure-*/*.slide.json"))


def test_a_calibration_cohort_gives_a_finished_bundle_its_answers(finished, cohort, tmp_path):
    run, _ = finished
    folder = shutil.copytree(run.bundle, tmp_path / "bundle")
    options = DecisionOptions(error=0.5, cutoff_error=0.4, confidence=0.6)
    few = pl.read_csv(cohort)[run.validation["row"].to_list()]  # measured already
    few = few.with_columns(slide=str(cohort.parent) + "/" + pl.col("slide"))
    few.write_csv(tmp_path / "few.csv")
    bundle = fit_bundle(folder, tmp_path / "few.csv", run.folder, options)
    table = pl.read_csv(run.folder / "decision.csv")
    assert table.height == few.height == 4
    assert table["measured_h_score"].null_count() < 2
    assert bundle.decision.network.issue.n == 4
    assert bundle.decision.network.issue.error == 0.5
    assert load_bundle(folder).decision == bundle.decision
    assert "network alone" in bundle.card


def test_evaluating_measures_the_test_fold_once_and_writes_it_everywhere(finished):
    run, _ = finished
    outcome = evaluate_run(run.folder, resamples=200)
    assert outcome.evaluation.slides == 8
    assert outcome.predictions.height == 8
    page = write_run_report(outcome).read_text()
    assert "Research use only" in page
    assert page.count("data:image/") >= 5
    metrics = load_bundle(run.bundle).spec.metrics
    assert metrics["accuracy"].value == pytest.approx(outcome.evaluation.metrics["accuracy"].value)
    again = evaluate_run(run.folder, resamples=200)
    assert again.evaluation == outcome.evaluation
    assert (len(outcome.looked_before), len(again.looked_before)) == (0, 1)


def test_a_moved_cohort_is_told_and_proved_the_same(finished, cohort, tmp_path):
    run, _ = finished
    moved = shutil.copytree(cohort.parent, tmp_path / "moved")
    folder = shutil.copytree(run.folder, tmp_path / "run")
    config = json.loads((folder / "study.json").read_text()) | {"cohort": str(tmp_path / "gone.csv")}
    (folder / "study.json").write_text(json.dumps(config))
    with pytest.raises(CohortError, match=r"gone.csv: no such file; .* --cohort NEW.csv"):
        evaluate_run(folder, resamples=200)
    assert evaluate_run(folder, cohort=moved / cohort.name, resamples=200).evaluation.slides == 8
    table = pl.read_csv(cohort).with_columns(patient=pl.lit("other-") + pl.col("patient"))
    table.write_csv(moved / "other.csv")
    with pytest.raises(CohortError, match="is not the cohort"):
        evaluate_run(folder, cohort=moved / "other.csv")


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        ({"accelerator": "gpu"}, "shows no GPU"),
        ({"devices": 0}, "devices 0"),
        ({"accelerator": "abacus"}, "unknown"),
        ({"accelerator": "tpu"}, "unknown"),
        ({"accelerator": "cpu", "devices": "x"}, "devices x"),
        ({"accelerator": "cpu", "devices": -3}, "devices -3"),
        ({"accelerator": "cpu", "devices": [0, 7]}, r"devices \[0, 7\]"),
        ({"accelerator": "cpu", "strategy": "dpp"}, "strategy dpp"),
    ],
)
def test_what_this_machine_lacks_is_told_before_any_work(cohort, tmp_path, trainer, words):
    if "gpu" in trainer.values() and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=words):
        train_run(write_config(tmp_path, cohort, trainer=trainer))
    assert not (tmp_path / "run").exists()


def test_one_glass_under_two_patients_is_refused(cohort, tmp_path):
    table = pl.read_csv(cohort).with_columns(slide=str(cohort.parent) + "/" + pl.col("slide"))
    (tmp_path / "link.tif").symlink_to(table["slide"][0])
    other = table[:1].with_columns(slide=pl.lit(str(tmp_path / "link.tif")), patient=pl.lit("somebody else"))
    pl.concat([table, other]).write_csv(tmp_path / "cohort.csv")
    with pytest.raises(CohortError, match=r"'somebody else'.* has the content of row 2"):
        train_run(write_config(tmp_path, tmp_path / "cohort.csv"))


def test_the_same_command_again_trains_nothing_anew(finished):
    run, config = finished
    weights = (run.bundle / "model.safetensors").read_bytes()
    again = train_run(config)
    assert (again.bundle / "model.safetensors").read_bytes() == weights


def test_another_configuration_in_the_same_folder_is_refused_or_fresh(tmp_path, finished, cohort):
    run, _ = finished
    shutil.copytree(run.folder, tmp_path / "run")
    changed = write_config(tmp_path, cohort, seed=3)
    with pytest.raises(ConfigError, match="fresh=True"):
        train_run(changed)
    fresh = train_run(changed, fresh=True)
    assert load_bundle(fresh.bundle).spec.seed == 3


def test_fresh_does_not_remove_what_is_no_run(tmp_path, cohort):
    precious = tmp_path / "run" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    with pytest.raises(ConfigError, match="is no folder of a run or a study"):
        train_run(write_config(tmp_path, cohort), fresh=True)
    assert precious.read_text() == "mine"


def test_a_cohort_changed_since_training_is_refused(tmp_path, finished, cohort):
    run, _ = finished
    shutil.copytree(run.folder, tmp_path / "run")
    table = pl.read_csv(cohort, infer_schema_length=0)
    changed = table.with_columns(slide=str(cohort.parent) + "/" + pl.col("slide"), score=pl.lit("0"))
    changed.write_csv(tmp_path / "cohort.csv")
    record = json.loads((tmp_path / "run" / "study.json").read_text())
    record["cohort"] = str(tmp_path / "cohort.csv")
    (tmp_path / "run" / "study.json").write_text(json.dumps(record))
    with pytest.raises(CohortError, match="has changed"):
        evaluate_run(tmp_path / "run")


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"study\.json is missing"):
        evaluate_run(tmp_path)


def test_prepare_makes_every_view_ahead(tmp_path, cohort):
    states = prepare_run(write_config(tmp_path, cohort, views=str(tmp_path / "views")))
    assert len(states) == 16
    assert {state.state for state in states} == {"ok"}


def test_a_small_demo_from_nothing_to_a_report(tmp_path):
    seen = set()
    outcome = run_demo(
        tmp_path,
        DemoSize(patients=16, epochs=1, elsewhere=2, specimen="core"),
        progress=lambda stage, done, total: seen.add(stage),
    )
    assert {"simulating", "preparing slides", "training", "evaluating", "scoring elsewhere"} <= seen
    page = outcome.report.read_text()
    assert "All slides here are simulated" in page
    assert "one of each class" in page
    assert "another laboratory" in page
    assert "slides of another laboratory the likeliest score is" in outcome.sentences[-1]
    assert "which issue nothing" in page  # the conformal sets beside the rules that issue
    assert "each predicted by a network that had not learnt from them" in page
    assert str(tmp_path) not in page
