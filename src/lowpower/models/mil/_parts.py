"""Layers that several aggregators share."""

from __future__ import annotations

from torch import Tensor, nn

from lowpower.models.mil._base import masked_softmax

__all__ = ["GatedAttention", "Projection"]


class Projection(nn.Module):
    """Linear map, ReLU and dropout on each instance: (B, N, D) -> (B, N, hidden)."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, bags: Tensor) -> Tensor:
        """Project instances."""
        projected: Tensor = self.dropout(self.linear(bags).relu())
        return projected


class GatedAttention(nn.Module):
    """Gated attention, equations (8) and (9) of Ilse, Tomczak and Welling 2018 (arXiv 1802.04712).

    a_n = softmax_n(w^T (tanh(V h_n) * sigmoid(U h_n))), with a row of w for each branch.

    Args:
        dim: Length of h.
        hidden: Length of V h and U h.
        branches: Number of attention distributions.
        dropout: On the gated vector, in training.
    """

    def __init__(self, dim: int, hidden: int, branches: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.content = nn.Linear(dim, hidden)
        self.gate = nn.Linear(dim, hidden)
        self.dropout = nn.Dropout(dropout)
        # No bias: softmax would cancel it.
        self.score = nn.Linear(hidden, branches, bias=False)

    def scores(self, instances: Tensor) -> Tensor:
        """Scores before softmax: (B, N, dim) -> (B, N, branches)."""
        gated = self.content(instances).tanh() * self.gate(instances).sigmoid()
        scores: Tensor = self.score(self.dropout(gated))
        return scores

    def forward(self, instances: Tensor, mask: Tensor) -> Tensor:
        """Attention (B, N, branches), each branch summing to 1 over the instances of the (B, N) mask."""
        return masked_softmax(self.scores(instances), mask)
