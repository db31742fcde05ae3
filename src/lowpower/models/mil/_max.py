"""Max pooling."""

from __future__ import annotations

import torch
from torch import Tensor

from lowpower.models.mil._base import Aggregator, MilOutput, evidence_weights
from lowpower.models.mil._parts import Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName

__all__ = ["MaxPool"]


@register_aggregator("max")
class MaxPool(Aggregator):
    """The maximum of the projected instances, feature by feature: equation (5) of Ilse et al. 2018.

    z_m = max_n h_nm (arXiv 1802.04712). What is returned as attention is each instance's evidence (see
    `evidence_weights`).
    """

    def __init__(
        self, dim: int, classes: int, head: HeadName = "softmax", *, hidden: int = 256, dropout: float = 0.25
    ) -> None:
        super().__init__(dim, classes, head)
        self.project = Projection(dim, hidden, dropout)
        self.head = Head(head, hidden, classes)

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Maximum of the projected instances."""
        instances = self.project(bags)
        logits = self.head(instances.masked_fill(~mask[..., None], -torch.inf).amax(1))
        return MilOutput(logits, evidence_weights(self.head_name, self.head(instances), logits, mask))
