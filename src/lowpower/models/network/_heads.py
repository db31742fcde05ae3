"""Heads: from pooled features to class probabilities, with the loss that belongs to each.

Classes are ordered, K of them. softmax gives K logits. corn gives K-1 logits, the k-th being the logit of
P(y > k | y > k-1) (Shi, Cao and Raschka 2021, arXiv 2111.08851). cumulative gives K-1 logits of P(y > k)
that differ only by ordered thresholds (proportional odds, McCullagh 1980).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowpower.models.network._network_spec import HeadName

__all__ = ["Head", "class_probabilities", "expected_score", "head_loss", "temper"]

_TINY = 1e-7
_LEAST = 1e-12


class Head(nn.Module):
    """Linear map from (..., D) features to (..., K) logits for softmax, (..., K-1) for ordinal heads."""

    def __init__(self, name: HeadName, features: int, classes: int) -> None:
        super().__init__()
        self.name = name
        self.classes = classes
        outputs = {"softmax": classes, "corn": classes - 1, "cumulative": 1}[name]
        self.linear = nn.Linear(features, outputs)
        nn.init.trunc_normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        if name == "cumulative":
            # Thresholds start one logit apart and centred; the linear map's bias is the first of them.
            self.linear.bias.data.fill_((classes - 2) / 2)
            self.gaps = nn.Parameter(torch.full((classes - 2,), 0.5413))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of `features` (..., D)."""
        logits: Tensor = self.linear(features)
        if self.name == "cumulative":
            steps = functional.softplus(self.gaps).cumsum(0)
            logits = logits - torch.cat([steps.new_zeros(1), steps])
        return logits


def class_probabilities(head: HeadName, logits: Tensor) -> Tensor:
    """Probabilities (..., K) of a head's logits; each row sums to 1."""
    if head == "softmax":
        return logits.softmax(-1)
    exceed = logits.sigmoid()
    if head == "corn":
        exceed = exceed.cumprod(-1)
    bounds = torch.cat([torch.ones_like(exceed[..., :1]), exceed, torch.zeros_like(exceed[..., :1])], -1)
    return (bounds[..., :-1] - bounds[..., 1:]).clamp_min(0)


def expected_score(probabilities: Tensor) -> Tensor:
    """Sum of class index x probability over the last axis: (..., K) -> (...)."""
    steps = torch.arange(probabilities.shape[-1], dtype=probabilities.dtype, device=probabilities.device)
    return (probabilities * steps).sum(-1)


def temper(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities softened (temperature > 1) or sharpened (< 1): p^(1/T), normalised over the last axis.

    For softmax this equals dividing the logits by T; it serves ordinal heads alike.
    """
    return (probabilities.clamp_min(_LEAST).log() / temperature).softmax(-1)


def head_loss(head: HeadName, logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss of logits (N, K or K-1) against class indices (N,)."""
    if head == "softmax":
        return functional.cross_entropy(logits, labels)
    if head == "cumulative":
        probabilities = class_probabilities(head, logits)
        return functional.nll_loss(probabilities.clamp_min(_TINY).log(), labels)
    steps = torch.arange(logits.shape[1], device=labels.device)
    # Step k is asked only of slides that passed the steps below it.
    asked = (labels[:, None] >= steps).to(logits.dtype)
    target = (labels[:, None] > steps).to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (losses * asked).sum() / labels.shape[0]
