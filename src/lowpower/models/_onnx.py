"""A bundle's network as an ONNX file, for runtimes other than PyTorch."""

from __future__ import annotations

import importlib
import io
import json
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lowpower.errors import BundleError, ConfigError, OptionError, install_with, one_line
from lowpower.files import write_bytes
from lowpower.models.bundle import Bundle
from lowpower.models.mil import BagNetwork
from lowpower.models.network import SlideNetwork, temper

__all__ = ["export_onnx", "running_product"]

_OPSET = 17


def export_onnx(bundle: Bundle, path: str | Path) -> Path:
    """Write the network of a bundle as ONNX (opset 17).

    A slide or patch network takes `image` (1, 3, H, W), intensity over the white point, and `mask`
    (1, 1, H, W), 1 where tissue is; H and W are multiples of 32. An aggregator takes `features` (1, N, D)
    and, where it asks for places, `coords` (1, N, 2), corners in base pixels; it gives `attention` (1, N)
    too. Both give `probabilities` (1, K), after the bundle's temperature. The file does not hold reading,
    tissue, the encoder, fusion, nor the rules of referral.

    Args:
        bundle: A slide network, patch network or MIL model.
        path: The file.

    Raises:
        OptionError: the file's name has another ending than .onnx.
        ConfigError: the package onnx is not installed, or this aggregator has operations that ONNX lacks.
        BundleError: this kind of model has no network.
        OutputError: the file cannot be written.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise OptionError(f"{one_line(path)}: what is written is ONNX; give the file the ending .onnx.")
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError as error:
        raise ConfigError(f"export-model needs the package onnx; {install_with('onnx')}") from error
    inputs: tuple[Tensor, ...]
    if isinstance(bundle.module, SlideNetwork):
        network: nn.Module = _SlideAnswer(bundle.module, bundle.temperature)
        inputs = torch.ones(1, 3, 128, 160), torch.ones(1, 1, 128, 160)
        names, answers = ["image", "mask"], ["probabilities"]
        free = {name: {2: "height", 3: "width"} for name in names}
    elif isinstance(bundle.module, BagNetwork):
        network = _BagAnswer(bundle.module, bundle.temperature)
        inputs = torch.randn(1, 37, len(bundle.module.centre)), 1000 * torch.rand(1, 37, 2)
        names, answers = ["features", "coords"], ["probabilities", "attention"]
        free = {name: {1: "patches"} for name in (*names, "attention")}
    else:
        raise BundleError(f"{bundle.folder}: a model of kind {bundle.spec.kind} has no network to export.")
    held, exporter = io.BytesIO(), cast(Any, torch.onnx)  # which its own types do not describe whole
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            # The tracing exporter: the newer one reasons for hours about images of any size.
            warnings.simplefilter("ignore")
            exporter.register_custom_op_symbolic("aten::cumprod", running_product, _OPSET)
            exporter.export(
                network.eval(), inputs, held, dynamo=False, input_names=names, output_names=answers,
                dynamic_axes=free, opset_version=_OPSET,
            )  # fmt: skip
    except (exporter.errors.OnnxExporterError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(f"{bundle.folder}: cannot be written as ONNX: {first}") from error
    model = onnx.load_from_string(held.getvalue())
    spec = bundle.spec
    about = {"name": spec.name, "version": spec.version, "weights_sha256": spec.weights_sha256,
             "classes": json.dumps(spec.classes), "marker": spec.marker, "licence": spec.licence,
             "notice": "Research use only: not a medical device."}  # fmt: skip
    for key, value in about.items():
        model.metadata_props.add(key=key, value=value)
    write_bytes(path, model.SerializeToString())
    return Path(path)


class _SlideAnswer(nn.Module):
    def __init__(self, network: SlideNetwork, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return temper(self.network.probabilities(self.network(image, mask)), self.temperature)


class _BagAnswer(nn.Module):
    def __init__(self, network: BagNetwork, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, features: Tensor, coords: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network(features, None, coords)
        shares = self.network.aggregator.probabilities(output.logits)
        return temper(shares, self.temperature), output.attention


def running_product(graph: Any, values: Any, axis: Any, dtype: Any = None) -> Any:
    """ONNX has a running sum and no running product: the logarithm's sum, of what is not below 0."""
    return graph.op("Exp", graph.op("CumSum", graph.op("Log", values), axis))
