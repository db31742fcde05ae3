"""Which slides are like those on which a model's answers were fitted: a promise covers no others.

Told by what differs between laboratories and scanners and hardly within one: the colours of the two stains
and of the glass, and how sharply the optics draw. Numbers and numpy suffice to apply it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["APPEARANCE", "Familiar", "appearance_of"]

APPEARANCE: Final = (
    "hematoxylin_red", "hematoxylin_blue", "dab_red", "dab_blue", "glass_red", "glass_blue", "rendering",
)  # fmt: skip
"""What `appearance_of` gives, in order."""
_ALIKE: Final = (0.05, 0.05, 0.05, 0.05, 0.02, 0.02, 0.3)
"""How much each may differ between slides that a person would call alike."""
_NEAREST_LIMIT, _FARTHEST_LIMIT = 1.0, 4.0
"""`farthest` lies between: nearer slides look alike, further ones do not, whatever outlier the fit held."""
_PARTS: Final = {"haematoxylin": (0, 2), "DAB": (2, 4), "glass": (4, 6), "sharpness": (6, 7)}


def appearance_of(
    white_point: ArrayLike, hematoxylin: ArrayLike, dab: ArrayLike, rendering: float | None
) -> tuple[float, ...]:
    """What `Familiar` looks at, in the order of `APPEARANCE`.

    Args:
        white_point: (3,) RGB of the slide's glass, 0 to 255.
        hematoxylin: (3,) unit vector of optical density.
        dab: (3,) likewise.
        rendering: What the slide's optics show of a thin line, over the usual slide's; None where not told.
    """
    white, blue, brown = (np.asarray(one, np.float64) for one in (white_point, hematoxylin, dab))
    told = (
        blue[0], blue[2], brown[0], brown[2], (white[0] - white[1]) / 255, (white[2] - white[1]) / 255,
        np.log(1.0 if rendering is None else rendering),
    )  # fmt: skip
    return tuple(round(float(one), 4) for one in told)


class Familiar(BaseModel):
    """The slides on which answers were fitted, and how far from the nearest of them another may be.

    With n of them, a further one of the same kind lies beyond `farthest` with a chance of about 1 in 100, or
    1 in n + 1 where there are fewer than 99 (conformal anomaly detection by the nearest neighbour: Laxhammar
    and Falkman, IEEE Trans Pattern Anal Mach Intell 2014;36:1158).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    appearances: tuple[tuple[float, ...], ...] = Field(description="Of each slide, in `APPEARANCE`'s order.")
    farthest: float = Field(gt=0, description="Distance from the nearest slide, in what still looks alike.")

    @classmethod
    def of(cls, appearances: NDArray[np.float64]) -> Familiar:
        """Of (N, 7) appearances, two or more.

        Raises:
            ValueError: with fewer.
        """
        if len(appearances) < 2:
            raise ValueError("a slide is like others: two or more are needed")
        scaled = appearances / np.array(_ALIKE)
        apart = np.sqrt(np.square(scaled[:, None] - scaled[None]).sum(2))
        np.fill_diagonal(apart, np.inf)
        nearest = np.sort(apart.min(1))
        count = len(nearest)
        farthest = nearest[min(count, int(np.ceil(0.99 * (count + 1)))) - 1]
        rows = tuple(tuple(round(float(one), 4) for one in row) for row in appearances)
        return cls(appearances=rows, farthest=float(np.clip(farthest, _NEAREST_LIMIT, _FARTHEST_LIMIT)))

    def stranger(self, appearance: ArrayLike) -> str | None:
        """What of a slide is unlike every one of these, in a word; None where it is like them.

        Args:
            appearance: (7,) of the slide; one with NaN is not known, and not strange.
        """
        off = (np.array(self.appearances) - np.asarray(appearance, np.float64)) / np.array(_ALIKE)
        apart = np.square(off)
        near = int(apart.sum(1).argmin())
        if not np.sqrt(apart[near].sum()) > self.farthest:
            return None
        return max(_PARTS, key=lambda part: float(apart[near, slice(*_PARTS[part])].sum()))
