"""On-slide control tissue: pieces beyond the sample, told from it by distance, shape, size and stain.

Dropping sample is worse than scoring a control: what could be either is left in, and the slide is flagged.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final

from lowpower.tissue.control._clusters import Layout
from lowpower.tissue.control._pieces_apart import groups_of, towards
from lowpower.tissue.control._signs import Weighed, weigh

__all__ = ["ControlSearch", "search_control"]

_NEAREST_MM = 0.35
"""A control lies at least this far from the sample."""
_SMALLEST_MM2, _LARGEST_MM2 = 0.15, 45.0
"""Area of one piece of control tissue; half of an array's cores may be torn or too pale to see whole."""
_SURE_NAMED: Final = 0.5
_SURE: Final = 0.9
"""Chance from which control tissue is left out, with and without something beside its place that marks it."""
_SAID: Final = 0.2
"""The same where the user has said at which end it lies."""
_DOUBTFUL: Final = 0.15
"""Chance from which the slide is flagged."""
_RIVAL: Final = 0.3
"""Chance of another group, no part of the likeliest, from which neither is left out."""


@dataclass(frozen=True, slots=True)
class ControlSearch:
    """What came of looking for control tissue.

    Attributes:
        control: Indices of the clusters that are control tissue.
        end: The end of the slide where they, or the doubtful ones, lie.
        reasons: Why they are control tissue, or why that stays open; empty where nothing looks like one.
        doubtful: Indices of clusters that may be control tissue; never together with `control`.
        ways: What to leave out in turn where it is doubtful: more than one group where either may be the
            control. Each with its end of the slide, where saying that end would be enough.
    """

    control: tuple[int, ...] = ()
    end: str | None = None
    reasons: tuple[str, ...] = ()
    doubtful: tuple[int, ...] = ()
    ways: tuple[tuple[tuple[int, ...], str | None], ...] = ()


def search_control(layout: Layout, end: str | None = None) -> ControlSearch:
    """Look for control tissue.

    Args:
        layout: The slide's tissue.
        end: Where the user says it lies, a key of `ENDS`; anywhere if None.
    """
    weighed = [weigh(layout, group) for group in groups_of(layout) if end is None or towards(group.end, end)]
    likely = sorted((w for w in weighed if _possible(layout, w)), key=lambda w: (-w.chance, w.group.members))
    if not likely:
        return ControlSearch()
    first = likely[0]
    group = first.group
    rival = next((w for w in likely[1:] if not set(w.group.members) & set(group.members)), None)
    if end is not None and first.chance >= _SAID:
        return ControlSearch(group.members, group.end, first.facts)
    sure = first.chance >= (_SURE_NAMED if first.named else _SURE) and not first.twin
    if rival is not None and sure and rival.chance >= _RIVAL:
        why = (f"tissue towards {group.end} and towards {rival.group.end} looks like control tissue",)
        both = tuple(sorted({*group.members, *rival.group.members}))
        ways = _ways(first)[:1] + _ways(rival)[:1]
        return ControlSearch((), None, why, both, ways)
    if sure:
        return ControlSearch(group.members, group.end, first.facts)
    if first.chance >= _DOUBTFUL or end is not None:
        return ControlSearch((), group.end, first.facts + first.doubts, group.members, _ways(first))
    # Of two pieces alike but for a stain of its own on one, either may be the control: never in silence.
    pair = next((w for w in likely if w.twin and w.named and len(layout.clusters) == 2), None)
    if pair is not None:
        return ControlSearch((), pair.group.end, pair.facts + pair.doubts, pair.group.members, _ways(pair))
    return ControlSearch()


def _ways(weighed: Weighed) -> tuple[tuple[tuple[int, ...], str | None], ...]:
    """The group; and where the rest might as well be the control, the rest."""
    group = weighed.group
    end = group.end if weighed.chance >= _SAID else None
    return ((group.members, end), *(((group.others, None),) if weighed.twin else ()))


def _possible(layout: Layout, weighed: Weighed) -> bool:
    areas = [layout.clusters[i].area_mm2 for i in weighed.group.members]
    sized = median(areas) >= _SMALLEST_MM2 and max(areas) <= _LARGEST_MM2
    return weighed.group.gap >= _NEAREST_MM and sized
