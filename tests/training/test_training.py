from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from tests.training.toys import GLASS, split_rows, toy_cohort

from lowpower.cohort import SCHEMES, Cohort
from lowpower.errors import CohortError, ConfigError, NoTissueError
from lowpower.models import ModelSpec, SlideNetwork, predict
from lowpower.slides import Slide
from lowpower.training import (
    Augmentation,
    Example,
    Fitting,
    LearningRun,
    TrainerOptions,
    TrainRequest,
    resolve_precision,
    train_views,
)
from lowpower.training import _teacher as teaching
from lowpower.training.loop import _learn as loop
from lowpower.training.loop._callbacks import DataWait
from lowpower.units import Box, Mpp
from lowpower.views import LowResRecipe, View, load_view, prepare_views

NETWORK = {"backbone": "test_convnext", "strides": (8,), "width": 16, "head": "corn", "dropout": 0.0}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return toy_cohort(tmp_path_factory.mktemp("toy"), per_class=4)


@pytest.fixture(scope="module")
def examples(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> list[list[Example]]:
    """Training and validation slides."""
    views = tmp_path_factory.mktemp("views")
    made = {record.row: record.picture for record in prepare_views(cohort, LowResRecipe(), views)}
    table = cohort.labels("her2_four")
    known = {row["row"]: (row["patient"], row["label"]) for row in table.iter_rows(named=True)}
    return [
        [Example(row, cohort.table["slide_name"][row], *known[row], made[row] or "") for row in rows]
        for rows in split_rows(cohort)
    ]


def run(
    examples: list[list[Example]],
    folder: Path | None = None,
    *,
    augmentation: Augmentation | None = None,
    network: dict[str, object] | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: list[tuple[int, int]] | None = None,
    **fitting: object,
) -> tuple[SlideNetwork, LearningRun]:
    course = {"epochs": 2, "batch": 4, "crop": 64, "learning_rate": 3e-3} | fitting
    return train_views(
        ModelSpec.model_validate(NETWORK | (network or {})),
        4,
        None,
        augmentation or Augmentation(),
        TrainRequest(
            *examples,
            Fitting.model_validate(course),
            seed=seed,
            folder=folder,
            trainer=TrainerOptions(accelerator="cpu", threads=threads),
            progress=None if progress is None else lambda done, total: progress.append((done, total)),
        ),
    )


def same_weights(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    states = one.state_dict(), two.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_learns_brown_from_blue(examples: list[list[Example]]) -> None:
    plain = Augmentation(hematoxylin=0.2, dab=0.0, edge_chance=0.0)
    network, told = run(examples, augmentation=plain, epochs=25, crops=48, patience=25)
    views = (load_view(example.picture)[0] for example in examples[1])
    expected = np.stack([found.probabilities for found in predict(network, views)]) @ np.arange(4)
    assert (np.diff(expected) > 0).all()
    assert expected[0] < 0.7
    assert expected[3] > 2.3
    assert told.summary.best_loss < 0.9


def test_a_teacher_tells_of_every_cell(
    cohort: Cohort, examples: list[list[Example]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [example.row for example in examples[0]]
    with pytest.raises(ConfigError, match=r"has no 0-0\.truth\.json beside it"):
        teaching.cells_of("truth", cohort, rows, "her2_four", tmp_path)

    def beside(slide: str) -> Path:
        path = tmp_path / f"{Path(slide).stem}.parquet"
        grade = int(Path(slide).name[0])
        x, y = np.random.default_rng(grade).uniform(100, 300, (2, 200))
        table = {"x": x, "y": y, "type": "tumour", "class": np.full(200, grade), "control": False}
        pl.DataFrame(table).write_parquet(path)
        return path

    monkeypatch.setattr(teaching, "true_cells", beside)
    cells = teaching.cells_of("truth", cohort, rows, "her2_four", tmp_path)
    taught = [[replace(example, cells=cells[example.row]) for example in examples[0]], examples[1]]
    _, told = run(taught, network={"pooling": "shares"}, epochs=6, crops=32, patience=6)
    losses = told.history["train_count_loss"]
    assert losses[-1] < losses[0]


def test_what_is_measured_teaches_where_it_can_be_measured(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def measured(slide: Slide, marker: str, tissue: object, **_: object) -> SimpleNamespace:
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


def test_a_training_leaves_what_it_promises(examples: list[list[Example]], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    run(examples, tmp_path, progress=steps)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"checkpoints", "logs", "tensorboard", "history.csv", "training.json"} == names
    assert steps == [(n, 6) for n in range(1, 7)]
    history = pl.read_csv(tmp_path / "history.csv")
    assert history["epoch"].to_list() == [0, 1]
    assert {"train_loss", "val_loss", "val_balanced_accuracy", "data_wait"} <= set(history.columns)
    assert history.null_count().sum_horizontal()[0] == 0
    assert list((tmp_path / "tensorboard").rglob("events*"))


def test_the_same_seed_gives_the_same_weights(examples: list[list[Example]]) -> None:
    one, two, other = (run(examples, **told)[0] for told in ({}, {"threads": 3}, {"seed": 1}))  # type: ignore[arg-type]
    assert same_weights(one, two)
    assert not same_weights(one, other)


class Killed(BaseException):
    """As a signal would end the process."""


def test_a_killed_training_goes_on_to_the_same_end(
    examples: list[list[Example]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, unbroken = run(examples, tmp_path / "whole", epochs=4, average=0.8)

    def killed(self: DataWait, trainer, module, batch, index) -> None:  # type: ignore[no-untyped-def]
        if (trainer.current_epoch, index) == (2, 1):
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(DataWait, "on_train_batch_start", killed)
        with pytest.raises(Killed):
            run(examples, tmp_path / "parts", epochs=4, average=0.8)
    assert not (tmp_path / "parts" / "training.json").exists()
    resumed, told = run(examples, tmp_path / "parts", epochs=4, average=0.8)
    assert same_weights(whole, resumed)
    assert (told.summary.epochs, told.summary.best_epoch) == (4, unbroken.summary.best_epoch)
    columns = ["epoch", "step", "train_loss", "val_loss"]
    assert told.history.select(columns).equals(unbroken.history.select(columns))


def test_a_finished_training_is_not_run_again(
    examples: list[list[Example]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, told = run(examples, tmp_path)
    monkeypatch.setattr(loop, "_fit", None)
    again, same = run(examples, tmp_path)
    assert same_weights(first, again)
    assert same.summary == told.summary


def test_early_stopping_keeps_the_best_epoch(examples: list[list[Example]], tmp_path: Path) -> None:
    network, told = run(examples, tmp_path, epochs=30, patience=2, learning_rate=1e-9)
    assert told.summary.best_epoch == int(told.history["val_loss"].arg_min() or 0)
    assert told.summary.best_loss == pytest.approx(told.history["val_loss"].min(), abs=1e-6)
    assert told.summary.epochs == told.history.height <= 30
    stored = load_file(tmp_path / "checkpoints" / "best.safetensors")
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in stored.items())


def test_one_class_teaches_nothing(examples: list[list[Example]]) -> None:
    with pytest.raises(CohortError, match="more than one class"):
        run([examples[0][:2], examples[1]])


def test_divergence_is_told(examples: list[list[Example]], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_number(head: str, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return logits.sum() * float("nan")

    monkeypatch.setattr("lowpower.training._train_views.head_loss", no_number)
    with pytest.raises(ConfigError, match="learning_rate"):
        run(examples)


def test_a_name_that_is_gone_says_what_replaced_it() -> None:
    import lowpower.training

    with pytest.raises(AttributeError, match=r"take lowpower\.experiments\.Experiment"):
        _ = lowpower.training.TrainConfig


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
