"""Where a laboratory puts its control: learned from slides where it is certain, for those where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lowpower.tissue.control._pieces_apart import towards

__all__ = ["ControlHabit", "control_habit"]

_SIDES: Final = ("left", "right", "top", "bottom")
_FEWEST: Final = 5
_SHARE: Final = 0.9
"""Slides with control tissue, and share of them with it at one end, from which an end is called usual."""


@dataclass(frozen=True, slots=True)
class ControlHabit:
    """At which end the slides of one batch have their control tissue.

    Attributes:
        end: The usual end; None where too few slides have a control, or they have it at several ends.
        there: Slides on which it was found there.
        found: Slides on which it was found.
        doubtful: Slides on which it is doubtful.
        doubtful_there: Those of them whose doubtful tissue lies at the usual end.
    """

    end: str | None
    there: int
    found: int
    doubtful: int
    doubtful_there: int

    def sentence(self) -> str:
        """What to do about it; empty where nothing is."""
        if not self.doubtful:
            return ""
        slides = "1 slide" if self.doubtful == 1 else f"{self.doubtful} slides"
        if self.end is None:
            return (
                f"Control tissue is doubtful on {slides}: look, and say for each what it is (--control, or "
                "the column control of a manifest)."
            )
        there = (
            "it may lie there too"
            if self.doubtful == 1
            else f"{self.doubtful_there} of them may have it there"
        )
        return (
            f"Control tissue lies {self.end} on {self.there} of the {self.found} slides where it was found, "
            f"and is doubtful on {slides}{f'; {there}' if self.doubtful_there else ''}. If the laboratory "
            f"always puts it there, say so: --control {self.end}."
        )


def control_habit(found: Iterable[str | None], doubtful: Iterable[str | None]) -> ControlHabit:
    """Learn at which end control tissue usually lies; the order of slides does not matter.

    Args:
        found: For each slide with control tissue found by itself, the end at which it lies.
        doubtful: The same for each slide where it is doubtful; None where at more than one end.
    """
    found, doubtful = list(found), list(doubtful)
    counts = {side: sum(end is not None and towards(end, side) for end in found) for side in _SIDES}
    usual = max(_SIDES, key=lambda side: counts[side])
    certain = counts[usual] >= max(_FEWEST, _SHARE * len(found))
    return ControlHabit(
        end=usual if certain else None,
        there=counts[usual] if certain else 0,
        found=len(found),
        doubtful=len(doubtful),
        doubtful_there=sum(end is not None and towards(end, usual) for end in doubtful) if certain else 0,
    )
