from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.toys import GLASS, toy_view

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, optical_density, unmix
from lowpower.training import Augmentation, CropBatches, Example, ViewStore, balanced_order, make_crop
from lowpower.training.data._batches import collate
from lowpower.views import View

STILL = Augmentation(
    scale=0, rotate=False, hematoxylin=0, dab=0, residual=0, vectors=0, tint=0, haze=0, edge=0, edge_chance=0,
    blur=0, noise=0, jpeg=100,
)  # fmt: skip


def whole_grey(view: View) -> View:
    return View(view.image, view.mask, view.box, view.mpp, np.rint(GLASS))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    side=st.integers(32, 90),
    height=st.integers(20, 120),
    width=st.integers(20, 120),
)
def test_crops_are_bounded_finite_and_show_tissue(seed: int, side: int, height: int, width: int) -> None:
    view = whole_grey(toy_view(seed % 4, seed, height, width))
    crop = make_crop(view, side, Augmentation(), np.random.default_rng(seed))
    assert crop.image.shape == (*crop.mask.shape, 3)
    assert crop.image.dtype == np.float32
    assert max(crop.mask.shape) <= side
    assert np.isfinite(crop.image).all()
    assert crop.image.max() <= 1.25
    assert crop.mask.any()


def test_without_augmentation_a_crop_is_the_view_turned() -> None:
    view = whole_grey(toy_view(2, height=40, width=60))
    plain = view.image / view.white_point
    turned = [np.rot90(image, k) for image in (plain, plain[:, ::-1]) for k in range(4)]
    for seed in range(8):
        crop = make_crop(view, 64, STILL, np.random.default_rng(seed))
        fits = [image for image in turned if image.shape == crop.image.shape]
        assert min(np.abs(image - crop.image).max() for image in fits) < 1e-4


