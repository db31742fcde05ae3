"""From patches to class probabilities, one patch at a time, by a network trained on patches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from lowpower.models.network import SlideNetwork

__all__ = ["patch_probabilities"]

_AT_ONCE = 32
_CPU_PIXELS = 1 << 18
"""Predicted at once on a processor: activations of more come from fresh pages, at a third of the speed."""
_BRIGHTEST = 1.25


@torch.inference_mode()
def patch_probabilities(
    network: SlideNetwork,
    patches: NDArray[np.uint8],
    white_point: ArrayLike,
    device: torch.device | str = "cpu",
) -> NDArray[np.float64]:
    """(N, K) probabilities of one slide's patches, each alone.

    Args:
        network: In evaluation mode while it predicts.
        patches: (N, H, W, 3) uint8 RGB, N >= 1; read as far as needed where they are mapped from a file.
        white_point: (3,) RGB of the slide's glass.
        device: torch device.
    """
    was_training = network.training
    network = network.to(device).eval()
    few = _AT_ONCE
    if torch.device(device).type == "cpu":
        few = min(few, max(1, _CPU_PIXELS // (patches.shape[1] * patches.shape[2])))
    found = [
        network.probabilities(network(*_tensors(patches[start : start + few], white_point, network, device)))
        for start in range(0, len(patches), few)
    ]
    network.train(was_training)
    return np.asarray(torch.cat(found).double().cpu().numpy())


def _tensors(
    patches: NDArray[np.uint8], white_point: ArrayLike, network: SlideNetwork, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Images and masks as the network takes them, padded with glass that carries no weight."""
    white = np.maximum(np.asarray(white_point, np.float32), 1.0)
    images = np.minimum(np.ascontiguousarray(patches).astype(np.float32) / white, _BRIGHTEST)
    rows, columns = (-side % network.pad_multiple for side in images.shape[1:3])
    images = np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), constant_values=1.0)
    masks = np.zeros((len(images), 1, *images.shape[1:3]), np.float32)
    masks[:, :, : patches.shape[1], : patches.shape[2]] = 1.0
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(device), torch.from_numpy(masks).to(device)
