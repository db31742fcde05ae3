from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tests.experiments.tiny_study import STAIN, arms, config_of

from lowpower.cohort import read_cohort
from lowpower.errors import CohortError, ConfigError
from lowpower.experiments import StudyResults, evaluate_run, load_study, run_study, train_run
from lowpower.experiments.units import Done, Unit
from lowpower.experiments.units import _run_unit as units
from lowpower.reports import write_run_report
from lowpower.training import TrainerOptions

FIXED = (
    "predictions.csv",
    "predictions.parquet",
    "validation.parquet",
    "units.csv",
    "left_out.csv",
    "arms.json",
    "notes.json",
)


def fixed(folder: Path) -> list[bytes]:
    return [(folder / "results" / name).read_bytes() for name in FIXED]


def test_every_arm_tests_every_slide_once(study: StudyResults, manifest: Path) -> None:
    cohort = read_cohort(manifest)
    for arm in ("slide@8", "stain", "patch", "both"):
        table = study.of_arm(arm)
        assert table["row"].to_list() == list(range(len(cohort))), arm
        assert table["slide"].to_list() == cohort.table["slide_name"].to_list()
        sums = table.select(pl.sum_horizontal("p_0", "p_1", "p_2", "p_3")).to_series()
        assert sums.to_list() == pytest.approx([1.0] * len(cohort))
        assert (table["referred"] == (table["set_size"] != 1)).all()
    assert [(arm.name, arm.state, arm.mpp) for arm in study.arms] == [
        ("slide@8", "ok", 8.0), ("stain", "ok", 2.0), ("patch", "ok", 2.0),
        ("measured", "failed", 0.5), ("both", "ok", 2.0),
    ]  # fmt: skip


def test_a_failed_arm_is_shown_with_its_reason(study: StudyResults) -> None:
    failed = study.units.filter(pl.col("state") == "failed")
    assert failed["arm"].to_list() == ["measured", "measured"]
    assert "no training slide could be used (first: " in failed["reason"][0]
    assert study.of_arm("measured").is_empty()


def test_costs_are_what_an_arm_would_cost(study: StudyResults) -> None:
    stages = study.costs.group_by("arm").agg(pl.col("stage").unique().sort()).sort("arm")
    assert dict(stages.iter_rows()) == {
        "both": ["features", "predict", "read", "train"],
        "patch": ["features", "predict", "read", "train"],
        "slide@8": ["predict", "read", "train"],
        "stain": ["features", "predict", "read", "train"],
    }
    costs = study.costs.filter(pl.col("stage") == "read")
    read = {arm: costs.filter(pl.col("arm") == arm)["wall_s"].sum() for arm in ("slide@8", "stain", "both")}
    assert read["both"] == pytest.approx(read["slide@8"] + read["stain"])
    assert (study.costs["peak_mb"] > 50).all()
    assert (study.costs["added_mb"] <= study.costs["peak_mb"]).all()
    assert (study.costs.filter(stage="train")["added_mb"] >= 0).all()
    assert costs.filter(pl.col("arm") == "slide@8")["slides"].to_list() == [12, 12]
    assert (costs.filter(pl.col("arm") == "slide@8")["bytes_stored"] > 0).all()


def test_notes_say_what_was_capped_and_the_audit_is_kept(study: StudyResults) -> None:
    assert any("at most 6 patches a slide were read" in note for note in study.notes)
    assert '"verdict": "no leak"' in (study.folder / "audit.json").read_text()
    back = load_study(study.folder)
    assert back.predictions.equals(study.predictions)
    assert back.validation.equals(study.validation)
    assert set(study.validation["arm"].unique()) == {"slide@8", "stain", "patch", "both"}
    pairs = study.predictions.join(study.validation, on=["arm", "fold", "patient"])
    assert pairs.is_empty(), "a patient validates and tests in one fold"


