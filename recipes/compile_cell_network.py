"""Writes the trained cell network as the ONNX file that slides are measured with, without PyTorch.

    python recipes/compile_cell_network.py [--out FILE.onnx]

The same function: normalisation is worked into the convolutions, channels are filled up with zeros to what
the processor multiplies at once, the maps come out as 0..1. The file names the weights it was made of.
"""

from __future__ import annotations

import argparse
import copy
import io
import warnings
from pathlib import Path

import onnx
import torch
from safetensors import safe_open
from torch import Tensor, nn

from lowpower.files import sha256_of, write_bytes
from lowpower.stain.cells._cell_network import CellNetwork, trained_network

WEIGHTS = Path(__file__).resolve().parents[1] / "src" / "lowpower" / "stain" / "cell_network.safetensors"
TARGET = WEIGHTS.with_suffix(".onnx")
OPSET = 17
LANES = 16
"""Channels of a layer are a multiple of this."""
_GIVEN = 8
"""Fewer channels are the network's own input and output, and stay."""


class _Maps(nn.Module):
    """The maps themselves, not their logits."""

    def __init__(self, network: CellNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, stains: Tensor) -> Tensor:
        return torch.sigmoid(self.network(stains))


def filled(network: CellNetwork) -> CellNetwork:
    """The same function, its channels filled up with zeros to multiples of `LANES`."""
    wide = copy.deepcopy(network)
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            above, _, leaf = name.rpartition(".")
            wide.get_submodule(above)._modules[leaf] = _filled(layer)
    return wide


def _filled(layer: nn.Conv2d) -> nn.Conv2d:
    outer, inner = (
        size if size < _GIVEN else -(-size // LANES) * LANES for size in tuple(layer.weight.shape[:2])
    )
    wide = nn.Conv2d(inner, outer, layer.kernel_size, layer.stride, layer.padding)  # type: ignore[arg-type]
    assert layer.bias is not None
    assert wide.bias is not None
    with torch.no_grad():
        wide.weight.zero_()[: layer.weight.shape[0], : layer.weight.shape[1]] = layer.weight
        wide.bias.zero_()[: layer.bias.shape[0]] = layer.bias
    return wide


def compiled(network: CellNetwork) -> onnx.ModelProto:
    """`stains` (1, 3, H, W) to `maps` (1, 4, H / 2, W / 2)."""
    held = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Maps(filled(network)).eval(), (torch.zeros(1, 3, 64, 96),), held, dynamo=False,
            input_names=["stains"], output_names=["maps"], opset_version=OPSET,
            dynamic_axes={"stains": {2: "height", 3: "width"}, "maps": {2: "rows", 3: "columns"}},
        )  # fmt: skip
    return onnx.load_from_string(held.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    model = compiled(trained_network())
    with safe_open(WEIGHTS, "np") as weights:
        notes = weights.metadata()
    notes |= {"compiled_by": "recipes/compile_cell_network.py", "weights_sha256": sha256_of(WEIGHTS)}
    for key, value in sorted(notes.items()):
        model.metadata_props.add(key=key, value=value)
    write_bytes(options.out, model.SerializeToString())
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
