"""TransMIL: a transformer over the bag."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lowpower.models.mil._base import Aggregator, MilOutput
from lowpower.models.mil._nystrom import MaskedAttention
from lowpower.models.mil._registry import register_aggregator
from lowpower.models.network import Head, HeadName

__all__ = ["PositionGenerator", "TransMil"]


@register_aggregator("transmil")
class TransMil(Aggregator):
    """TransMIL of Shao et al. 2021 (arXiv 2106.00908), algorithm "TPT module".

    Projection to tokens and a class token; X <- MSA(LN(X)) + X; the pyramid position encoding generator
    (PPEG) adds depthwise 7, 5 and 3 px convolutions over the tokens' plane; X <- MSA(LN(X)) + X; logits
    from LN(class token). MSA is exact for small bags and Nystrom's approximation for large ones.

    With coordinates the plane is the slide's own and the result depends on the set of instances only.
    Without, as in the paper, the sequence is folded row by row into a square, so that its order counts; the
    square's empty cells are zero, where the paper repeats the first instances. The attention returned is the
    class token's, the mean of both layers.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        head: HeadName = "softmax",
        *,
        hidden: int = 256,
        heads: int = 8,
        landmarks: int = 128,
        exact: int = 1024,
    ) -> None:
        super().__init__(dim, classes, head)
        self.project = nn.Linear(dim, hidden)
        self.token = nn.Parameter(torch.randn(hidden) * 0.02)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(3))
        self.layers = nn.ModuleList(MaskedAttention(hidden, heads, landmarks, exact) for _ in range(2))
        self.positions = PositionGenerator(hidden)
        self.head = Head(head, hidden, classes)

    def pool(self, bags: Tensor, mask: Tensor, coords: Tensor | None) -> MilOutput:
        """Logits of the class token."""
        order = _raster_order(coords, mask) if coords is not None else None
        if order is not None and coords is not None:
            bags = bags.gather(1, order[..., None].expand_as(bags))
            coords = coords.gather(1, order[..., None].expand_as(coords))
            mask = mask.gather(1, order)
        tokens = self.project(bags).relu() * mask[..., None]
        tokens = torch.cat([self.token.expand(len(bags), 1, -1), tokens], 1)
        real = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        attended, early = self.layers[0](self.norms[0](tokens), real)
        tokens = tokens + attended
        tokens = torch.cat([tokens[:, :1], self.positions(tokens[:, 1:], mask, coords)], 1)
        attended, late = self.layers[1](self.norms[1](tokens), real)
        logits = self.head(self.norms[2]((tokens + attended)[:, 0]))
        attention = _without_token(early) + _without_token(late)
        attention = attention / attention.sum(1, keepdim=True)
        if order is not None:
            attention = torch.zeros_like(attention).scatter(1, order, attention)
        return MilOutput(logits, attention)


class PositionGenerator(nn.Module):
    """PPEG of TransMIL: the token itself plus depthwise convolutions of three sizes over the plane.

    Args:
        dim: Length of a token.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(dim, dim, size, padding=size // 2, groups=dim) for size in (7, 5, 3)
        )

    def forward(self, tokens: Tensor, mask: Tensor, coords: Tensor | None) -> Tensor:
        """Tokens (B, N, dim) with their surroundings added; padding stays as it is."""
        results = []
        for bag, real, places in zip(
            tokens, mask, coords if coords is not None else [None] * len(mask), strict=True
        ):
            column, row = _fold(int(real.sum()), real.device) if places is None else _cells(places[real])
            plane = bag.new_zeros(int(row.max()) + 1, int(column.max()) + 1, bag.shape[1])
            plane = plane.index_put((row, column), bag[real])
            image = plane.permute(2, 0, 1)[None]
            around = image + sum(convolve(image) for convolve in self.convolutions)
            results.append(bag.masked_scatter(real[:, None], around[0].permute(1, 2, 0)[row, column]))
        return torch.stack(results)


def _fold(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Columns and rows of a sequence folded into the smallest square that holds it."""
    side = max(1, int((count - 1) ** 0.5) + (int((count - 1) ** 0.5) ** 2 < count))
    index = torch.arange(count, device=device)
    return index % side, index // side


def _cells(coords: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows of (N, 2) coordinates on the grid of the values that occur."""
    return torch.unique(coords[:, 0], return_inverse=True)[1], torch.unique(
        coords[:, 1], return_inverse=True
    )[1]


def _raster_order(coords: Tensor, mask: Tensor) -> Tensor:
    """Order (B, N) of the instances by row, then column; padding last."""
    by_x = coords[..., 0].argsort(dim=1, stable=True)
    order = by_x.gather(1, coords[..., 1].gather(1, by_x).argsort(dim=1, stable=True))
    return order.gather(1, (~mask.gather(1, order)).to(torch.uint8).argsort(dim=1, stable=True))


def _without_token(attention: Tensor) -> Tensor:
    rest = attention[:, 1:]
    return rest / rest.sum(1, keepdim=True).clamp_min(1e-12)