def test_a_killed_study_goes_on_and_ends_with_the_same_bytes(
    study: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(study.folder, folder)
    for name in ("slide@8", "stain", "both"):  # as if killed before these ended
        (folder / "units" / name / "fold1" / "done.json").unlink()
    shutil.rmtree(folder / "results")
    ran: list[tuple[str, int]] = []
    run = units.run_unit

    def noted(unit: Unit) -> Done:
        ran.append((unit.config.arms[unit.arm].name, unit.fold))
        return run(unit)

    monkeypatch.setattr("lowpower.experiments._run_study.run_unit", noted)
    again = run_study(study.config, out=folder, workers=1)
    assert ran == [("measured", 0), ("slide@8", 1), ("stain", 1), ("measured", 1), ("both", 1)]
    assert fixed(folder) == fixed(study.folder)
    assert again.units.equals(study.units)


def test_what_another_software_learnt_is_set_aside_and_learnt_anew(
    study: StudyResults, tmp_path: Path, other_software: Callable[[], None]
) -> None:
    told = {"cache": str(tmp_path / "cache"), "bundle": {"calibrate_on": "validation", "measured": False}}
    config = config_of(Path(study.config.cohort), tmp_path, entries=[STAIN], **told)
    first = run_study(config, workers=1)
    train_run(config, fold=0, out=tmp_path / "run", workers=1)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.slide.json")}
    predicted = (tmp_path / "units" / "stain" / "fold0" / "test.parquet").read_bytes()
    other_software()
    again = run_study(config, workers=1)
    (note,) = set(again.notes) - set(first.notes)
    assert note.startswith("2 units were finished by another state of lowpower (0.1.0+")
    assert (tmp_path / "set-aside-1" / "units" / "stain" / "fold0" / "test.parquet").read_bytes() == predicted
    assert all(path.stat().st_mtime_ns > before for path, before in made.items())
    assert again.predictions.equals(first.predictions)
    assert run_study(config, workers=1).notes == first.notes
    assert not (tmp_path / "set-aside-2").exists()
    run = train_run(config, fold=0, out=tmp_path / "run", workers=1)
    assert run.notes[0].startswith("1 unit was finished by another state of lowpower (0.1.0+")


@pytest.mark.slow
def test_another_number_of_workers_gives_the_same_bytes(
    study: StudyResults, manifest: Path, tmp_path: Path
) -> None:
    entries = [arms()[0], STAIN]
    one, two = (
        # Doubtful control tissue is not looked for first: views and bags are made in one round of processes.
        run_study(
            config_of(manifest, tmp_path / str(workers), entries=entries, doubtful_control=1), workers=workers
        )
        for workers in (1, 2)
    )
    assert fixed(one.folder) == fixed(two.folder)
    assert one.of_arm("slide@8").equals(study.of_arm("slide@8"))


def test_a_training_is_a_study_of_one_arm_on_one_fold(
    study: StudyResults, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(manifest, tmp_path / "study", bundle={"calibrate_on": "validation", "measured": False})
    run = train_run(config, arm="stain", fold=1, out=tmp_path / "run", workers=1)
    of_the_study = study.folder / "units" / "stain" / "fold1"
    for name in ("model.safetensors", "validation.parquet", "calibration.json"):
        assert (run.unit / name).read_bytes() == (of_the_study / name).read_bytes(), name
    assert pl.read_parquet(run.unit / "test.parquet").is_empty()
    tested = evaluate_run(run.folder, workers=1, resamples=100)
    rows = pl.read_parquet(of_the_study / "test.parquet")["row"]
    assert tested.predictions["row"].to_list() == rows.to_list()
    assert "abmil on stain, 2 um/px" in write_run_report(tested).read_text()
    monkeypatch.setattr("lowpower.training.loop._learn._fit", None)  # nothing is trained again
    after = run_study(run.folder / "study.json", workers=1)
    assert after.of_arm("stain").drop("arm").equals(study.of_arm("stain").filter(fold=1).drop("arm"))
    with pytest.raises(ConfigError, match=r"has 5 arms .*; say which with"):
        train_run(config)
    with pytest.raises(ConfigError, match="fuses others"):
        train_run(config, arm="both")


def test_arms_may_be_added_but_nothing_else_changed(
    study: StudyResults, tmp_path: Path, manifest: Path
) -> None:
    folder = tmp_path / "grown"
    shutil.copytree(study.folder, folder)
    kept = [entry for entry in arms() if entry["paradigm"] == "slide"]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"seed": 1}, "since it was begun seed changed"),
        ({"folds": {"outer": 2, "validation_share": 0.3}}, "folds.validation_share changed"),
        ({"entries": kept}, "arm stain was removed"),
        ({"entries": [arms()[0] | {"mpp": 2}, *arms()[1:]]}, "fuses 'slide@8'"),
        ({"entries": [arms()[0], STAIN | {"head": "softmax"}, *arms()[2:]]}, "arm stain changed"),
    ]
    for change, said in changes:
        with pytest.raises(ConfigError, match=said):
            run_study(config_of(manifest, folder, **change), workers=1)
    more = [*arms(), {"name": "third", "paradigm": "fusion", "of": ["slide@8", "patch"]}]
    grown = run_study(config_of(manifest, folder, entries=more), workers=1)
    assert grown.of_arm("stain").equals(study.of_arm("stain"))
    assert grown.of_arm("third").height == 24
    fresh = run_study(config_of(manifest, folder, entries=[STAIN], seed=4), fresh=True, workers=1)
    assert [arm.name for arm in fresh.arms] == ["stain"]
    assert not (folder / "units" / "patch").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="is no folder of a run or a study"):
        run_study(config_of(manifest, tmp_path / "mine", entries=[STAIN]), fresh=True)


