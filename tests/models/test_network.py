from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.training.toys import GLASS, toy_view

from lowpower.errors import ConfigError
from lowpower.models import (
    HeadName,
    ModelSpec,
    SlideNetwork,
    count_loss,
    explain,
    head_loss,
    predict,
    to_tensors,
)
from lowpower.models import _predict as predicting
from lowpower.models.network._cell_counts import exceeding_shares
from lowpower.models.network._pooling import cell_weights, weighted_mean, weighted_top_mean
from lowpower.units import Box, Mpp
from lowpower.views import View

TINY = ModelSpec(backbone="test_convnext", strides=(8,), width=16, dropout=0.0)
SHARES = TINY.model_copy(update={"pooling": "shares"})


def network_of(spec: ModelSpec = TINY, classes: int = 4, seed: int = 0) -> SlideNetwork:
    torch.manual_seed(seed)
    network = SlideNetwork(spec, classes).eval()
    with torch.no_grad():
        network.head.linear.weight.normal_(0, 0.3)
    return network


def padded(view: View, rows: int, columns: int) -> View:
    """The same view with more glass to the right and below."""
    image = np.pad(view.image, ((0, rows), (0, columns), (0, 0)))
    image[view.mask.shape[0] :] = np.rint(GLASS)
    image[:, view.mask.shape[1] :] = np.rint(GLASS)
    mask = np.pad(view.mask, ((0, rows), (0, columns)))
    return View(image, mask, Box(0, 0, image.shape[1], image.shape[0]), Mpp(8.0), np.rint(GLASS))


def test_weighted_mean_ignores_weightless_cells() -> None:
    features = torch.tensor([[[1.0, 4.0], [3.0, 0.0], [99.0, -99.0]]])
    weights = torch.tensor([[1.0, 0.5, 0.0]])
    assert weighted_mean(features, weights)[0].tolist() == pytest.approx([2.5 / 1.5, 4 / 1.5])


def test_top_mean_by_hand() -> None:
    # Total weight 4; a quarter of it is 1: feature 0 takes 9 (weight .5) and half of the cell of 5;
    # feature 1 takes only the cell of 8.
    features = torch.tensor([[[9.0, 0.0], [5.0, 1.0], [1.0, 8.0], [0.0, 2.0], [50.0, 50.0]]])
    weights = torch.tensor([[0.5, 1.0, 1.0, 1.5, 0.0]])
    top = weighted_top_mean(features, weights, 0.25)
    assert top[0].tolist() == pytest.approx([(9 * 0.5 + 5 * 0.5) / 1.0, 8.0])
    everything = weighted_top_mean(features, weights, 1.0)
    assert torch.allclose(everything, weighted_mean(features, weights))


def test_cell_weights_are_shares_and_never_all_zero() -> None:
    mask = torch.zeros(2, 1, 16, 16)
    mask[0, 0, :8, :4] = 1
    weights = cell_weights(mask, (2, 2))
    assert weights[0].tolist() == pytest.approx([0.5, 0.0, 0.0, 0.0])
    assert weights[1].tolist() == [1.0] * 4


@pytest.mark.parametrize("pooling", ["mean", "mean_top", "shares"])
@pytest.mark.parametrize("inputs", ["rgb", "od"])
@pytest.mark.parametrize("head", ["softmax", "corn", "cumulative"])
def test_gradient_reaches_every_parameter(pooling: str, inputs: str, head: HeadName) -> None:
    spec = ModelSpec.model_validate(
        TINY.model_dump() | {"pooling": pooling, "inputs": inputs, "head": head, "strides": (4, 16)}
    )
    network = network_of(spec).train()
    logits = network(torch.rand(4, 3, 64, 64), torch.ones(4, 1, 64, 64))
    head_loss(head, logits, torch.arange(4)).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    "backbone", ["resnet18", "tf_efficientnet_lite0", "mobilenetv3_small_100", "convnext_atto"]
)
def test_any_timm_backbone_serves(backbone: str) -> None:
    network = network_of(ModelSpec(backbone=backbone, strides=(8, 16), width=16))
    features = network.local_features(torch.rand(1, 3, 64, 96))
    assert features.shape == (1, 8, 12, 16)
    assert network.classify(features, torch.ones(1, 1, 64, 96)).shape == (1, 3)


@pytest.mark.parametrize("backbone", ["test_convnext", "resnet18"])
def test_padding_with_glass_changes_next_to_nothing(backbone: str) -> None:
    network = network_of(ModelSpec(backbone=backbone, strides=(8,), width=16))
    view = toy_view(2, height=128, width=128)
    view = View(view.image, view.mask, view.box, view.mpp, np.rint(GLASS))
    plain, wide = predict(network, [view, padded(view, 96, 160)])
    assert np.abs(plain.logits - wide.logits).max() < 0.02
    # Far from the padding the features are the same; only pooling could differ, and it must not.
    one, two = predict(network, [padded(view, 96, 160), padded(view, 192, 320)])
    assert np.abs(one.logits - two.logits).max() < 2e-3


def test_pooling_sees_tissue_only() -> None:
    network = network_of()
    features = torch.randn(1, 4, 4, 16)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :16, :16] = 1
    other = features.clone()
    other[:, 2:] = 1e3
    other[:, :, 2:] = -1e3
    assert torch.equal(network.classify(features, mask), network.classify(other, mask))


