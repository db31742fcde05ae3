"""Attention-based multiple-instance learning."""

from __future__ import annotations

from torch import Tensor, nn

from lowpower.models.mil._base import Aggregator, MilOutput
from lowpower.models.mil._parts import GatedAttention, Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName

__all__ = ["AttentionPool"]


@register_aggregator("abmil")
class AttentionPool(Aggregator):
    """Gated attention pooling of Ilse, Tomczak and Welling 2018 (arXiv 1802.04712).

    z = sum_n a_n h_n, equation (7), with the weights a_n of the gated attention, equation (9).
    """

    attention_drops = False

    def __init__(
        self,
        dim: int,
        classes: int,
        head: HeadName = "softmax",
        *,
        hidden: int = 256,
        attention: int = 128,
        dropout: float = 0.25,
    ) -> None:
        super().__init__(dim, classes, head)
        self.project = Projection(dim, hidden, dropout)
        self.attention = GatedAttention(hidden, attention, dropout=dropout if self.attention_drops else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(head, hidden, classes)

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Attention-weighted mean of the projected instances."""
        return self.attended(self.project(bags), mask)

    def attended(self, instances: Tensor, mask: Tensor) -> MilOutput:
        """The same of instances that are projected already."""
        weights = self.attention(instances, mask)[..., 0]
        pooled = (weights[:, None] @ instances)[:, 0]
        return MilOutput(self.head(self.dropout(pooled)), weights)