def test_folds_that_cannot_be(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="too few for 9 folds; ask for 6 folds"):
        run_study(config_of(manifest, tmp_path, folds={"outer": 9}))
    with pytest.raises(CohortError, match="fold 7 does not exist"):
        run_study(config_of(manifest, tmp_path, folds={"outer": 2, "only": [7]}))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_ends_a_study_before_any_work(manifest: Path, tmp_path: Path) -> None:
    config = config_of(manifest, tmp_path / "study", entries=[STAIN])
    with pytest.raises(ConfigError, match="shows no GPU"):
        run_study(config.model_copy(update={"trainer": TrainerOptions(accelerator="gpu")}))
    assert not (tmp_path / "study").exists()


def test_one_picture_under_two_names_is_a_leak(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.read_csv(manifest, infer_schema=False)
    for name in rows["slide"]:
        shutil.copy(manifest.parent / name, tmp_path / name)
    shutil.copy(tmp_path / "0-0.png", tmp_path / "0-1.png")
    rows.write_csv(tmp_path / "cohort.csv")
    config = config_of(tmp_path / "cohort.csv", tmp_path / "out", entries=[STAIN])
    # Files of one size are compared before anything is made of slides ...
    with pytest.raises(CohortError, match=r"0-1\.png.*has the content of row"):
        run_study(config, workers=1, progress=lambda stage, *_: pytest.fail(stage))
    # ... and all that was prepared once more.
    monkeypatch.setattr("lowpower.experiments._ready.content_hashes", lambda cohort: {})
    with pytest.raises(CohortError, match="list a slide once"):
        run_study(config, workers=1)
    assert '"verdict": "leaks"' in (tmp_path / "out" / "audit.json").read_text()


def test_absent_weights_and_empty_bags_fail_their_arm_alone(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    entries = [
        {"name": "uni", "paradigm": "mil", "encoder": "uni2-h", "mpp": 2, "fitting": {"epochs": 1}},
        {"name": "empty", "paradigm": "mil", "encoder": "stain", "mpp": 2, "size": 1024},
        STAIN | {"fitting": {"epochs": 1}},
    ]
    folds = {"outer": 2, "validation_share": 0.4, "only": [1]}
    outcome = run_study(config_of(manifest, tmp_path, entries=entries, folds=folds), workers=1)
    states = {arm: (state, reason) for arm, _, state, reason in outcome.units.iter_rows()}
    assert states["stain"] == ("ok", None)
    assert "uni2-h" in states["uni"][1]
    assert "pytorch_model.bin" in states["uni"][1]
    assert "no patch of 1024 px" in states["empty"][1]
    assert "Only 1 of 2 folds were run: not every slide was tested." in outcome.notes


def test_no_label_or_row_of_the_test_fold_reaches_a_learner(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def watched(learner: Any) -> Any:
        def learn(arm: Any, material: Any) -> Any:
            given.append((set(material.labels), set(material.train), set(material.validation)))
            return learner(arm, material)

        return learn

    for name, learner in list(units.LEARNERS.items()):
        monkeypatch.setitem(units.LEARNERS, name, watched(learner))
    results = run_study(config_of(manifest, tmp_path, entries=arms()[:3]), workers=1)
    assert len(given) == 6
    # Fold by fold, the arms in order.
    for number, (labelled, train, validation) in enumerate(given):
        test = set(results.predictions.filter(pl.col("fold") == number // 3)["row"])
        assert test
        assert train
        assert validation
        assert not test & (labelled | train | validation)
        assert not train & validation
        assert labelled == train | validation
