"""Mean and max pooling."""

from __future__ import annotations

import torch
from torch import Tensor

from lowpower.models.mil._base import Aggregator, MilOutput, evidence_weights
from lowpower.models.mil._parts import Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName

__all__ = ["MaxPool", "MeanPool"]


class _Plain(Aggregator):
    """A vector of the projected instances that nothing learnt weighs, then a linear head.

    What is returned as attention is each instance's evidence, see `evidence_weights`.
    """

    def __init__(
        self, dim: int, classes: int, head: HeadName = "softmax", *, hidden: int = 256, dropout: float = 0.25
    ) -> None:
        super().__init__(dim, classes, head)
        self.project = Projection(dim, hidden, dropout)
        self.head = Head(head, hidden, classes)

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """The head's logits of the one vector."""
        instances = self.project(bags)
        logits = self.head(self.vector(instances, mask))
        return MilOutput(logits, evidence_weights(self.head_name, self.head(instances), logits, mask))

    def vector(self, instances: Tensor, mask: Tensor) -> Tensor:
        """(B, D) of (B, N, D) instances."""
        raise NotImplementedError


@register_aggregator("mean")
class MeanPool(_Plain):
    """The mean of the projected instances, equation (6) of Ilse et al. 2018 (arXiv 1802.04712).

    z = 1/N sum_n h_n. Every instance weighs the same; its evidence is exact because the head is linear.
    """

    def vector(self, instances: Tensor, mask: Tensor) -> Tensor:
        """Mean over the instances that are there."""
        weights = mask.to(instances.dtype)[..., None]
        return (instances * weights).sum(1) / weights.sum(1)


@register_aggregator("max")
class MaxPool(_Plain):
    """The maximum of the projected instances, feature by feature: equation (5) of Ilse et al. 2018.

    z_m = max_n h_nm (arXiv 1802.04712).
    """

    def vector(self, instances: Tensor, mask: Tensor) -> Tensor:
        """Maximum over the instances that are there."""
        return instances.masked_fill(~mask[..., None], -torch.inf).amax(1)
