"""Which fields are read, and in which order: strata by what low power shows, drawn at random within them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lowpower.stain.guided._estimate import Estimate

__all__ = ["Design", "strata_of"]

_CUTS: Final = (0.5, 0.75, 0.9)
"""Quantiles of DAB that part the strata: finer where it is brown, as the rules' cut-offs hang on the few."""
_MOST_WHOLE: Final = 24
_WHOLE_SHARE: Final = 50
_PILOT: Final = 6
_GROWTH: Final = 0.12
_LEAST_BATCH: Final = 8


def strata_of(
    brownest: NDArray[np.float64], dab: NDArray[np.float64], texture: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The stratum of each of N fields: 0 for the brownest, read whole; the others from 1 on, none empty.

    Args:
        brownest: (N,) DAB OD of the brownest part of each field, at low power.
        dab: (N,) its mean DAB OD.
        texture: (N,) how much haematoxylin varies in it: nuclei rather than stroma.
    """
    number = len(dab)
    whole = min(_MOST_WHOLE, -(-number // _WHOLE_SHARE))
    labels = np.zeros(number, np.int64)
    rest = np.argsort(-brownest, kind="stable")[whole:]
    by_dab = rest[np.argsort(dab[rest], kind="stable")]
    edges = [round(cut * len(by_dab)) for cut in _CUTS]
    label = 0
    for part in np.split(by_dab, edges):
        by_texture = part[np.argsort(texture[part], kind="stable")]
        for half in np.array_split(by_texture, 2):
            if len(half):
                label += 1
                labels[half] = label
    return labels


class Design:
    """The order in which fields are read: the same seed, the same fields.

    Args:
        stratum: (N,) of each field of the slide, as `strata_of` gives them.
        seed: Of the draws.
    """

    def __init__(self, stratum: NDArray[np.int64], seed: int) -> None:
        self.stratum = stratum
        self.sizes = np.bincount(stratum)
        rng = np.random.default_rng([seed, 0x61])
        self._order = [rng.permutation(np.flatnonzero(stratum == label)) for label in range(len(self.sizes))]
        self._read = np.zeros(len(self.sizes), np.int64)

    def first(self) -> NDArray[np.int64]:
        """The brownest fields, and a few of each other stratum."""
        wanted = np.minimum(self.sizes, _PILOT)
        wanted[0] = self.sizes[0]
        return self._take(wanted)

    def next(self, known: Estimate, least: int) -> NDArray[np.int64]:
        """The next batch: where one more field tells most of the share of class `least` and above.

        Neyman's allocation by what is known so far: a stratum's number of fields goes with its size times how
        much its fields differ. Empty when all is read.
        """
        batch = max(_LEAST_BATCH, round(_GROWTH * int(self._read.sum())))
        gain = self.sizes * known.spread(least)
        wanted = np.zeros_like(self._read)
        for _ in range(batch):
            held = self._read + wanted
            worth = np.where(held < self.sizes, gain / np.sqrt(held * (held + 1.0) + 1e-9), -1.0)
            best = int(worth.argmax())
            if worth[best] < 0:
                break
            wanted[best] += 1
        return self._take(wanted)

    def _take(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        taken = [
            order[held : held + more]
            for order, held, more in zip(self._order, self._read, wanted, strict=True)
        ]
        self._read = self._read + wanted
        # One of each stratum in turn: wherever reading stops, all have had theirs.
        turn = np.concatenate([np.arange(len(part)) for part in taken])
        return np.concatenate(taken)[np.argsort(turn, kind="stable")].astype(np.int64)
