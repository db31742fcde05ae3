"""A view through a slide network of PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowpower.models._predict import Prediction, cover, spans, to_arrays
from lowpower.models.network import SlideNetwork, temper
from lowpower.views import View

__all__ = ["predict_by_network", "to_tensors"]


def to_tensors(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], white_point: NDArray[np.float32], multiple: int
) -> tuple[Tensor, Tensor]:
    """`to_arrays` as tensors."""
    images, tissue = to_arrays(image, mask, white_point, multiple)
    return torch.from_numpy(images), torch.from_numpy(tissue)


@torch.inference_mode()
def predict_by_network(network: SlideNetwork, view: View, temperature: float, device: str) -> Prediction:
    """What a network in evaluation mode says of a view."""
    images, mask = to_tensors(view.image, view.mask, view.white_point, network.pad_multiple)
    features = _features_in_tiles(network, images, device)
    logits, log_rates = network.read(features, mask.to(device))
    probabilities = network.probabilities(logits.double())
    if temperature != 1.0:
        probabilities = temper(probabilities, temperature)
    local = network.local_scores(features, log_rates)[0].float().cpu().numpy()
    return Prediction(
        probabilities[0].cpu().numpy(),
        logits[0].float().cpu().numpy(),
        cover(local, tuple(images.shape[-2:]), view.mask.shape),
    )


def _features_in_tiles(network: SlideNetwork, images: Tensor, device: str) -> Tensor:
    """Local features of a whole view, tile by tile with a halo where it is large."""
    height, width = images.shape[-2:]
    stride, multiple = min(network.spec.strides), network.pad_multiple
    halo = -(-network.reach // multiple) * multiple
    rows = []
    for top, bottom, above, below in spans(height, multiple, halo):
        row = []
        for left, right, before, after in spans(width, multiple, halo):
            tile = images[..., above:below, before:after].to(device)
            features = network.local_features(tile.contiguous(memory_format=torch.channels_last))
            inner_rows = slice((top - above) // stride, (bottom - above) // stride)
            row.append(features[:, inner_rows, (left - before) // stride : (right - before) // stride])
        rows.append(torch.cat(row, 2))
    return torch.cat(rows, 1)
