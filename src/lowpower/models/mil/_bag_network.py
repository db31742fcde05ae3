"""A trained aggregator as it is used: behind the standardisation of its features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from lowpower.models.mil._base import Aggregator, MilOutput
from lowpower.models.network import expected_score

__all__ = ["BagNetwork", "BagPrediction"]

_AT_ONCE = 4096


class BagPrediction(NamedTuple):
    """What is said of one bag of N patches.

    Attributes:
        probabilities: (K,) float64, uncalibrated.
        attention: (N,) float32, sums to 1.
        scores: (N,) float32, 0 to K-1: the expected score of a bag that holds this patch alone.
    """

    probabilities: NDArray[np.float64]
    attention: NDArray[np.float32]
    scores: NDArray[np.float32]


class BagNetwork(nn.Module):
    """An aggregator behind the standardisation of its features.

    Args:
        aggregator: The aggregator.
        centre: (D,) mean feature of the training slides.
        scale: (D,) standard deviation, 1 where a feature is constant.
        mpp: um/px of the bags it learnt from; None not to ask it of others.
    """

    def __init__(
        self, aggregator: Aggregator, centre: Tensor, scale: Tensor, mpp: float | None = None
    ) -> None:
        super().__init__()
        self.mpp = mpp
        self.aggregator = aggregator
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)

    def standardised(self, bags: Tensor) -> Tensor:
        """(B, N, D) features as the aggregator takes them."""
        return (bags.float() - self.centre).div_(self.scale)

    def forward(self, bags: Tensor, mask: Tensor | None = None, coords: Tensor | None = None) -> MilOutput:
        """As `Aggregator.forward`, of raw features."""
        output: MilOutput = self.aggregator(self.standardised(bags), mask, coords)
        return output

    @torch.inference_mode()
    def predict(
        self, features: ArrayLike, coords: ArrayLike, device: str | torch.device = "cpu"
    ) -> BagPrediction:
        """What is said of one bag, features (N, D) and corners (N, 2), in evaluation mode."""
        was_training = self.training
        self.to(device).eval()
        try:
            bag = torch.from_numpy(np.asarray(features, np.float32)).to(device)
            corners = torch.from_numpy(np.asarray(coords, np.float32)).to(device)
            whole = self(bag[None], None, corners[None])
            parts = zip(*(torch.split(rows[:, None], _AT_ONCE) for rows in (bag, corners)), strict=True)
            alone = [self(some, None, places).logits for some, places in parts]
        finally:
            self.train(was_training)
        shares = self.aggregator.probabilities(whole.logits.double())[0]
        scores = expected_score(self.aggregator.probabilities(torch.cat(alone)))
        return BagPrediction(
            np.asarray(shares.cpu().numpy(), np.float64),
            np.asarray(whole.attention[0].float().cpu().numpy()),
            np.asarray(scores.float().cpu().numpy()),
        )
