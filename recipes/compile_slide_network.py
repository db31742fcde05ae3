"""Writes a slide network's bundle as the four ONNX files that score without PyTorch, beside its weights.

    python recipes/compile_slide_network.py [BUNDLE]

The same function and the same weights, in the 16 bits the bundle stores. `lowpower.models` takes them where
`graphs.json` names the weights in the bundle; without them, or on a GPU, PyTorch runs the network.
"""

from __future__ import annotations

import argparse
import io
import math
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx.shape_inference
import onnx.utils
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from lowpower.files import sha256_of, write_bytes, write_text
from lowpower.models import Bundle, SlideNetwork, load_bundle
from lowpower.models._onnx import running_product
from lowpower.models._slide_graph import ANSWER, CELLS, FAR, GRAPHS, NEAR, GraphNotes

HER2_SIM = Path(__file__).resolve().parents[1] / "src" / "lowpower" / "bundled" / "her2-sim"
OPSET = 17
SMALL = 64
"""Numbers up to which a tensor stays in 32 bits: shapes and constants."""


class _Cells(nn.Module):
    def __init__(self, network: SlideNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.local_features(image)


class _Answer(nn.Module):
    def __init__(self, network: SlideNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, cells: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        logits, log_rates = self.network.read(cells, mask)
        return logits, self.network.local_scores(cells, log_rates)


def exported(
    module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], answers: list[str],
    free: dict[str, dict[int, str]],
) -> onnx.ModelProto:  # fmt: skip
    """A module as ONNX; normalisation stays by itself, so that weights stay as they are stored."""
    held = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.register_custom_op_symbolic("aten::cumprod", running_product, OPSET)
        torch.onnx.export(
            module.eval(), inputs, held, dynamo=False, input_names=names, output_names=answers,
            dynamic_axes=free, opset_version=OPSET, training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
    return onnx.load_from_string(held.getvalue())


def in_three(model: onnx.ModelProto) -> list[onnx.ModelProto]:
    """The graph from image to cells in three: finest features and colours, coarser features, the rest.

    The first looks a few pixels around and takes most of the memory, the second looks far around and takes
    little, the third looks at a cell and its neighbours: each is run on tiles that suit it.
    """
    nodes = model.graph.node
    made = {output: node for node in nodes for output in node.output}
    norm = next(node for node in nodes if node.op_type == "LayerNormalization")
    joined = made[made[norm.input[0]].input[0]]
    finest, *enlarged = joined.input
    colours = next(node for node in nodes if node.op_type == "AveragePool").output[0]
    coarser = {made[name].input[0]: f"coarse{number}" for number, name in enumerate(enlarged)}
    new = {finest: "shallow", colours: "colour", **coarser}
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [new.get(name, name) for name in names]
    del model.graph.value_info[:]
    extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
    inner, far = ["shallow", "colour"], list(coarser.values())
    return [
        extractor.extract_model(["image"], inner),
        extractor.extract_model(["shallow"], far),
        extractor.extract_model([*inner, *far], ["cells"]),
    ]


def near_reach(network: SlideNetwork, stride: int) -> int:
    """How many pixels away a pixel may change the finest features: `SlideNetwork.reach` up to their grid."""
    size, reached = 2 * network.pad_multiple, 0.0

    def count(layer: nn.Conv2d, entering: tuple[Tensor, ...], _: Tensor) -> None:
        nonlocal reached
        scale = size / entering[0].shape[-2]
        if scale <= stride:
            reached += (layer.kernel_size[0] - 1) * layer.dilation[0] / 2 * scale

    hooks = [m.register_forward_hook(count) for m in network.body.modules() if isinstance(m, nn.Conv2d)]
    with torch.inference_mode():
        network.local_features(torch.ones(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return math.ceil(reached)


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, its weights stored in 16 bits where that loses nothing."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= SMALL:
            continue
        small = values.astype(np.float16)
        if not np.array_equal(small.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(small, f"{name}.16"))
        casts.append(helper.make_node("Cast", [f"{name}.16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def compile_bundle(bundle: Bundle) -> None:
    """Write the files into the bundle's folder."""
    network = bundle.network
    multiple, stride = network.pad_multiple, min(network.spec.strides)
    image = torch.rand(1, 3, 4 * multiple, 5 * multiple)
    mask = torch.ones(1, 1, 4 * multiple, 5 * multiple)
    with torch.no_grad():
        cells = network.local_features(image)
    grid = {1: "rows", 2: "columns"}
    sides = {2: "height", 3: "width"}
    whole = exported(_Cells(network), (image,), ["image"], ["cells"], {"image": sides, "cells": grid})
    graphs = {
        **dict(zip((NEAR, FAR, CELLS), in_three(whole), strict=True)),
        ANSWER: exported(
            _Answer(network), (cells, mask), ["cells", "mask"], ["logits", "local"],
            {"cells": grid, "mask": sides, "local": grid},
        ),
    }  # fmt: skip
    for name, graph in graphs.items():
        write_bytes(bundle.folder / name, halved(graph).SerializeToString())
    notes = GraphNotes(
        weights_sha256=bundle.spec.weights_sha256,
        sha256={name: sha256_of(bundle.folder / name) for name in graphs},
        multiple=multiple,
        stride=stride,
        near_reach=near_reach(network, stride),
        reach=network.reach,
    )
    write_text(bundle.folder / GRAPHS, notes.model_dump_json(indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", nargs="?", type=Path, default=HER2_SIM)
    options = parser.parse_args()
    (options.bundle / GRAPHS).unlink(missing_ok=True)
    compile_bundle(load_bundle(options.bundle))
    for name in (NEAR, FAR, CELLS, ANSWER):
        print(f"{options.bundle / name}: {(options.bundle / name).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
