"""CLAM with one attention branch per output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lowpower.models.mil._base import Aggregator, MilOutput, decided_output
from lowpower.models.mil._clustering import InstanceClustering, positive_outputs
from lowpower.models.mil._parts import GatedAttention, Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import HeadName, head_loss

__all__ = ["ClamMB"]


@register_aggregator("clam_mb")
class ClamMB(Aggregator):
    """Clustering-constrained attention, multi-branch: Lu et al. 2021 (arXiv 2004.09666).

    Every output m has its own attention a_n,m, its own slide vector h_slide,m = sum_n a_n,m h_n and its own
    classifier s_m = W_c,m h_slide,m. With the corn head a branch is a step ("above 0?", "above 1+?", ...).
    The attention returned is that of the output which decides the bag.

    Raises:
        ValueError: for the cumulative head, whose steps share one scale and cannot have branches.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        head: HeadName = "softmax",
        *,
        hidden: int = 256,
        attention: int = 128,
        dropout: float = 0.25,
        sample: int = 8,
        patch_weight: float = 0.3,
    ) -> None:
        super().__init__(dim, classes, head)
        if head == "cumulative":
            raise ValueError(
                "its branches cannot share the one scale of the cumulative head; use softmax or corn"
            )
        self.project = Projection(dim, hidden, dropout)
        self.attention = GatedAttention(hidden, attention, self.outputs, dropout)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Parameter(torch.empty(self.outputs, hidden))
        self.bias = nn.Parameter(torch.zeros(self.outputs))
        nn.init.trunc_normal_(self.classify, std=0.02)
        self.clustering = InstanceClustering(hidden, self.outputs, sample)
        self.patch_weight = patch_weight

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """One attention-weighted mean and one logit per output."""
        logits, weights = self._pool(self.project(bags), mask)
        return self._decided(logits, weights)

    def bag_loss(
        self, bags: Tensor, mask: Tensor, coords: Tensor | None, labels: Tensor
    ) -> tuple[Tensor, MilOutput]:
        """Slide loss and instance-level clustering loss, weighted."""
        instances = self.project(bags)
        logits, weights = self._pool(instances, mask)
        positive = positive_outputs(self.head_name, labels, self.outputs)
        patch = self.clustering.loss(instances, weights, mask, positive)
        slide = head_loss(self.head_name, logits, labels)
        return (1 - self.patch_weight) * slide + self.patch_weight * patch, self._decided(logits, weights)

    def _pool(self, instances: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.attention(instances, mask)
        pooled = self.dropout(weights.transpose(1, 2) @ instances)
        return (pooled * self.classify).sum(-1) + self.bias, weights

    def _decided(self, logits: Tensor, weights: Tensor) -> MilOutput:
        index = decided_output(self.head_name, logits)[:, None, None].expand(-1, weights.shape[1], 1)
        return MilOutput(logits, weights.gather(2, index)[..., 0])
