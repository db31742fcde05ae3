"""From views to predictions: one view at a time, so that company changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowpower.models.network import SlideNetwork, temper
from lowpower.views import View

if TYPE_CHECKING:
    from lowpower.models.bundle import Bundle

__all__ = ["Prediction", "explain", "predict", "to_tensors"]

_BRIGHTEST = 1.25
_TILE_PIXELS = 768


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network says of one view.

    Attributes:
        probabilities: (K,) float64, calibrated where a bundle with a temperature predicted.
        logits: (K,) or (K-1,) float32, as the head gave them.
        local_scores: (h, w) float32, local expected class index over the view, 0 to K-1: the expected score
            of a slide made of nothing but such tissue.
    """

    probabilities: NDArray[np.float64]
    logits: NDArray[np.float32]
    local_scores: NDArray[np.float32]

    @property
    def expected_score(self) -> float:
        """Sum of class index x probability."""
        return float(self.probabilities @ np.arange(len(self.probabilities)))


def to_tensors(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], white_point: NDArray[np.float32], multiple: int
) -> tuple[Tensor, Tensor]:
    """A view as the network takes it, padded with glass to a multiple of `multiple` pixels.

    Returns:
        Image (1, 3, H, W) float32 of intensity / white point, and mask (1, 1, H, W) float32.
    """
    height, width = image.shape[:2]
    rows, columns = -height % multiple, -width % multiple
    scaled = image.astype(np.float32)
    scaled /= np.maximum(white_point, 1.0).astype(np.float32)
    np.minimum(scaled, _BRIGHTEST, out=scaled)
    scaled = np.pad(scaled, ((0, rows), (0, columns), (0, 0)), constant_values=1.0)
    tissue = np.pad(mask.astype(np.float32), ((0, rows), (0, columns)))
    return torch.from_numpy(scaled).permute(2, 0, 1)[None], torch.from_numpy(tissue)[None, None]


def predict(model: Bundle | SlideNetwork, views: Iterable[View], device: str = "cpu") -> list[Prediction]:
    """Predict views, each alone: a view's result does not depend on what else is predicted.

    Memory is bounded whatever a view's size: the backbone sees tiles of at most 768 x 768 px
    and as much around them as its receptive field reaches.

    Args:
        model: A bundle (its temperature is applied) or a bare network.
        views: Views made by the bundle's recipe.
        device: torch device.

    Returns:
        One prediction a view, in order.
    """
    network, temperature = (
        (model, 1.0) if isinstance(model, SlideNetwork) else (model.network, model.temperature)
    )
    was_training = network.training
    network = network.to(device).eval()
    try:
        return [_predict_one(network, view, temperature, device) for view in views]
    finally:
        network.train(was_training)


def explain(model: Bundle | SlideNetwork, view: View, device: str = "cpu") -> NDArray[np.float32]:
    """(h, w) float32 map of local expected scores over a view; see `Prediction.local_scores`."""
    return predict(model, [view], device)[0].local_scores


@torch.inference_mode()
def _predict_one(network: SlideNetwork, view: View, temperature: float, device: str) -> Prediction:
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
        _cover(local, tuple(images.shape[-2:]), view.mask.shape),
    )


def _features_in_tiles(network: SlideNetwork, images: Tensor, device: str) -> Tensor:
    """Local features of a whole view, tile by tile with a halo where it is large."""
    height, width = images.shape[-2:]
    stride, multiple = min(network.spec.strides), network.pad_multiple
    halo = -(-network.reach // multiple) * multiple
    rows = []
    for top, bottom, above, below in _spans(height, multiple, halo):
        row = []
        for left, right, before, after in _spans(width, multiple, halo):
            tile = images[..., above:below, before:after].to(device)
            features = network.local_features(tile.contiguous(memory_format=torch.channels_last))
            inner_rows = slice((top - above) // stride, (bottom - above) // stride)
            row.append(features[:, inner_rows, (left - before) // stride : (right - before) // stride])
        rows.append(torch.cat(row, 2))
    return torch.cat(rows, 1)


def _spans(length: int, multiple: int, halo: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop, start with halo, stop with halo) of tiles of about equal length along one axis."""
    step = -(-length // -(-length // _TILE_PIXELS))
    step = -(-step // multiple) * multiple
    for start in range(0, length, step):
        stop = min(start + step, length)
        yield start, stop, max(0, start - halo), min(length, stop + halo)


def _cover(
    local: NDArray[np.float32], padded: tuple[int, ...], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The map over the view itself: the padding's part is cut off, a cell on the border is shared out."""
    if padded == shape:
        return local
    grid = (local.shape[1] * shape[1] / padded[1], local.shape[0] * shape[0] / padded[0])
    size = (max(1, round(grid[0])), max(1, round(grid[1])))
    # Cell centres of the new grid, looked up between the centres of the old one.
    across = ((np.arange(size[0]) + 0.5) * grid[0] / size[0] - 0.5).astype(np.float32)
    down = ((np.arange(size[1]) + 0.5) * grid[1] / size[1] - 0.5).astype(np.float32)
    columns, rows = np.meshgrid(across, down)
    return np.asarray(
        cv2.remap(local, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
