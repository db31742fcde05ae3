"""What a guided measurement says of itself: how much was read, between what the answer lies, what is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lowpower.stain.guided._estimate import Interval
from lowpower.units import Box

__all__ = ["Reading", "Stopped"]

Stopped = Literal["settled", "all", "seconds", "interrupted"]
_WHY: Final[dict[Stopped, str]] = {
    "settled": "enough for the score",
    "all": "all there is",
    "seconds": "stopped by --seconds",
    "interrupted": "interrupted, so incomplete",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a slide was read, and how sure that makes the numbers.

    Attributes:
        fields: Fields of the slide that hold tissue.
        boxes: Those that were read, base pixels, in the order they were read.
        stopped: Why no more: "settled" (no cut-off lies in the interval of a share that it is held against),
            "all", "seconds" (the budget), "interrupted".
        shares: 95 % interval of the shares that the rule asks for, 0..1, by name.
        h_score: Of the H-score.
        chance: How probable another score is once all fields are read; 0 where all were.
        seed: Of the draws.
    """

    fields: int
    boxes: tuple[Box, ...]
    stopped: Stopped
    shares: Mapping[str, Interval]
    h_score: Interval
    chance: float
    seed: int

    @property
    def complete(self) -> bool:
        """Whether reading came to its own end."""
        return self.stopped in ("settled", "all")

    def sentence(self) -> str:
        """How much was read, and whether reading on would change the score."""
        if self.stopped == "all":
            return f"all {self.fields} fields were read."
        chance = "below 1 %" if self.chance < 0.01 else f"about {self.chance:.0%}"
        low, high = self.h_score.low, self.h_score.high
        return (
            f"{len(self.boxes)} of {self.fields} fields were read ({_WHY[self.stopped]}); H-score between "
            f"{low:.0f} and {high:.0f} (95 %); the chance that reading on changes the score is {chance}."
        )