def test_cells_move_with_the_crop_and_are_counted_in_squares() -> None:
    view = whole_grey(toy_view(0, height=50, width=70))
    places = np.array([[20, 14], [51, 31], [33, 25]])
    view.image[view.mask] = 200
    view.image[places[:, 1], places[:, 0]] = 0
    cells = np.column_stack([places, [1, 3, 0]]).astype(np.float32)
    for seed in range(8):
        crop = make_crop(view, 96, STILL, np.random.default_rng(seed), cells)
        assert crop.cells is not None
        x, y = np.rint(crop.cells[:, :2]).astype(int).T
        assert (crop.image[y, x] < 0.1).all()
        assert crop.cells[:, 2].tolist() == [1, 3, 0]
        unknown = make_crop(view, 96, STILL, np.random.default_rng(seed))
        batch = collate([crop, unknown], [0, 0], 32, 8)
        counts = batch.counts
        assert counts is not None
        assert counts.shape == (2, batch.images.shape[2] // 8, batch.images.shape[3] // 8, 4)
        assert counts[0].sum((0, 1)).tolist() == [1, 1, 0, 1]
        assert counts[0, y[1] // 8, x[1] // 8, 3] == 1
        assert counts[1].isnan().all()


def test_haematoxylin_and_dab_are_scaled_apart() -> None:
    view = whole_grey(toy_view(3, height=60, width=60))
    stains = np.stack([RUIFROK_H, RUIFROK_DAB])

    def amounts(options: Augmentation, seed: int) -> np.ndarray:
        crop = make_crop(view, 64, options, np.random.default_rng(seed))
        od = -np.log10(np.maximum(crop.image[crop.mask], 1e-3))
        return np.asarray(unmix(od.astype(np.float32), stains)[..., :2].mean(0))

    base = amounts(STILL, 0)
    only_h = (
        np.array([amounts(STILL.model_copy(update={"hematoxylin": 1.0}), seed) for seed in range(20)]) / base
    )
    assert only_h[:, 0].min() < 0.7
    assert only_h[:, 0].max() > 1.4
    assert np.abs(only_h[:, 1] - 1).max() < 0.03
    only_dab = np.array([amounts(STILL.model_copy(update={"dab": 0.25}), seed) for seed in range(20)]) / base
    assert 0.78 < only_dab[:, 1].min() < 0.9
    assert 1.1 < only_dab[:, 1].max() < 1.27


def test_glass_stays_exactly_one() -> None:
    view = whole_grey(toy_view(1, height=60, width=60))
    options = Augmentation(jpeg=100, blur=0.0)
    for seed in range(10):
        crop = make_crop(view, 64, options, np.random.default_rng(seed))
        corner = ~crop.mask
        assert np.abs(np.median(crop.image[corner]) - 1) < 1e-4


def test_optical_density_table_agrees_with_the_stain_room() -> None:
    view = whole_grey(toy_view(3, height=40, width=40))
    crop = make_crop(view, 64, STILL, np.random.default_rng(0))
    od = optical_density(view.image, view.white_point)
    ours = -np.log10(crop.image)
    assert np.sort(ours.ravel()) == pytest.approx(np.sort(od.ravel()), abs=2e-3)


def test_stained_edges_lie_on_the_edge() -> None:
    view = whole_grey(toy_view(0, height=90, width=90))
    options = STILL.model_copy(update={"edge": 2.0, "edge_chance": 1.0})
    added = []
    for seed in range(10):
        with_edge = make_crop(view, 96, options, np.random.default_rng(seed)).image
        without = make_crop(view, 96, STILL, np.random.default_rng(seed)).image
        added.append(without - with_edge)
    total = np.mean(added, 0)
    assert np.abs(total[40:50, 40:50]).max() < 0.01
    assert total.max() > 0.05


@settings(deadline=None, max_examples=50)
@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    wanted=st.integers(1, 80),
    seed=st.integers(0, 1000),
)
def test_classes_come_equally_often(counts: list[int], wanted: int, seed: int) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    order = balanced_order(labels, wanted, np.random.default_rng(seed))
    assert len(order) == wanted
    seen = Counter(labels[index] for index in order)
    times = [seen[label] for label in range(len(counts))]
    assert max(times) - min(times) <= 1
    for label, count in enumerate(counts):
        within = Counter(int(index) for index in order if labels[index] == label)
        assert not within or max(within.values()) <= -(-times[label] // count)


def test_padding_is_glass_outside_the_mask() -> None:
    rng = np.random.default_rng(0)
    views = [whole_grey(toy_view(2, seed, height, 40)) for seed, height in enumerate((30, 50))]
    crops = [make_crop(view, 64, STILL, rng) for view in views]
    batch = collate(crops, [0, 1], 32)
    assert batch.images.shape[2] % 32 == batch.images.shape[3] % 32 == 0
    for index, crop in enumerate(crops):
        rows, columns = crop.mask.shape
        assert torch.equal(
            batch.images[index, :, :rows, :columns].permute(1, 2, 0), torch.from_numpy(crop.image)
        )
        assert (batch.images[index, :, rows:] == 1).all()
        assert (batch.images[index, :, :, columns:] == 1).all()
        assert batch.masks[index].sum() == crop.mask.sum()


class FakeStore(ViewStore):
    """Views made up, not read."""

    def __getitem__(self, example: Example) -> View:
        return whole_grey(toy_view(example.label, example.row))


EXAMPLES = [Example(row, f"{row}.png", f"{row}", row % 3, "") for row in range(9)]


def batches(**options: int) -> CropBatches:
    settings = {"count": 16, "batch": 4, "crop": 48, "multiple": 32, "seed": 0, "epoch": 0} | options
    return CropBatches(EXAMPLES, FakeStore(1), Augmentation(), **settings)


def test_threads_change_nothing_and_epochs_do() -> None:
    one, many, later = batches(threads=1), batches(threads=4), batches(epoch=1)
    assert len(one) == 4
    for a, b in zip(one, many, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)
    assert not all(
        a.images.shape == b.images.shape and torch.equal(a.images, b.images)
        for a, b in zip(one, later, strict=True)
    )
    assert one.wait_seconds > 0


def test_devices_share_one_set_of_crops() -> None:
    whole = [batch for batch in batches(batch=8)]
    parts = [list(batches(batch=4, rank=rank, world=2)) for rank in range(2)]
    for step, batch in enumerate(whole):
        labels = torch.stack([parts[0][step].labels, parts[1][step].labels], 1).flatten()
        assert torch.equal(labels, batch.labels)


def test_an_error_while_making_crops_is_not_swallowed() -> None:
    class Broken(FakeStore):
        def __getitem__(self, example: Example) -> View:
            raise OSError("disk gone")

    broken = CropBatches(
        EXAMPLES, Broken(1), Augmentation(), count=8, batch=4, crop=48, multiple=32, seed=0, epoch=0
    )
    with pytest.raises(OSError, match="disk gone"):
        list(broken)


def test_views_beyond_the_budget_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []

    def load(picture: str) -> tuple[View, None]:
        reads.append(picture)
        return toy_view(0, height=500, width=500), None

    monkeypatch.setattr("lowpower.training.data._view_memory.load_view", load)
    store = ViewStore(1)  # a view is 1,000,000 bytes: one fits, two do not
    first, second = (Example(row, "", "", 0, f"{row}.png") for row in range(2))
    for example in (first, second, first, second):
        assert store[example].image.shape == (500, 500, 3)
    assert reads == ["0.png", "1.png", "1.png"]
