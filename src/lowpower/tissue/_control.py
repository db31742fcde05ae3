"""On-slide control tissue, told from the sample by place, distance, size, shape and stain.

Dropping sample is worse than scoring a control, so every sign must agree: what could be either is left in,
and the slide is flagged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lowpower.tissue._clusters import Cluster, Layout

__all__ = ["ControlSearch", "search_control"]

_END = {"left": ("left", "right", 1), "right": ("left", "right", -1),
        "top": ("top", "bottom", 1), "bottom": ("top", "bottom", -1)}  # fmt: skip
_MOST_CLUSTERS = 24
"""More clusters than this are an array or crumbs: nothing is told apart."""
_MOST_PIECES = 3
_NEAREST_MM = 0.35
"""A control lies at least this far from the sample."""
_SMALLEST_MM2, _LARGEST_MM2 = 0.25, 30.0
"""Area of one piece of control tissue."""
_LARGEST_SHARE, _LARGEST_DISTINCT = 0.35, 0.8
"""Area of all control tissue over that of the sample, without and with a stain of its own."""
_ROUND, _WHOLE = 1.5, 0.82
"""A control is at most this many times as long as wide, and fills this share of its convex hull."""
_ISOLATED, _FAR, _STANDING_OUT = 1.5, 2.5, 0.6
"""Gap to the sample over the widest gap within the sample: least; without help from the stain; least where
the stain is its own, no piece of the sample is compact and the gap is over `_CLEAR_MM`."""
_CLEAR_MM = 1.0
_BROWNER, _BROWN = 1.8, 0.12
"""DAB of the control over the sample's, and least DAB OD, that mark a stain of its own."""
_PALER = 0.6
_APART_MM = 2.0
"""Pieces broken off a core lie nearer to it."""
_TWIN_MM2 = 14.0
"""A compact sample up to this size might itself be the control."""


@dataclass(frozen=True, slots=True)
class ControlSearch:
    """What came of looking for control tissue.

    Attributes:
        control: Indices of the clusters that are control tissue.
        end: The end of the slide where they, or the doubtful ones, lie.
        reasons: Why they are control tissue, or why that stays open; empty where nothing looks like one.
        doubtful: Indices of clusters that may be control tissue; never together with `control`.
    """

    control: tuple[int, ...] = ()
    end: str | None = None
    reasons: tuple[str, ...] = ()
    doubtful: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    pieces: tuple[int, ...]
    end: str
    gap: float
    sure: bool
    distinct: bool
    reasons: tuple[str, ...]


def search_control(layout: Layout) -> ControlSearch:
    """Look for control tissue at the four ends of a slide."""
    if not 2 <= len(layout.clusters) <= _MOST_CLUSTERS:
        return ControlSearch()
    found = [c for end in _END for c in (_judge_end(layout, end),) if c is not None]
    sets = {candidate.pieces: candidate for candidate in reversed(found)}
    sure = [candidate for candidate in sets.values() if candidate.sure]
    if len(sure) > 1:
        distinct = [candidate for candidate in sure if candidate.distinct]
        sure = distinct if len(distinct) == 1 else sure
    if len(sure) == 1:
        return ControlSearch(sure[0].pieces, sure[0].end, sure[0].reasons)
    if sure:
        ends = " and ".join(candidate.end for candidate in sure)
        why = (f"tissue at the {ends} ends looks equally like control tissue",)
        return ControlSearch((), None, why, tuple(sorted({i for c in sure for i in c.pieces})))
    if not sets:
        return ControlSearch()
    first = max(sets.values(), key=lambda candidate: (candidate.distinct, candidate.gap))
    return ControlSearch((), first.end, first.reasons, first.pieces)


def _judge_end(layout: Layout, end: str) -> _Candidate | None:
    """The best candidate among the first one to three clusters from one end."""
    near, far, sign = _END[end]
    if sign < 0:
        near, far = far, near
    clusters = layout.clusters
    order = sorted(range(len(clusters)), key=lambda i: sign * float(getattr(clusters[i], near)))
    best: _Candidate | None = None
    for count in range(1, min(_MOST_PIECES, len(clusters) - 1) + 1):
        control, sample = order[:count], order[count:]
        last = max(sign * float(getattr(clusters[i], far)) for i in control)
        first = min(sign * float(getattr(clusters[i], near)) for i in sample)
        if first > last:
            candidate = _judge(layout, control, sample, end)
            if candidate is not None and (best is None or (candidate.sure and not best.sure)):
                best = candidate
    return best


