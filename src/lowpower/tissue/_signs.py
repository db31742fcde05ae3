"""Signs that a group of pieces is on-slide control tissue, each with what it weighs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from lowpower.tissue._clusters import Cluster, Layout
from lowpower.tissue._groups import Group

__all__ = ["BASE", "SIGNS", "Weighed", "signs_of", "weigh"]

BASE: Final = -0.24
SIGNS: Final = {
    "gap": 1.00,
    "isolation": 0.44,
    "punch": 1.39,
    "punches": 1.52,
    "own_stain": 1.20,
    "paler": -0.77,
    "not_compact": -2.88,
    "large": -0.79,
    "larger": -0.98,
    "huge": -1.98,
    "alike": -1.55,
    "core": -1.20,
    "twin": -1.23,
    "small": -1.28,
}
"""Log-odds of each sign (`gap` and `isolation` per doubling), fitted to the development half of the slides of
benchmarks/quality.py by logistic regression; docs/quality.md says what each sign is."""

_ROUND, _SMALL_ROUND, _SMALL_MM = 0.77, 0.66, 0.9
"""Roundness of a punch, and of one up to 0.9 mm wide, which is seen in few cells and looks less round."""
_OF_A_SIZE = 1.8
_SAMPLE_GAP_MM = 0.7
"""Pieces of one sample lie as far apart as this, whether these do or not."""
_LONG, _WHOLE = 1.6, 0.8
_BROWN, _BROWNER, _PALER = 0.12, 1.7, 0.65
_LARGE, _LARGER, _HUGE_MM2, _SMALL_MM2 = 0.5, 1.2, 30.0, 0.6
_TWIN_MM2 = 25.0
_CORE_MM = 2.6


@dataclass(frozen=True, slots=True)
class Weighed:
    """How likely a group is control tissue.

    Attributes:
        group: The group.
        chance: 0..1, as frequent on the slides the weights come from.
        named: Whether something beside its place marks it: a punch's shape or a stain of its own.
        twin: Whether the rest might as well be the control: compact, small, and no punch to tell them apart.
        facts: What speaks for it, as phrases.
        doubts: What speaks against it, likewise.
    """

    group: Group
    chance: float
    named: bool
    twin: bool
    facts: tuple[str, ...]
    doubts: tuple[str, ...]


def weigh(layout: Layout, group: Group) -> Weighed:
    """Weigh the signs of one group."""
    values, browner = signs_of(layout, group)
    logit = BASE + sum(SIGNS[name] * value for name, value in values.items())
    area, total = (sum(layout.clusters[i].area_mm2 for i in part) for part in (group.members, group.others))
    apart = f"{group.gap:.1f} mm from the rest"
    if group.within:
        apart += f", whose own gaps are at most {group.within:.1f} mm"
    facts = [apart, f"{area:.1f} mm2 beside {total:.1f} mm2"]
    facts += [_FOR[name] for name in _FOR if values[name]]
    if values["own_stain"]:
        facts.append(f"stained {browner:.1f} times as brown")
    doubts = [f"but {_AGAINST[name]}" for name in _AGAINST if values[name]]
    punched = bool(values["punch"] or values["punches"])
    return Weighed(
        group,
        chance=1.0 / (1.0 + math.exp(-logit)),
        named=punched or bool(values["own_stain"]),
        twin=bool(values["twin"]) and not punched,
        facts=tuple(facts),
        doubts=tuple(doubts),
    )


def signs_of(layout: Layout, group: Group) -> tuple[dict[str, float], float]:
    """The value of every sign of a group, and how many times as brown as the rest it is."""
    ours = [layout.clusters[i] for i in group.members]
    rest = [layout.clusters[i] for i in group.others]
    isolation = group.gap / max(group.within, _SAMPLE_GAP_MM)
    area, total = sum(c.area_mm2 for c in ours), sum(c.area_mm2 for c in rest)
    brown = max(c.brown for c in ours)
    browner = (brown + 0.02) / (max(c.brown for c in rest) + 0.02)
    values = {
        "gap": math.log2(min(max(group.gap, 0.5), 10.0) / 2.0),
        "isolation": math.log2(min(max(isolation, 0.5), 6.0)),
        **{name: float(holds) for name, holds in _shape(ours, rest).items()},
        "own_stain": float(browner > _BROWNER and brown > _BROWN),
        "paler": float(browner < _PALER),
        "large": float(area > _LARGE * total),
        "larger": float(area > _LARGER * total),
        "huge": float(max(c.area_mm2 for c in ours) > _HUGE_MM2),
        "small": float(area < _SMALL_MM2),
        "twin": float(all(_compact(c) for c in rest) and total < _TWIN_MM2),
    }
    return values, browner


_FOR = {"punch": "round as a punch", "punches": "round punches of one size"}
_AGAINST = {
    "paler": "stained less than the rest",
    "not_compact": "neither compact nor whole",
    "large": "large beside the sample",
    "alike": "of the size and shape of a piece of the rest",
    "core": "as wide as a needle core of the rest",
    "twin": "the rest is compact and small enough to be the control itself",
    "small": "very small",
}


def _shape(ours: list[Cluster], rest: list[Cluster]) -> dict[str, bool]:
    areas = [c.area_mm2 for c in ours]
    round_ = all(_round(c) for c in ours) and max(c.roundness for c in rest) <= _ROUND
    several = len(ours) > 1
    return {
        "punch": round_ and not several,
        "punches": round_ and several and max(areas) < _OF_A_SIZE * min(areas),
        "not_compact": not all(_compact(c) for c in ours),
        "alike": not round_ and any(_alike(one, other) for one in ours for other in rest),
        "core": not round_ and not several and any(_core_like(ours[0], other) for other in rest),
    }


def _round(cluster: Cluster) -> bool:
    return cluster.roundness > (_ROUND if cluster.long > _SMALL_MM else _SMALL_ROUND)


def _compact(cluster: Cluster) -> bool:
    return cluster.long <= _LONG * cluster.short and cluster.solidity >= _WHOLE


def _alike(one: Cluster, other: Cluster) -> bool:
    width = min(one.short, other.short) / max(one.short, other.short)
    return width > 0.6 and other.long < 2.0 * other.short and 0.4 < one.area_mm2 / other.area_mm2 < 2.5


def _core_like(one: Cluster, core: Cluster) -> bool:
    """Whether `one` is as wide as a needle core of the rest: a piece may have broken off it."""
    if core.long < 2.0 * core.short or core.short > _CORE_MM:
        return False
    return 0.7 < one.short / core.short < 1.45
