from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tests.training.toys import GLASS, tissue_image

from lowpower.errors import CohortError, ConfigError, NoTissueError
from lowpower.models import Aggregator, ModelSpec
from lowpower.models.mil import create_aggregator
from lowpower.training import (
    Augmentation,
    BagExample,
    BagFitting,
    PatchExample,
    PatchFitting,
    TrainRequest,
    device_of,
    predict_bags,
    predict_patches,
    train_bags,
    train_patches,
)
from lowpower.training.data import turns
from lowpower.training.loop._callbacks import DataWait

SPEC = ModelSpec(backbone="test_convnext", strides=(8,), width=16, inputs="od", pooling="mean", dropout=0.0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def bags(folder: Path, number: int, dim: int = 6, seed: int = 0) -> list[BagExample]:
    """Bags in which a share of the patches says the class."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(number):
        label = index % 3
        features = rng.normal(3, 2, (int(rng.integers(5, 30)), dim))
        features[: len(features) // 3, label] += 6
        path = folder / f"{seed}-{index}.h5"
        with h5py.File(path, "w") as file:
            file["features"] = features.astype(np.float16)
            file["coords"] = np.arange(2 * len(features)).reshape(-1, 2)
        made.append(BagExample(str(path), label))
    return made


def abmil(dim: int) -> Aggregator:
    return create_aggregator("abmil", dim, 3, "corn", hidden=16, attention=8)


def test_bags_are_learnt_and_the_same_again(tmp_path: Path) -> None:
    train, validation, test = (bags(tmp_path, number, seed=seed) for seed, number in enumerate((30, 9, 15)))
    fitting = BagFitting(epochs=16, learning_rate=1e-2, instances=20)
    network, run = train_bags(abmil, 0.5, TrainRequest(train, validation, fitting, seed=3))
    probabilities = predict_bags(network, test)
    short = fitting.model_copy(update={"epochs": 2})
    networks = [train_bags(abmil, 0.5, TrainRequest(train, validation, short, seed=3))[0] for _ in range(2)]
    assert np.array_equal(*(predict_bags(same, test) for same in networks))
    labels = np.array([example.label for example in test])
    assert (probabilities.argmax(1) == labels).mean() >= 0.8
    assert probabilities.sum(1) == pytest.approx(1)
    told = run.summary
    assert run.history["val_loss"][told.best_epoch] == pytest.approx(told.best_loss)
    assert told.best_loss < 0.8
    assert run.history.height == told.epochs <= 16
    assert set(run.history.columns) == {
        "epoch", "step", "train_loss", "val_loss", "val_balanced_accuracy", "val_score_error", "data_wait",
    }  # fmt: skip


def test_bags_that_cannot_be_learnt_from(tmp_path: Path) -> None:
    train = bags(tmp_path, 6)
    fitting = BagFitting(epochs=1)
    with pytest.raises(CohortError, match="more than one class"):
        train_bags(abmil, 0.5, TrainRequest(train[::3], train, fitting))
    other = bags(tmp_path, 3, dim=5, seed=9)
    with pytest.raises(ConfigError, match="features of length 5"):
        train_bags(abmil, 0.5, TrainRequest(train, other, fitting))
    network, _ = train_bags(abmil, 0.5, TrainRequest(train, train, fitting))
    with pytest.raises(ConfigError, match="features of length 5"):
        predict_bags(network, other)
    with h5py.File(train[0].path, "r+") as file:
        file.attrs.update(format="lowpower.features", mpp=2.0)
    with pytest.raises(ConfigError, match=r"at 2 um/px, the model takes 0.5"):
        predict_bags(network, train)
    with h5py.File(train[0].path, "r+") as file:
        del file.attrs["format"]
    with h5py.File(other[0].path, "w") as file:
        file["features"], file["coords"] = np.zeros((0, 6), np.float16), np.zeros((0, 2))
    with pytest.raises(NoTissueError, match="holds no patches"):
        train_bags(abmil, 0.5, TrainRequest(train, other, fitting))
    with pytest.raises(ConfigError, match="diverged"):
        train_bags(
            abmil, 0.5, TrainRequest(train, train, BagFitting(epochs=3, learning_rate=1e30, clip=1e30))
        )


def patches(folder: Path, number: int, seed: int = 0) -> list[PatchExample]:
    made = []
    for index in range(number):
        label = index % 4
        image = tissue_image(label, seed * 100 + index, 64, 64)
        cut = np.stack([image[:40, :40], image[20:60, 10:50], image[12:52, 12:52]])
        path = folder / f"{seed}-{index}.npy"
        np.save(path, cut)
        white = (float(GLASS[0]), float(GLASS[1]), float(GLASS[2]))
        made.append(PatchExample(str(path), label, white, 0.5))
    return made


def test_patches_are_learnt_and_the_same_again(tmp_path: Path) -> None:
    train, validation, test = (patches(tmp_path, number, seed) for seed, number in enumerate((24, 8, 12)))
    fitting = PatchFitting(epochs=6, patience=6, batch=8, per_slide=2, learning_rate=1e-2, backbone_rate=1.0)
    still = Augmentation(hematoxylin=0.1, dab=0, edge=0, blur=0, jpeg=100, haze=0, vectors=0, residual=0)
    network, _ = train_patches(SPEC, 4, None, still, TrainRequest(train, validation, fitting, seed=1))
    found = [predict_patches(network, example) for example in test]
    short = fitting.model_copy(update={"epochs": 1})
    networks = [
        train_patches(SPEC, 4, None, still, TrainRequest(train, validation, short, seed=1))[0]
        for _ in range(2)
    ]
    assert np.array_equal(*(predict_patches(same, test[0]) for same in networks))
    assert found[0].shape == (3, 4)
    expected = np.array([slide.mean(0) @ np.arange(4) for slide in found])
    labels = np.array([example.label for example in test])
    assert np.corrcoef(expected, labels)[0, 1] > 0.9
    with pytest.raises(CohortError, match="more than one class"):
        train_patches(SPEC, 4, None, still, TrainRequest(train[::4], validation, fitting))


class Killed(BaseException):
    """As a signal would end the process."""


@pytest.mark.parametrize("kind", ["bags", "patches"])
def test_a_killed_learner_goes_on_to_the_same_weights(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bags if kind == "bags" else patches
    train, validation = made(tmp_path, 24, seed=0), made(tmp_path, 8, seed=1)

    def run(folder: Path | None) -> dict[str, torch.Tensor]:
        if kind == "bags":
            course = BagFitting(epochs=4, instances=10)
            network: torch.nn.Module = train_bags(
                abmil, 0.5, TrainRequest(train, validation, course, folder=folder)
            )[0]
        else:
            fitting = PatchFitting(epochs=4, batch=8, per_slide=2)
            network = train_patches(
                SPEC, 4, None, Augmentation(), TrainRequest(train, validation, fitting, folder=folder)
            )[0]
        return network.state_dict()

    def killed(self: DataWait, trainer, module, batch, index) -> None:  # type: ignore[no-untyped-def]
        if (trainer.current_epoch, index) == (2, 1):
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(DataWait, "on_train_batch_start", killed)
        with pytest.raises(Killed):
            run(tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
    resumed, whole = run(tmp_path / "run"), run(None)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["best.safetensors"]


def test_devices_take_turns() -> None:
    order = np.random.default_rng(0).permutation(11)
    alone = turns(order, 4)
    assert [len(step) for step in alone] == [4, 4, 3]
    pair = [turns(order, 2, rank, 2) for rank in range(2)]
    for step, (one, two) in zip(alone, zip(*pair, strict=True), strict=True):
        assert set(step) <= {*one, *two}
    assert {len(step) for device in pair for step in device} == {2}


def test_a_gpu_is_not_pretended() -> None:
    assert device_of("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="shows no CUDA device"):
            device_of("gpu")
