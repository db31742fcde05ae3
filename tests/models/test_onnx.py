"""Networks as ONNX files answer as PyTorch does."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime
import pytest
import torch

from lowpower.errors import BundleError, ConfigError, OptionError
from lowpower.models import Bundle, BundleSpec, export_onnx, load_bundle, temper
from lowpower.models.mil import BagNetwork, aggregator_names, create_aggregator


@pytest.fixture(scope="module")
def slide_model() -> Bundle:
    return load_bundle("her2-sim")


def session(path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_a_slide_network_answers_alike_at_any_size(slide_model, tmp_path):
    found = session(export_onnx(slide_model, tmp_path / "model.onnx"))
    network = slide_model.network
    generator = torch.Generator().manual_seed(0)
    for size in ((128, 160), (256, 96), (64, 320)):
        image = 0.3 + 0.7 * torch.rand(1, 3, *size, generator=generator)
        mask = (torch.rand(1, 1, *size, generator=generator) > 0.3).float()
        with torch.inference_mode():
            wanted = temper(network.probabilities(network(image, mask)), slide_model.temperature)
        (given,) = found.run(None, {"image": image.numpy(), "mask": mask.numpy()})
        assert np.abs(given - wanted.numpy()).max() < 1e-4
    told = found.get_modelmeta().custom_metadata_map
    assert told["weights_sha256"] == slide_model.spec.weights_sha256
    assert json.loads(told["classes"]) == list(slide_model.spec.classes)


@pytest.mark.parametrize("name", [name for name in aggregator_names() if name != "transmil"])
def test_an_aggregator_answers_alike_for_any_number_of_patches(name, slide_model, tmp_path):
    torch.manual_seed(1)
    aggregator = create_aggregator(name, 24, 4, "corn")
    network = BagNetwork(aggregator, torch.randn(24), torch.rand(24) + 0.5, 0.5).eval()
    bundle = Bundle(name, tmp_path, slide_model.spec, network)
    found = session(export_onnx(bundle, tmp_path / "model.onnx"))
    for number in (5, 37, 300):
        features, coords = torch.randn(1, number, 24), 1000 * torch.rand(1, number, 2)
        with torch.inference_mode():
            output = network(features, None, coords)
            wanted = temper(aggregator.probabilities(output.logits), bundle.temperature)
        there = {entry.name for entry in found.get_inputs()}
        asked = {"features": features.numpy(), "coords": coords.numpy()}
        given, attention = found.run(None, {key: value for key, value in asked.items() if key in there})
        assert np.abs(given - wanted.numpy()).max() < 1e-4, number
        assert np.abs(attention - output.attention.numpy()).max() < 1e-4, number


def test_what_onnx_cannot_say_is_one_sentence(slide_model, tmp_path):
    network = BagNetwork(create_aggregator("transmil", 24, 4, "corn"), torch.zeros(24), torch.ones(24))
    with pytest.raises(ConfigError, match="cannot be written as ONNX"):
        export_onnx(Bundle("transmil", tmp_path, slide_model.spec, network.eval()), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_no_network_and_a_missing_package_are_one_sentence(slide_model, tmp_path, monkeypatch):
    nothing = Bundle("none", tmp_path, BundleSpec.model_validate(slide_model.spec.model_dump()))
    with pytest.raises(BundleError, match="has no network to export"):
        export_onnx(nothing, tmp_path / "model.onnx")
    with pytest.raises(OptionError, match="give the file the ending"):
        export_onnx(slide_model, tmp_path / "model.pt")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[onnx\]'"):
        export_onnx(slide_model, tmp_path / "model.onnx")
