"""Mean pooling."""

from __future__ import annotations

from torch import Tensor

from lowpower.models.mil._base import Aggregator, MilOutput, evidence_weights
from lowpower.models.mil._parts import Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName

__all__ = ["MeanPool"]


@register_aggregator("mean")
class MeanPool(Aggregator):
    """The mean of the projected instances, equation (6) of Ilse et al. 2018 (arXiv 1802.04712).

    z = 1/N sum_n h_n. Every instance weighs the same; what is returned as attention is each instance's
    evidence (see `evidence_weights`), exact because the head is linear.
    """

    def __init__(
        self, dim: int, classes: int, head: HeadName = "softmax", *, hidden: int = 256, dropout: float = 0.25
    ) -> None:
        super().__init__(dim, classes, head)
        self.project = Projection(dim, hidden, dropout)
        self.head = Head(head, hidden, classes)

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Mean of the projected instances."""
        instances = self.project(bags)
        weights = mask.to(instances.dtype)[..., None]
        logits = self.head((instances * weights).sum(1) / weights.sum(1))
        return MilOutput(logits, evidence_weights(self.head_name, self.head(instances), logits, mask))
