"""Pooling by what is counted: tumour cells of each membrane class in every square of the grid.

The network predicts, for each square, the expected number of tumour cells of each class (0, 1, 2, 3). Their
sums over the tissue give the slide's shares, which the score's definition asks about; a head turns them into
a score. Where the cells of a slide are known, each square has a target of its own: the counts are taken as
Poisson, whose likelihood splits into how many tumour cells there are and which classes they are of.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowpower.models.network._pooling import cell_means, cell_weights, weighted_mean

__all__ = ["CELL_CLASSES", "CellCounts", "count_loss", "exceeding_shares", "presence"]

CELL_CLASSES: Final = 4
"""Classes of a cell's stain: none, weak, moderate, strong."""
_FEWEST: Final = 0.5
"""Tumour cells of class 0 added to every slide: shares stay defined where there are none."""
_LOG_RATES: Final = (-9.0, 4.0)
_EDGE: Final = 0.002
"""Shares below this, and above one minus this, are not told apart."""


class CellCounts(nn.Module):
    """Expected tumour cells per square and class, each square judged beside the slide's mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, width)
        self.slide = nn.Linear(width, width, bias=False)
        self.rates = nn.Linear(width, CELL_CLASSES)
        nn.init.trunc_normal_(self.rates.weight, std=0.02)
        nn.init.zeros_(self.rates.bias)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Logarithms of expected counts (B, h, w, 4) of features (B, h, w, width), masks (B, 1, H, W)."""
        weights = cell_weights(mask, (features.shape[1], features.shape[2]))
        whole = weighted_mean(features.flatten(1, 2), weights)[:, None, None]
        rates: Tensor = self.rates(functional.gelu(self.own(features) + self.slide(whole)))
        return rates.clamp(*_LOG_RATES)


def exceeding_shares(log_rates: Tensor, mask: Tensor) -> Tensor:
    """Log-odds (B, 3) of the shares of a slide's tumour cells of class 1 and up, 2 and up, and 3.

    Args:
        log_rates: (B, h, w, 4), from `CellCounts`.
        mask: (B, 1, H, W) tissue; squares count by the tissue in them.
    """
    weights = cell_weights(mask, (log_rates.shape[1], log_rates.shape[2]))
    counts = (log_rates.flatten(1, 2).float().exp() * weights[..., None]).sum(1)
    return _log_odds(counts)


def presence(log_rates: Tensor) -> tuple[Tensor, Tensor]:
    """Of single squares: log-odds (..., 3) as `exceeding_shares`, the chance of a tumour cell in it."""
    counts = log_rates.float().exp()
    return _log_odds(counts), 1 - (-counts.sum(-1)).exp()


def _log_odds(counts: Tensor) -> Tensor:
    total = counts.sum(-1, keepdim=True) + _FEWEST
    from_above = counts[..., 1:].flip(-1).cumsum(-1).flip(-1) / total
    return torch.logit(from_above, _EDGE)


def count_loss(log_rates: Tensor, counts: Tensor, mask: Tensor) -> Tensor:
    """Poisson loss of log-rates (B, h, w, 4) against counted cells (B, h, w, 4), a tumour cell.

    Squares without tissue carry none, nor do slides whose counts are no numbers: nobody knows their cells.
    """
    weights = cell_means(mask.float(), (counts.shape[1], counts.shape[2]))[:, 0]
    told = (weights > 0) & counts.isfinite().all(-1)
    rates, wanted = log_rates.float()[told], counts[told]
    return (rates.exp() - wanted * rates).sum() / wanted.sum().clamp_min(1.0)
