"""What every aggregator is: a bag of instance features in, logits and instance weights out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lowpower.models.network import HeadName, class_probabilities, head_loss

__all__ = ["Aggregator", "MilOutput", "decided_output", "evidence_weights", "masked_softmax"]


class MilOutput(NamedTuple):
    """What an aggregator says about B bags of at most N instances.

    Attributes:
        logits: (B, K) for softmax, (B, K-1) for ordinal heads.
        attention: (B, N), non-negative; sums to 1 over a bag's instances and is 0 on padding.
    """

    logits: Tensor
    attention: Tensor


class Aggregator(nn.Module):
    """Base of the multiple-instance aggregators; a subclass gives `pool`, or `bag_loss` as well.

    Args:
        dim: D, length of an instance's feature.
        classes: K ordered classes, at least 2.
        head: softmax (K logits) or ordinal: corn, cumulative (K-1 logits).

    Raises:
        ValueError: if `dim` or `classes` cannot be.
    """

    def __init__(self, dim: int, classes: int, head: HeadName = "softmax") -> None:
        super().__init__()
        if dim < 1 or classes < 2:
            raise ValueError(f"an aggregator needs dim >= 1 and classes >= 2, got {dim} and {classes}")
        self.dim = dim
        self.classes = classes
        self.head_name = head
        self.outputs = classes if head == "softmax" else classes - 1

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Aggregate bags whose padding is zero; see `forward`."""
        raise NotImplementedError

    def bag_loss(
        self, bags: Tensor, mask: Tensor, coords: Tensor | None, labels: Tensor
    ) -> tuple[Tensor, MilOutput]:
        """The method's own training loss; by default the head's loss of the bag's logits."""
        output = self.pool(bags, mask, coords)
        return head_loss(self.head_name, output.logits, labels), output

    def forward(self, bags: Tensor, mask: Tensor | None = None, coords: Tensor | None = None) -> MilOutput:
        """Aggregate bags.

        Args:
            bags: (B, N, D) instance features of any floating type.
            mask: (B, N) bool, False on padding; None if nothing is padded.
            coords: (B, N, 2) x, y of the instances in any unit; only aggregators that look at positions
                (TransMIL) use them.

        Raises:
            ValueError: on another feature length, shapes that do not fit, or a bag without instances.
        """
        return self.pool(*self._checked(bags, mask, coords))

    def training_loss(
        self, bags: Tensor, mask: Tensor | None, labels: Tensor, coords: Tensor | None = None
    ) -> tuple[Tensor, MilOutput]:
        """The method's loss, auxiliary terms included, and its output; labels (B,) are class indices."""
        return self.bag_loss(*self._checked(bags, mask, coords), labels)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Class probabilities (B, K) of logits."""
        return class_probabilities(self.head_name, logits)

    def _checked(
        self, bags: Tensor, mask: Tensor | None, coords: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        if bags.ndim != 3 or bags.shape[2] != self.dim:
            raise ValueError(f"bags must be (B, N, {self.dim}), not {tuple(bags.shape)}")
        if mask is None:
            mask = torch.ones(bags.shape[:2], dtype=torch.bool, device=bags.device)
        if mask.shape != bags.shape[:2]:
            raise ValueError(f"mask must be {tuple(bags.shape[:2])}, not {tuple(mask.shape)}")
        if coords is not None and coords.shape != (*bags.shape[:2], 2):
            raise ValueError(f"coords must be {(*bags.shape[:2], 2)}, not {tuple(coords.shape)}")
        mask = mask.bool()
        filled = mask.any(1)
        if not bool(filled.all()):
            raise ValueError(f"bag {int((~filled).nonzero()[0, 0])} has no instances")
        dtype = next(self.parameters()).dtype
        bags = bags.to(dtype)
        if not bool(mask.all()):
            # Padding may hold anything, even NaN, which would survive a weight of zero.
            bags = bags.masked_fill(~mask[..., None], 0.0)
        return bags, mask, coords


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the instances (dim 1) of (B, N) or (B, N, M) scores; 0 where the (B, N) mask is False."""
    while mask.ndim < scores.ndim:
        mask = mask[..., None]
    return scores.masked_fill(~mask, -torch.inf).softmax(1)


def decided_output(head: HeadName, logits: Tensor) -> Tensor:
    """Index (B,) of the output that decides each bag of (B, O) logits.

    softmax: the most probable class. Ordinal: the highest step that the bag takes, or the first step if none.
    """
    probabilities = class_probabilities(head, logits)
    best = probabilities.argmax(-1)
    return best if head == "softmax" else (best - 1).clamp_min(0)


def evidence_weights(head: HeadName, instance_logits: Tensor, logits: Tensor, mask: Tensor) -> Tensor:
    """Instance weights (B, N) of poolings that have no attention of their own.

    The class-activation map of a linear head (Zhou et al. 2016): what the head says of each instance alone,
    for the output that decides the bag; for softmax relative to the other classes.

    Args:
        head: The head.
        instance_logits: (B, N, O) logits of single instances.
        logits: (B, O) logits of the bags.
        mask: (B, N) bool.
    """
    if head == "softmax":
        instance_logits = instance_logits - instance_logits.mean(-1, keepdim=True)
    index = decided_output(head, logits)[:, None, None].expand(-1, instance_logits.shape[1], 1)
    return masked_softmax(instance_logits.gather(2, index)[..., 0], mask)
