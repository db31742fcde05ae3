"""Dual-stream multiple-instance learning."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lowpower.models.mil._base import Aggregator, MilOutput, decided_output, masked_softmax
from lowpower.models.mil._parts import Projection
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName, head_loss

__all__ = ["DualStream"]


@register_aggregator("dsmil")
class DualStream(Aggregator):
    """DSMIL of Li, Li and Eliceiri 2021 (arXiv 2011.08939), its MIL aggregator.

    Instance stream: c_m = max_n W_0 h_n, per output; the instance that gives the maximum is critical, h_m.
    Bag stream: q_n = W_q h_n, v_n = W_v h_n; U(h_n, h_m) = softmax_n(<q_n, q_m>);
    c_b = W_b [sum_n U(h_n, h_m) v_n] over all outputs' bag vectors. Score: c = (c_m + c_b) / 2.
    The inner product is divided by the square root of its length, so that softmax does not saturate.
    Training averages the losses of the two streams. Attention is U of the output that decides the bag.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        head: HeadName = "softmax",
        *,
        hidden: int = 256,
        query: int = 128,
        dropout: float = 0.25,
    ) -> None:
        super().__init__(dim, classes, head)
        self.project = Projection(dim, hidden, dropout)
        self.instance_head = Head(head, hidden, classes)
        self.query = nn.Sequential(nn.Linear(hidden, query), nn.ReLU(), nn.Linear(query, query), nn.Tanh())
        self.value = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU())
        self.bag_head = Head(head, self.outputs * hidden, classes)

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Mean of the two streams' logits."""
        instance, bag, weights = self._streams(bags, mask)
        return self._decided(instance, bag, weights)

    def bag_loss(
        self, bags: Tensor, mask: Tensor, coords: Tensor | None, labels: Tensor
    ) -> tuple[Tensor, MilOutput]:
        """Mean of the two streams' losses."""
        instance, bag, weights = self._streams(bags, mask)
        loss = (head_loss(self.head_name, instance, labels) + head_loss(self.head_name, bag, labels)) / 2
        return loss, self._decided(instance, bag, weights)

    def _streams(self, bags: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        instances = self.project(bags)
        scores = self.instance_head(instances).masked_fill(~mask[..., None], -torch.inf)
        best, critical = scores.max(1)
        queries = self.query(instances)
        wanted = queries.gather(1, critical[..., None].expand(-1, -1, queries.shape[2]))
        weights = masked_softmax(queries @ wanted.transpose(1, 2) / queries.shape[2] ** 0.5, mask)
        pooled = weights.transpose(1, 2) @ self.value(instances)
        return best, self.bag_head(pooled.flatten(1)), weights

    def _decided(self, instance: Tensor, bag: Tensor, weights: Tensor) -> MilOutput:
        logits = (instance + bag) / 2
        index = decided_output(self.head_name, logits)[:, None, None].expand(-1, weights.shape[1], 1)
        return MilOutput(logits, weights.gather(2, index)[..., 0])
