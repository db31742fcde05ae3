"""Self-attention over long bags: exact where that is cheap, Nystrom's approximation above."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["MaskedAttention", "pseudo_inverse"]


class MaskedAttention(nn.Module):
    """Multi-head self-attention with a mask.

    Up to `exact` tokens: softmax(Q K^T / sqrt(d)) V. Above: the Nystrom approximation of Xiong et al. 2021
    (arXiv 2102.03902), softmax(Q Kl^T) pinv(softmax(Ql Kl^T)) softmax(Ql K^T) V, whose landmarks Ql, Kl are
    means over segments of consecutive real tokens, so that padding changes nothing.

    Args:
        dim: Length of a token.
        heads: Attention heads; divides `dim`.
        landmarks: Segments of the approximation.
        exact: Longest sequence computed exactly.
    """

    def __init__(self, dim: int, heads: int, landmarks: int, exact: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{heads} heads do not divide {dim} features")
        self.heads = heads
        self.landmarks = landmarks
        self.exact = exact
        # A key's bias adds the same to every score of a query, so softmax cancels it: no bias.
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            tokens: (B, T, dim); the first token of every sequence is real.
            mask: (B, T) bool.

        Returns:
            (B, T, dim), and how the first token attends, mean of the heads: (B, T), summing to 1.
        """
        batch, count, dim = tokens.shape
        q, k, v = (
            part.reshape(batch, count, self.heads, -1).transpose(1, 2)
            for part in self.qkv(tokens).chunk(3, -1)
        )
        q = q * q.shape[-1] ** -0.5
        if int(mask.sum(1).max()) <= self.exact:
            weights = _masked(q @ k.transpose(-1, -2), mask)
            attended = weights @ v
            first = weights[:, :, 0]
        else:
            attended, first = self._nystrom(q, k, v, mask)
        first = first.mean(1).clamp_min(0) * mask
        merged = attended.transpose(1, 2).reshape(batch, count, dim)
        return self.out(merged), first / first.sum(1, keepdim=True).clamp_min(1e-12)

    def _nystrom(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        means = _segment_means(mask, self.landmarks).to(q.dtype)[:, None]
        ql, kl = means @ q, means @ k
        left = (q @ kl.transpose(-1, -2)).softmax(-1)
        core = pseudo_inverse((ql @ kl.transpose(-1, -2)).softmax(-1))
        right = _masked(ql @ k.transpose(-1, -2), mask)
        return left @ (core @ (right @ v)), (left[:, :, :1] @ core @ right)[:, :, 0]


def pseudo_inverse(matrix: Tensor, iterations: int = 6) -> Tensor:
    """Moore-Penrose inverse of (..., M, M) by the iteration of Xiong et al. 2021 (arXiv 2102.03902).

    Z <- Z/4 (13 I - A Z (15 I - A Z (7 I - A Z))), from Z = A^T / (|A|_1 |A|_inf) of each matrix.
    """
    scale = matrix.abs().sum(-1).amax(-1) * matrix.abs().sum(-2).amax(-1)
    inverse = matrix.transpose(-1, -2) / scale[..., None, None]
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    for _ in range(iterations):
        product = matrix @ inverse
        inverse = inverse @ (13 * eye - product @ (15 * eye - product @ (7 * eye - product))) / 4
    return inverse


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)


def _segment_means(mask: Tensor, segments: int) -> Tensor:
    """Rows that average the real tokens of each of `segments` equal stretches: (B, segments, T).

    A sequence shorter than `segments` leaves some empty; these repeat the token at their place, which the
    pseudo-inverse bears.
    """
    counts = mask.sum(1, keepdim=True)
    rank = mask.cumsum(1) - 1
    edges = torch.arange(segments, device=mask.device)[None, :, None]
    start = edges * counts[..., None] // segments
    stop = torch.maximum((edges + 1) * counts[..., None] // segments, start + 1)
    inside = (rank[:, None] >= start) & (rank[:, None] < stop) & mask[:, None]
    return inside / inside.sum(2, keepdim=True).clamp_min(1)