def _judge(layout: Layout, control: list[int], sample: list[int], end: str) -> _Candidate | None:
    """Whether `control` may be (a candidate) and surely is (its `sure`) control tissue beside `sample`."""
    ours = [layout.clusters[i] for i in control]
    rest = [layout.clusters[i] for i in sample]
    gap = float(layout.gaps[np.ix_(control, sample)].min())
    within = _widest_gap(layout, sample)
    area, total = sum(c.area_mm2 for c in ours), sum(c.area_mm2 for c in rest)
    if gap < _NEAREST_MM or not all(_SMALLEST_MM2 <= c.area_mm2 <= _LARGEST_MM2 for c in ours):
        return None
    if not all(_compact(c) for c in ours) or _widest_gap(layout, control) > gap:
        return None
    isolation = gap / within if within else np.inf
    stained, usual = max(c.brown for c in ours), max(c.brown for c in rest)
    distinct = stained > _BROWN and stained > _BROWNER * usual
    if isolation < _ISOLATED and not distinct:
        return None
    doubts = _doubts(ours, rest, gap, isolation, stained / max(usual, 1e-6), distinct)
    apart = f"{gap:.1f} mm from the rest"
    if within:
        apart += f", whose own gaps are at most {within:.1f} mm"
    facts: tuple[str, ...] = (apart, f"{area:.1f} mm2 beside {total:.1f} mm2", "compact")
    if distinct:
        facts = (*facts, f"stained {stained / max(usual, 1e-3):.1f} times as brown")
    return _Candidate(tuple(control), end, gap, not doubts, distinct, facts + doubts)


def _doubts(
    ours: list[Cluster],
    rest: list[Cluster],
    gap: float,
    isolation: float,
    browner: float,
    distinct: bool,
) -> tuple[str, ...]:
    doubts = []
    sample = sum(c.area_mm2 for c in rest)
    share = sum(c.area_mm2 for c in ours) / sample
    if share > (_LARGEST_DISTINCT if distinct else _LARGEST_SHARE):
        doubts.append("but too large beside the sample")
    if all(_compact(c) for c in rest) and sample <= _TWIN_MM2:
        doubts.append("but the rest is compact and small enough to be the control itself")
    standing_out = distinct and gap >= _CLEAR_MM and not any(_compact(c) for c in rest)
    if isolation < (_STANDING_OUT if standing_out else _ISOLATED):
        doubts.append("but no farther from the rest than the rest's own pieces are from each other")
    if not distinct:
        if browner < _PALER:
            doubts.append("but stained less than the rest")
        if isolation < _FAR:
            doubts.append("but neither far enough nor stained otherwise")
        if any(_alike(one, other) for one in ours for other in rest):
            doubts.append("but of the size and shape of a piece of the rest")
    near = gap < _APART_MM or not distinct
    if len(ours) == 1 and near and any(_broken_off(ours[0], other) for other in rest):
        doubts.append("but it may be a piece broken off a core, in line with it and as wide")
    return tuple(doubts)


def _compact(cluster: Cluster) -> bool:
    return cluster.long <= _ROUND * cluster.short and cluster.solidity >= _WHOLE


def _alike(one: Cluster, other: Cluster) -> bool:
    return _compact(other) and 0.4 < one.area_mm2 / other.area_mm2 < 2.5


def _broken_off(one: Cluster, core: Cluster) -> bool:
    """Whether `one` continues a needle core: as wide as it, and on its axis."""
    if core.long < 2.0 * core.short or core.short > 2.6:
        return False
    width = one.short / core.short
    x, y = one.centre[0] - core.centre[0], one.centre[1] - core.centre[1]
    aside = abs(x * core.axis[1] - y * core.axis[0])
    return 0.7 < width < 1.45 and aside < 0.6 * core.short


def _widest_gap(layout: Layout, members: list[int]) -> float:
    """The longest edge, mm, of the shortest tree that joins the clusters; 0 for one cluster."""
    widest = 0.0
    joined, left = members[:1], set(members[1:])
    while left:
        step = min(float(layout.gaps[i, j]) for i in joined for j in left)
        nearest = next(j for i in joined for j in sorted(left) if layout.gaps[i, j] == step)
        joined = [*joined, nearest]
        left.discard(nearest)
        widest = max(widest, step)
    return widest
