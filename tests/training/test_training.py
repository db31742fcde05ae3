from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from tests.training.toys import GLASS, split_rows, toy_cohort, toy_config

from lowpower.cohort import SCHEMES, Cohort, read_cohort, write_manifest
from lowpower.errors import CohortError, ConfigError, NoTissueError
from lowpower.models import predict
from lowpower.slides import Slide
from lowpower.training import TrainConfig, TrainingRun, resolve_precision, train
from lowpower.training import _teacher as teaching
from lowpower.training.loop import _learn as loop
from lowpower.training.loop._callbacks import DataWait
from lowpower.units import Box, Mpp
from lowpower.views import View, open_prepared


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return toy_cohort(tmp_path_factory.mktemp("toy"), per_class=4)


def run(config: TrainConfig, cohort: Cohort) -> TrainingRun:
    train_rows, validation_rows = split_rows(cohort)
    return train(config, cohort, train_rows=train_rows, validation_rows=validation_rows)


def same_weights(one: TrainingRun, two: TrainingRun) -> bool:
    states = one.network.state_dict(), two.network.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_learns_brown_from_blue(cohort: Cohort, tmp_path: Path) -> None:
    config = toy_config(cohort, tmp_path / "run", epochs=25, crops=48, patience=25)
    plain = config.augmentation.model_copy(update={"hematoxylin": 0.2, "dab": 0.0, "edge_chance": 0.0})
    outcome = run(config.model_copy(update={"augmentation": plain}), cohort)
    probabilities = outcome.validation.select([f"p_{index}" for index in range(4)]).to_numpy()
    expected = probabilities @ np.arange(4)
    assert (np.diff(expected) > 0).all()
    assert expected[0] < 0.7
    assert expected[3] > 2.3
    assert outcome.summary.best_loss < 0.9


def taught(cohort: Cohort, out: Path, **fitting: object) -> TrainConfig:
    config = toy_config(cohort, out, **fitting)
    model = config.model.model_copy(update={"pooling": "shares"})
    return config.model_copy(update={"teacher": "truth", "model": model})


def test_a_teacher_tells_of_every_cell(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"has no 0-0\.truth\.json beside it"):
        run(taught(cohort, tmp_path / "untold"), cohort)

    def beside(slide: str) -> Path:
        path = tmp_path / f"{Path(slide).stem}.parquet"
        grade = int(Path(slide).name[0])
        x, y = np.random.default_rng(grade).uniform(100, 300, (2, 200))
        table = {"x": x, "y": y, "type": "tumour", "class": np.full(200, grade), "control": False}
        pl.DataFrame(table).write_parquet(path)
        return path

    monkeypatch.setattr(teaching, "true_cells", beside)
    outcome = run(taught(cohort, tmp_path / "told", epochs=6, crops=32, patience=6), cohort)
    losses = pl.read_csv(outcome.folder / "history.csv")["train_count_loss"]
    assert losses[-1] < losses[0]


