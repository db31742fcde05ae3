"""Double-tier feature distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lowpower.models.mil._base import Aggregator, MilOutput
from lowpower.models.mil._parts import GatedAttention, Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName, head_loss

__all__ = ["DoubleTier"]


@register_aggregator("dtfd")
class DoubleTier(Aggregator):
    """DTFD-MIL of Zhang et al. 2022 (arXiv 2203.12081), with aggregated feature selection (AFS).

    A bag is split into M pseudo-bags that inherit its label. Tier 1 pools each with a gated attention,
    f_m = sum_n a_n h_n, and is trained on them; its pooled vectors f_m are distilled to tier 2, a second
    gated attention over the M of them that gives the bag's logits. Training adds the two tiers' losses.
    Attention is tier 1's within a pseudo-bag times tier 2's weight of the pseudo-bag.

    Pseudo-bags are random in training, as in the paper. In evaluation instances are dealt in the order of
    their tier-1 score instead, so that the result depends neither on chance nor on the instances' order.
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
        pseudo_bags: int = 4,
    ) -> None:
        super().__init__(dim, classes, head)
        if pseudo_bags < 1:
            raise ValueError(f"pseudo_bags must be at least 1, not {pseudo_bags}")
        self.project = Projection(dim, hidden, dropout)
        self.first = GatedAttention(hidden, attention)
        self.first_head = Head(head, hidden, classes)
        self.distil = nn.Linear(hidden, hidden)
        self.second = GatedAttention(hidden, attention)
        self.second_head = Head(head, hidden, classes)
        self.pseudo_bags = pseudo_bags

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Tier 2's logits."""
        return self._tiers(bags, mask)[0]

    def bag_loss(
        self, bags: Tensor, mask: Tensor, coords: Tensor | None, labels: Tensor
    ) -> tuple[Tensor, MilOutput]:
        """Tier 1's loss over the pseudo-bags, each with its bag's label, plus tier 2's over the bags."""
        output, pseudo, filled = self._tiers(bags, mask)
        repeated = labels[:, None].expand(-1, pseudo.shape[1])
        first = head_loss(self.head_name, pseudo[filled], repeated[filled])
        return first + head_loss(self.head_name, output.logits, labels), output

    def _tiers(self, bags: Tensor, mask: Tensor) -> tuple[MilOutput, Tensor, Tensor]:
        """The output, the pseudo-bags' logits (B, M, O) and which pseudo-bags have instances (B, M)."""
        instances = self.project(bags)
        scores = self.first.scores(instances)[..., 0]
        member = self._deal(scores.detach(), mask)
        filled = member.any(2)
        # An empty pseudo-bag (fewer instances than pseudo-bags) gets zero weights instead of NaN.
        within = (
            scores[:, None].masked_fill(~member, -torch.inf).masked_fill(~filled[..., None], 0.0).softmax(2)
        )
        within = within * member
        vectors = within @ instances
        distilled = self.distil(vectors).relu()
        across = self.second(distilled, filled)[..., 0]
        logits = self.second_head((across[:, None] @ distilled)[:, 0])
        attention = (across[:, None] @ within)[:, 0]
        return MilOutput(logits, attention), self.first_head(vectors), filled

    def _deal(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Which pseudo-bag each instance is in: (B, M, N) bool, like cards dealt in turn."""
        key = torch.rand_like(scores) if self.training else scores
        order = key.masked_fill(~mask, -torch.inf).argsort(1, descending=True)
        rank = order.argsort(1)
        turns = torch.arange(self.pseudo_bags, device=scores.device)[:, None]
        return (rank[:, None] % self.pseudo_bags == turns) & mask[:, None]