def test_shares_are_of_tumour_cells_on_tissue() -> None:
    counts = torch.zeros(1, 2, 2, 4)
    counts[0, 0, 0] = torch.tensor([40.0, 30.0, 20.0, 10.0])
    counts[0, 1, 1, 3] = 500.0
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8, :] = 1
    found = exceeding_shares(counts.clamp_min(1e-6).log(), mask).sigmoid()
    assert found[0].tolist() == pytest.approx([0.6, 0.3, 0.1], abs=0.01)
    local = network_of(SHARES).local_scores(torch.zeros(1, 2, 2, 16), counts.clamp_min(1e-6).log())
    assert local.shape == (1, 2, 2)
    assert local[0, 0, 1] < 1e-3 < local[0, 0, 0]


def test_counting_is_learnt_where_cells_are_known_and_tissue_is() -> None:
    counts = torch.tensor([3.0, 1.0, 0.0, 2.0]).expand(2, 2, 2, 4).clone()
    mask = torch.zeros(2, 1, 16, 16)
    mask[..., :8] = 1
    counts[:, :, 1] = 99.0
    counts[1] = torch.nan
    log_rates = torch.zeros(2, 2, 2, 4, requires_grad=True)
    optimizer = torch.optim.Adam([log_rates], 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        count_loss(log_rates, counts, mask).backward()
        optimizer.step()
    assert log_rates[0, 0, 0].exp().tolist() == pytest.approx([3, 1, 0, 2], abs=0.05)
    assert (log_rates[0, :, 1] == 0).all()
    assert (log_rates[1] == 0).all()


def test_company_changes_nothing() -> None:
    network = network_of(ModelSpec(backbone="mobilenetv3_small_100", strides=(16,), width=16))
    views = [toy_view(score, score, 64 + 20 * score, 90) for score in range(4)]
    together = predict(network, views)
    for view, prediction in zip(views, together, strict=True):
        (alone,) = predict(network, [view])
        assert np.array_equal(alone.probabilities, prediction.probabilities)
        assert np.array_equal(alone.local_scores, prediction.local_scores)


def test_prediction_leaves_the_network_as_it_was() -> None:
    network = network_of().train()
    predict(network, [toy_view(1)])
    assert network.training


def test_white_point_makes_scanners_alike() -> None:
    bright = toy_view(3)
    white = np.rint(bright.white_point * 0.8)
    image = np.rint(bright.image * (white / bright.white_point)).astype(np.uint8)
    dim = View(image, bright.mask, bright.box, bright.mpp, white)
    one, two = predict(network_of(), [bright, dim])
    assert np.abs(one.probabilities - two.probabilities).max() < 0.01
    tensor, mask = to_tensors(dim.image, dim.mask, dim.white_point, 32)
    assert (tensor[0, :, ~dim.mask] == 1.0).all()
    assert mask.sum() == dim.mask.sum()


def test_tiles_agree_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of()
    view = toy_view(2, height=300, width=420)
    (whole,) = predict(network, [view])
    monkeypatch.setattr(predicting, "_TILE_PIXELS", 128)
    (tiled,) = predict(network, [view])
    assert tiled.local_scores.shape == whole.local_scores.shape
    assert np.abs(tiled.probabilities - whole.probabilities).max() < 1e-4


def test_explanation_of_mean_pooling_is_the_class_activation_map() -> None:
    spec = TINY.model_copy(update={"pooling": "mean", "head": "cumulative", "hidden": 0})
    network = network_of(spec)
    images, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    features = network.local_features(images)
    cells = network.head(features).mean((1, 2))
    assert torch.allclose(cells, network.classify(features, mask), atol=1e-5)


def test_explanation_covers_the_view_and_rises_where_it_is_brown() -> None:
    network = network_of()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    views = [toy_view(score, seed) for score in (0, 3) for seed in range(3)]
    tensors = [to_tensors(view.image, view.mask, view.white_point, 32) for view in views]
    images, masks = torch.cat([t[0] for t in tensors]), torch.cat([t[1] for t in tensors])
    labels = torch.tensor([0, 0, 0, 3, 3, 3])
    network.train()
    for _ in range(60):
        optimizer.zero_grad()
        head_loss("corn", network(images, masks), labels).backward()
        optimizer.step()
    left, right = toy_view(0, 7, 100, 90), toy_view(3, 8, 100, 90)
    both = View(
        np.hstack([left.image, right.image]),
        np.hstack([left.mask, right.mask]),
        Box(0, 0, 180, 100),
        Mpp(8),
        GLASS,
    )
    scores = explain(network, both)
    assert scores.shape == (round(100 / 8), round(180 / 8))
    assert 0 <= scores.min() <= scores.max() <= 3
    middle = scores.shape[1] // 2
    rows = slice(scores.shape[0] // 3, 2 * scores.shape[0] // 3)
    assert scores[rows, middle + 3 : -3].mean() > scores[rows, 3 : middle - 3].mean() + 0.5


def test_impossible_architectures_are_told() -> None:
    with pytest.raises(ConfigError, match="did you mean convnext_atto"):
        SlideNetwork(ModelSpec(backbone="convnext_ato"), 4)
    with pytest.raises(ConfigError, match=r"stride 64; it has 4, 8, 16, 32"):
        SlideNetwork(ModelSpec(backbone="test_convnext", strides=(64,)), 4)
    with pytest.raises(ConfigError, match="at least 2 classes"):
        SlideNetwork(TINY, 1)
    with pytest.raises(ConfigError, match="does not take these options"):
        SlideNetwork(ModelSpec(backbone="test_convnext", backbone_options={"nonsense": 1}), 4)
    with pytest.raises(ValueError, match="strides must rise"):
        ModelSpec(strides=(16, 8))
