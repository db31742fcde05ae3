"""Signs that a group of pieces is on-slide control tissue, each with what it weighs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from lowpower.tissue.control._clusters import Cluster, Layout
from lowpower.tissue.control._pieces_apart import Group

__all__ = ["BASE", "SIGNS", "Weighed", "signs_of", "weigh"]

BASE: Final = -4.30
SIGNS: Final = {
    "gap": 1.64,
    "isolation": 0.37,
    "punch": 2.06,
    "punches": 2.16,
    "round": 0.47,
    "own_stain": 0.99,
    "unlike": 0.87,
    "paler": -2.34,
    "elongated": -4.42,
    "not_compact": -1.33,
    "tiny": -2.11,
    "area": 1.29,
    "vast": -1.75,
    "ratio": 0.38,
    "alike": -1.11,
    "core": -1.11,
    "rest_pieces": 0.66,
    "rest_round": -4.03,
    "twin": -1.35,
}
"""Log-odds of each sign, per unit where it has one, fitted to the development half of the slides of
benchmarks/quality.py by logistic regression; docs/quality.md says what each sign is."""

_ROUND, _SMALL_ROUND, _SMALL_MM = 0.77, 0.66, 0.9
"""Roundness of a punch, and of one up to 0.9 mm wide, which is seen in few cells and looks less round."""
_OF_A_SIZE = 1.8
_MOST_OF, _ARRAY, _MOST_OF_ARRAY = 0.75, 6, 0.6
"""Share of several pieces that have to be round; from six pieces on they are an array's cores, often torn."""
_SAMPLE_GAP_MM = 0.7
"""Pieces of one sample lie as far apart as this, whether these do or not."""
_LONG, _WHOLE = 1.6, 0.8
_BROWN, _BROWNER, _PALER = 0.12, 1.7, 0.65
_TWIN_MM2 = 25.0
_CORE_MM = 2.6
_TOLD_UNLIKE = 1.5
_UNLIKE_BROWN, _UNLIKE_UNEVEN = 0.25, 0.3
"""Differences of log DAB OD and of log unevenness as pieces of one block often have."""


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
    if values["unlike"] > _TOLD_UNLIKE:
        facts.append("of other tissue")
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
    areas = np.array([c.area_mm2 for c in ours])
    area, ratio = math.log2(areas.sum()), sum(c.area_mm2 for c in rest) / areas.sum()
    brown = max(c.brown for c in ours)
    browner = (brown + 0.02) / (max(c.brown for c in rest) + 0.02)
    long = max(c.long / max(c.short, 0.05) for c in ours)
    round_rest = len(rest) > 2 and float(np.mean([_round(c) for c in rest])) >= 0.5
    values = {
        "gap": math.log2(_within(group.gap, 0.5, 10.0) / 2.0),
        "isolation": math.log2(_within(isolation, 0.5, 6.0)),
        **{name: float(holds) for name, holds in _shape(ours, rest).items()},
        "round": _within((float(np.median([c.roundness for c in ours])) - 0.7) / 0.1, -2.0, 1.5),
        "own_stain": float(browner > _BROWNER and brown > _BROWN),
        "unlike": _unlike(layout, group),
        "paler": float(browner < _PALER),
        "elongated": _within(long - 1.2, 0.0, 1.5),
        "tiny": max(1.0 - area, 0.0),
        "area": _within(area - 1.0, 0.0, 3.0),
        "vast": max(area - 4.0, 0.0),
        "ratio": _within(math.log2(ratio), -2.0, 2.0),
        "rest_pieces": math.log2(len(rest)),
        "rest_round": float(round_rest),
        "twin": float(all(_compact(c) for c in rest) and sum(c.area_mm2 for c in rest) < _TWIN_MM2),
    }
    return values, browner


_FOR = {"punch": "round as a punch", "punches": "round punches of one size"}
_AGAINST = {
    "paler": "stained less than the rest",
    "not_compact": "neither compact nor whole",
    "vast": "large for control tissue",
    "tiny": "small for control tissue",
    "alike": "of the size and shape of a piece of the rest",
    "core": "as wide as a needle core of the rest",
    "rest_round": "the rest are round punches too",
    "twin": "the rest is compact and small enough to be the control itself",
}


def _shape(ours: list[Cluster], rest: list[Cluster]) -> dict[str, bool]:
    areas = [c.area_mm2 for c in ours]
    several = len(ours) > 1
    flat_rest = max(c.roundness for c in rest) <= _ROUND
    round_share = float(np.mean([_round(c) for c in ours]))
    array = len(ours) >= _ARRAY and round_share >= _MOST_OF_ARRAY
    array &= float(np.mean([_round(c) for c in rest])) < 0.5
    of_a_size = several and float(np.quantile(areas, 0.9)) < _OF_A_SIZE * float(np.quantile(areas, 0.1))
    punches = of_a_size and (array or (round_share >= _MOST_OF and flat_rest))
    round_ = flat_rest and round_share == 1.0
    return {
        "punch": round_ and not several,
        "punches": punches,
        "not_compact": float(np.mean([_compact(c) for c in ours])) < _MOST_OF,
        "alike": not (round_ or punches) and any(_alike(one, other) for one in ours for other in rest),
        "core": not round_ and not several and any(_core_like(ours[0], other) for other in rest),
    }


def _unlike(layout: Layout, group: Group) -> float:
    """How many times the tissue differs as pieces of one block may, at most 2.5; 1 where too little shows."""
    ours, rest = (layout.makeup[list(part)] for part in (group.members, group.others))
    if not (ours[:, 0].any() and rest[:, 0].any()):
        return 1.0
    apart = np.abs(
        np.average(ours[:, 1:], axis=0, weights=ours[:, 0])
        - np.average(rest[:, 1:], axis=0, weights=rest[:, 0])
    )
    return _within(float(np.minimum(apart / (_UNLIKE_BROWN, _UNLIKE_UNEVEN), 3.0).mean()), 0.0, 2.5)


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


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