def test_what_is_measured_teaches_where_it_can_be_measured(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def measured(slide: Slide, marker: str, tissue: object) -> SimpleNamespace:
        asked.append(slide.path)
        if slide.path.name == "0-1.png":
            raise NoTissueError(slide.path, "nothing there.")
        cells = {"x": [15.5, 400.0, 90.0], "y": [31.5, 90.0, 90.0], "grade": [2, 0, 3]}
        return SimpleNamespace(
            cells=SimpleNamespace(
                table=lambda: pl.DataFrame(cells | {"kind": ["tumour", "tumour", "stromal"]})
            )
        )

    monkeypatch.setattr(teaching, "measure", measured)
    for _ in range(2):
        found = teaching.cells_of("measured", cohort, [0, 1], "her2_four", tmp_path)
        assert list(found) == [0]
    assert [path.name for path in asked] == ["0-0.png", "0-1.png", "0-1.png"]
    view = View(
        np.zeros((50, 60, 3), np.uint8), np.ones((50, 60), bool), Box(0, 0, 480, 400), Mpp(16.0), GLASS
    )
    assert teaching.cells_in_view(found[0], view).tolist() == [[1.4375, 3.4375, 2], [49.5, 10.75, 0]]
    monkeypatch.setitem(SCHEMES, "other", SimpleNamespace(marker="PD-L1"))
    with pytest.raises(ConfigError, match="PD-L1 cannot be measured"):
        teaching.cells_of("measured", cohort, [0], "other", tmp_path)


def test_a_run_leaves_what_it_promises(cohort: Cohort, tmp_path: Path) -> None:
    config = toy_config(cohort, tmp_path / "run")
    steps: list[tuple[str, int, int]] = []
    train_rows, validation_rows = split_rows(cohort)
    outcome = train(
        config,
        cohort,
        train_rows=train_rows,
        validation_rows=validation_rows,
        progress=lambda stage, done, total: steps.append((stage, done, total)),
    )
    folder = outcome.folder
    names = {path.name for path in folder.iterdir()}
    assert {
        "config.json",
        "run.json",
        "slides.csv",
        "checkpoints",
        "logs",
        "tensorboard",
        "history.csv",
        "predictions_validation.csv",
        "training.json",
    } <= names
    assert [step for step in steps if step[0] == "training"] == [("training", n, 6) for n in range(1, 7)]
    assert steps[0] == ("views", 0, 16)
    history = pl.read_csv(folder / "history.csv")
    assert history["epoch"].to_list() == [0, 1]
    assert {"train_loss", "val_loss", "val_balanced_accuracy", "data_wait"} <= set(history.columns)
    assert history.null_count().sum_horizontal()[0] == 0
    table = pl.read_csv(folder / "predictions_validation.csv")
    assert table.columns == [
        "row", "slide", "patient", "label", "p_0", "p_1", "p_2", "p_3", "logit_0", "logit_1", "logit_2",
    ]  # fmt: skip
    assert table["row"].to_list() == validation_rows
    assert table["label"].to_list() == [0, 1, 2, 3]
    assert list((folder / "tensorboard").rglob("events*"))
    for row, probability in zip(validation_rows, table["p_3"], strict=True):
        view = open_prepared(cohort, row, config.view, config.view_folder)
        assert predict(outcome.network, [view])[0].probabilities[3] == pytest.approx(probability)


def test_the_same_seed_gives_the_same_weights(cohort: Cohort, tmp_path: Path) -> None:
    config = toy_config(cohort, tmp_path / "a")
    one = run(config, cohort)
    threads = config.trainer.model_copy(update={"threads": 3})
    two = run(config.model_copy(update={"out": tmp_path / "b", "trainer": threads}), cohort)
    other = run(config.model_copy(update={"out": tmp_path / "c", "seed": 1}), cohort)
    assert same_weights(one, two)
    assert not same_weights(one, other)


class Killed(BaseException):
    """As a signal would end the process."""


def test_a_killed_run_goes_on_to_the_same_end(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(toy_config(cohort, tmp_path / "whole", epochs=4, average=0.8), cohort)

    def killed(self: DataWait, trainer, module, batch, index) -> None:  # type: ignore[no-untyped-def]
        if (trainer.current_epoch, index) == (2, 1):
            raise Killed

    config = toy_config(cohort, tmp_path / "parts", epochs=4, average=0.8)
    with monkeypatch.context() as patch:
        patch.setattr(DataWait, "on_train_batch_start", killed)
        with pytest.raises(Killed):
            run(config, cohort)
    assert not (tmp_path / "parts" / "training.json").exists()
    resumed = run(config, cohort)
    assert same_weights(whole, resumed)
    assert resumed.validation.equals(whole.validation)
    assert (resumed.summary.epochs, resumed.summary.best_epoch) == (4, whole.summary.best_epoch)
    columns = ["epoch", "step", "train_loss", "val_loss"]
    histories = [pl.read_csv(tmp_path / name / "history.csv").select(columns) for name in ("whole", "parts")]
    assert histories[0].equals(histories[1])


def test_a_finished_run_is_not_run_again(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toy_config(cohort, tmp_path / "run")
    first = run(config, cohort)
    monkeypatch.setattr(loop, "_fit", None)
    again = run(config, cohort)
    assert same_weights(first, again)
    assert again.summary == first.summary


def test_another_configuration_is_not_mixed_in(cohort: Cohort, tmp_path: Path) -> None:
    config = toy_config(cohort, tmp_path / "run")
    run(config, cohort)
    with pytest.raises(ConfigError, match="another configuration"):
        run(config.model_copy(update={"seed": 5}), cohort)


def test_early_stopping_keeps_the_best_epoch(cohort: Cohort, tmp_path: Path) -> None:
    config = toy_config(cohort, tmp_path / "run", epochs=30, patience=2, learning_rate=1e-9)
    outcome = run(config, cohort)
    history = pl.read_csv(outcome.folder / "history.csv")
    assert outcome.summary.best_epoch == int(history["val_loss"].arg_min() or 0)
    assert outcome.summary.best_loss == pytest.approx(history["val_loss"].min(), abs=1e-6)
    assert outcome.summary.epochs == history.height <= 30
    stored = load_file(outcome.folder / "checkpoints" / "best.safetensors")
    assert all(torch.equal(value, outcome.network.state_dict()[name]) for name, value in stored.items())


def test_slides_without_views_are_left_out_and_told(cohort: Cohort, tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    shutil.copytree(cohort.path.parent, folder)
    (folder / "0-0.png").write_bytes(b"")
    broken = read_cohort(folder / "cohort.csv")
    outcome = run(toy_config(broken, tmp_path / "run"), broken)
    assert [Path(record.slide).name for record in outcome.left_out] == ["0-0.png"]
    listed = pl.read_csv(outcome.folder / "slides.csv").filter(pl.col("reason").is_not_null())
    assert listed.height == 1
    assert "0-0.png" in listed["reason"][0]


def test_a_cohort_without_usable_slides_is_refused(tmp_path: Path) -> None:
    rows = [
        {"slide": f"{n}.png", "patient": f"{n}", "marker": "HER2", "score": f"{n}+", "mpp": 2.0}
        for n in (1, 2)
    ]
    absent = read_cohort(write_manifest(tmp_path / "cohort.csv", rows))
    with pytest.raises(CohortError, match=r"no training slide gave a view.*1\.png"):
        train(toy_config(absent, tmp_path / "run"), absent, train_rows=[0], validation_rows=[1])


def test_one_class_teaches_nothing(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="one class"):
        train(toy_config(cohort, tmp_path / "run"), cohort, train_rows=[0, 1], validation_rows=[2])


def test_divergence_is_told(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_number(head: str, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return logits.sum() * float("nan")

    monkeypatch.setattr("lowpower.training._train_views.head_loss", no_number)
    with pytest.raises(ConfigError, match="learning_rate"):
        run(toy_config(cohort, tmp_path / "run"), cohort)


def test_the_run_never_opens_a_test_slide(cohort: Cohort, tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    shutil.copytree(cohort.path.parent, folder)
    (folder / "0-2.png").unlink()
    copied = read_cohort(folder / "cohort.csv")
    train_rows, validation_rows = split_rows(copied)
    kept = [row for row in train_rows if "0-2" not in copied.table["slide"][row]]
    outcome = train(
        toy_config(copied, tmp_path / "run"), copied, train_rows=kept, validation_rows=validation_rows
    )
    assert outcome.left_out == ()
    rows = json.loads((outcome.folder / "run.json").read_text())
    assert sorted(rows["train_rows"] + rows["validation_rows"]) == sorted(kept + validation_rows)


def test_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False})
    assert resolve_precision("auto", "cpu") == "32-true"
    assert resolve_precision("auto", "auto") == "32-true"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert resolve_precision("auto", "cpu") == "bf16-mixed"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert resolve_precision("auto", "gpu") == "bf16-mixed"
    assert resolve_precision("16-mixed", "gpu") == "16-mixed"
