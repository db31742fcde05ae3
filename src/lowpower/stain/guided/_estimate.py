"""What a stratified sample of fields says of the whole slide: shares, H-score, and how sure that is.

Cells are counted in whole fields, so a share is a ratio of two totals, and fields, not cells, are what was
drawn: the combined ratio estimator of a stratified sample (Cochran, Sampling Techniques, 3rd ed. 1977, 6.11).
The interval is Wilson's, of the effective number of cells: as many as would, drawn one by one, give the
variance found (Korn and Graubard, Survey Methodology 24, 1998, 193-201).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

__all__ = ["Estimate", "Interval", "estimate"]

Floats = NDArray[np.float64]

_ALIKE: Final = 0.1
"""Correlation of cells of one field that is supposed where none that was read shows a class."""
_FEWEST_DF: Final = 4.0
_LOOKS: Final = 1.15
"""Intervals are wider by this: reading that stops when it looks settled stops on lucky draws more often."""


class Interval(NamedTuple):
    """A number with what it lies between."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Estimate:
    """A sample of the slide's fields, and what follows from it.

    Attributes:
        stratum: (n,) stratum of each field read; 0 is read whole.
        counts: (n, 4) its counted cells by class.
        sizes: (H,) fields of each stratum on the slide.
    """

    stratum: NDArray[np.int64]
    counts: Floats
    sizes: NDArray[np.int64]

    @cached_property
    def read(self) -> NDArray[np.int64]:
        """(H,) fields read of each stratum."""
        return np.bincount(self.stratum, minlength=len(self.sizes))

    @cached_property
    def weights(self) -> Floats:
        """(n,) how many fields of the slide each field read stands for."""
        return (self.sizes / np.maximum(self.read, 1))[self.stratum]

    @property
    def whole(self) -> bool:
        """Whether every field was read."""
        return bool((self.read >= self.sizes).all())

    @property
    def enough(self) -> bool:
        """Whether every stratum was read at least twice, or whole: without that nothing is said of it."""
        return bool((self.read >= np.minimum(self.sizes, 2)).all())

    @property
    def cells(self) -> int:
        """Cells counted in what was read."""
        return int(self.counts.sum())

    def share(self, least: int, confidence: float = 0.95) -> Interval:
        """Share of cells of class `least` and above, 0..1, with its interval."""
        return self._interval(self.counts[:, least:].sum(1), 1.0, confidence)

    def h_score(self, confidence: float = 0.95) -> Interval:
        """100 times the mean class, 0..300, with its interval."""
        value, low, high = self._interval(self.counts @ np.arange(4.0), 3.0, confidence)
        return Interval(100 * value, 100 * low, 100 * high)

    def spread(self, least: int) -> Floats:
        """(H,) how much fields of a stratum differ in cells of `least` and above, over their number."""
        y = self.counts[:, least:].sum(1)
        residual = y - self._ratio(y, self.weights) * self._x
        # A stratum that happens to look even borrows from the others.
        usual = float(residual.var()) if len(residual) > 1 else 1.0
        squares = np.bincount(self.stratum, residual**2, minlength=len(self.sizes))
        return np.asarray(np.sqrt((squares + usual) / (self.read + 1.0)))

    def chance_of_change(self, score: Callable[[Floats], str], seed: int, draws: int = 400) -> float:
        """How probable another answer is once every field is read, by redrawing fields within strata.

        The rescaled bootstrap of a stratified sample without replacement (Rao and Wu, JASA 83, 1988, 231).

        Args:
            score: The answer to shares (4,).
            seed: Of the draws.
            draws: How many.
        """
        if self.whole:
            return 0.0
        now = score(self._shares(self.weights))
        rng = np.random.default_rng([seed, 0xB0])
        changed = sum(score(self._shares(self._redrawn(rng))) != now for _ in range(draws))
        # Never said to be nought: so many draws cannot tell.
        return max(changed, 0.5) / draws

    @property
    def shares(self) -> Floats:
        """(4,) estimated shares of the cells by class."""
        return self._shares(self.weights)

    @property
    def _x(self) -> Floats:
        return np.asarray(self.counts.sum(1))

    def _shares(self, weights: Floats) -> Floats:
        totals = weights @ self.counts
        return np.asarray(totals / max(float(totals.sum()), 1e-9))

    def _ratio(self, y: Floats, weights: Floats) -> float:
        return float(weights @ y) / max(float(weights @ self._x), 1e-9)

    def _redrawn(self, rng: np.random.Generator) -> Floats:
        weights = self.weights.copy()
        for number, (size, read) in enumerate(zip(self.sizes, self.read, strict=True)):
            if read < 2 or read >= size:
                continue
            there = self.stratum == number
            times = np.bincount(rng.integers(read, size=read - 1), minlength=read)
            left = np.sqrt(1 - read / size)
            weights[there] *= 1 - left + left * times * read / (read - 1)
        return weights

    def _variance(self, y: Floats) -> tuple[float, float]:
        """Variance of the ratio, and its degrees of freedom (Satterthwaite)."""
        residual = y - self._ratio(y, self.weights) * self._x
        total = max(float(self.weights @ self._x), 1e-9)
        parts, freedom = [], []
        for number, (size, read) in enumerate(zip(self.sizes, self.read, strict=True)):
            if read < 2 or read >= size:
                continue
            within = float(residual[self.stratum == number].var(ddof=1))
            parts.append(size**2 * (1 - read / size) / read * within / total**2)
            freedom.append(read - 1.0)
        variance = float(np.sum(parts))
        squares = float(np.sum(np.square(parts) / freedom)) if parts else 0.0
        return variance, variance**2 / squares if squares > 0 else float(np.sum(freedom))

    def _interval(self, y: Floats, most: float, confidence: float) -> Interval:
        """Of the ratio of `y` to the cells, which lies between 0 and `most`."""
        value = self._ratio(y, self.weights)
        if self.whole or self.cells == 0:
            return Interval(value, value, value) if self.cells else Interval(0.0, 0.0, most)
        z = float(ndtri((1 + confidence) / 2))
        variance, freedom = self._variance(y)
        t = _LOOKS * float(stdtrit(max(freedom, _FEWEST_DF), (1 + confidence) / 2))
        low = high = share = min(value / most, 1.0)
        if variance > 0 and 0 < share < 1:
            low, high = _wilson(share, share * (1 - share) * most**2 / variance * (z / t) ** 2, z)
        # What no field of those that were drawn shows, or all of them do, may still differ elsewhere.
        drawn = (self.stratum > 0) | (self.read[0] < self.sizes[0])
        seen, cells = float(y[drawn].sum()) / most, float(self._x[drawn].sum())
        if cells > 0 and seen in (0.0, cells):
            rest = float(self.weights[drawn] @ self._x[drawn]) / float(self.weights @ self._x)
            hidden = rest * _wilson(0.0, self._number_unseen(cells) * (z / t) ** 2, z)[1]
            low, high = (low, high + hidden) if seen == 0 else (low - hidden, high)
        return Interval(value, most * max(low, 0.0), most * min(high, 1.0))

    def _number_unseen(self, cells: float) -> float:
        """Effective number of cells where no field differs from another."""
        fields = max(1, int(np.count_nonzero(self._x[self.stratum > 0])))
        alike = 1 + (cells / fields - 1) * _ALIKE
        left = 1 - float(self.read[1:].sum()) / max(1.0, float(self.sizes[1:].sum()))
        return cells / max(1.0, alike) / max(left, 1e-6)


def _wilson(share: float, number: float, z: float) -> tuple[float, float]:
    middle = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * np.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def estimate(stratum: NDArray[np.int64], counts: NDArray[np.float64], sizes: NDArray[np.int64]) -> Estimate:
    """What fields of these strata, holding these cells by class, say of a slide (`Estimate`'s attributes)."""
    return Estimate(stratum, np.asarray(counts, np.float64), sizes)
