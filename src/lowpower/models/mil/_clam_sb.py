"""CLAM with a single attention branch."""

from __future__ import annotations

from torch import Tensor

from lowpower.models.mil._abmil import AttentionPool
from lowpower.models.mil._base import MilOutput
from lowpower.models.mil._clustering import InstanceClustering, positive_outputs
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import HeadName, head_loss

__all__ = ["ClamSB"]


@register_aggregator("clam_sb")
class ClamSB(AttentionPool):
    """Clustering-constrained attention, single branch: Lu et al. 2021 (arXiv 2004.09666).

    One gated attention serves all classes: h_slide = sum_n a_n h_n, logits from h_slide. In training the
    loss is c1 L_slide + c2 L_patch (paper: 0.7 and 0.3), L_patch being the instance-level clustering.
    """

    attention_drops = True

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
        super().__init__(dim, classes, head, hidden=hidden, attention=attention, dropout=dropout)
        self.clustering = InstanceClustering(hidden, self.outputs, sample)
        self.patch_weight = patch_weight

    def bag_loss(
        self, bags: Tensor, mask: Tensor, coords: Tensor | None, labels: Tensor
    ) -> tuple[Tensor, MilOutput]:
        """Slide loss and instance-level clustering loss, weighted."""
        instances = self.project(bags)
        output = self.attended(instances, mask)
        positive = positive_outputs(self.head_name, labels, self.outputs)
        patch = self.clustering.loss(instances, output.attention[..., None], mask, positive)
        slide = head_loss(self.head_name, output.logits, labels)
        return (1 - self.patch_weight) * slide + self.patch_weight * patch, output
