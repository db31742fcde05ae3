"""CLAM with a single attention branch."""

from __future__ import annotations

from torch import Tensor, nn

from lowpower.models.mil._base import Aggregator, MilOutput
from lowpower.models.mil._clustering import InstanceClustering, positive_outputs
from lowpower.models.mil._parts import GatedAttention, Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName, head_loss

__all__ = ["ClamSB"]


@register_aggregator("clam_sb")
class ClamSB(Aggregator):
    """Clustering-constrained attention, single branch: Lu et al. 2021 (arXiv 2004.09666).

    One gated attention serves all classes: h_slide = sum_n a_n h_n, logits from h_slide. In training the
    loss is c1 L_slide + c2 L_patch (paper: 0.7 and 0.3), L_patch being the instance-level clustering.
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
        self.project = Projection(dim, hidden, dropout)
        self.attention = GatedAttention(hidden, attention, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(head, hidden, classes)
        self.clustering = InstanceClustering(hidden, self.outputs, sample)
        self.patch_weight = patch_weight

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Attention-weighted mean of the projected instances."""
        return self._pool(self.project(bags), mask)

    def bag_loss(
        self, bags: Tensor, mask: Tensor, coords: Tensor | None, labels: Tensor
    ) -> tuple[Tensor, MilOutput]:
        """Slide loss and instance-level clustering loss, weighted."""
        instances = self.project(bags)
        output = self._pool(instances, mask)
        positive = positive_outputs(self.head_name, labels, self.outputs)
        patch = self.clustering.loss(instances, output.attention[..., None], mask, positive)
        slide = head_loss(self.head_name, output.logits, labels)
        return (1 - self.patch_weight) * slide + self.patch_weight * patch, output

    def _pool(self, instances: Tensor, mask: Tensor) -> MilOutput:
        weights = self.attention(instances, mask)[..., 0]
        pooled = (weights[:, None] @ instances)[:, 0]
        return MilOutput(self.head(self.dropout(pooled)), weights)
