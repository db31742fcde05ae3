"""Pooling over tissue only: glass, padding and batch-mates carry no weight."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["cell_means", "cell_weights", "weighted_mean", "weighted_top_mean"]


def cell_means(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mean over the pixels of each cell: values (B, C, H, W) on a grid (h, w) that covers them exactly."""
    (height, width), (rows, columns) = ((int(side) for side in shape) for shape in (values.shape[-2:], grid))
    if height % rows == 0 and width % columns == 0:
        # The very numbers of adaptive pooling, in a form that ONNX knows for images of any size.
        return functional.avg_pool2d(values, (height // rows, width // columns))
    return functional.adaptive_avg_pool2d(values, grid)


def cell_weights(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """Share of tissue in each cell of a feature map.

    Args:
        mask: (B, 1, H, W), 1 where tissue is.
        grid: (h, w) of the feature map; it covers the mask exactly.

    Returns:
        (B, h*w), 0 to 1; all ones for an image without any tissue, so that pooling stays defined.
    """
    shares = cell_means(mask.float(), grid).flatten(1)
    empty = shares.sum(1, keepdim=True) <= 0
    return torch.where(empty, torch.ones_like(shares), shares)


def weighted_mean(features: Tensor, weights: Tensor) -> Tensor:
    """Mean of (B, N, C) features under (B, N) weights: (B, C)."""
    return (features * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


def weighted_top_mean(features: Tensor, weights: Tensor, share: float) -> Tensor:
    """Mean of the highest `share` of the weight, feature by feature: (B, N, C), (B, N) -> (B, C).

    The cell on the border counts in part, so that the result changes smoothly with the weights.
    """
    values, order = features.sort(dim=1, descending=True)
    sorted_weights = weights[..., None].expand_as(features).gather(1, order)
    wanted = share * weights.sum(1)[:, None, None]
    before = sorted_weights.cumsum(1) - sorted_weights
    taken = torch.minimum((wanted - before).clamp_min(0), sorted_weights)
    return (values * taken).sum(1) / wanted[:, 0]
