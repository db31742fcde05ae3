"""Groups of pieces that stand apart: what a cut through the widest gaps between clusters sets off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lowpower.tissue.control._clusters import Cluster, Layout

__all__ = ["ENDS", "Group", "groups_of", "towards", "widest_gap"]

ENDS: Final = {
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
    "top left": (-1, -1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "bottom right": (1, 1),
}
"""Directions (x, y) in which one group may lie beyond all else."""


@dataclass(frozen=True, slots=True)
class Group:
    """Clusters that lie beyond all others and nearer to each other than to them.

    Attributes:
        members: Their indices, ascending.
        others: The other clusters.
        end: The direction in which they lie, a key of `ENDS`.
        gap: Shortest distance to the others, mm.
        within: Widest gap among the others, mm; 0 for one cluster.
    """

    members: tuple[int, ...]
    others: tuple[int, ...]
    end: str
    gap: float
    within: float


def groups_of(layout: Layout) -> list[Group]:
    """Every group that a cut through one edge of the shortest tree over the clusters sets off."""
    edges = _shortest_tree(layout.gaps)
    found = []
    for cut in edges:
        near = _reachable(cut[0], [edge for edge in edges if edge is not cut])
        far = set(range(len(layout.clusters))) - near
        for members, others in ((near, far), (far, near)):
            ours, rest = tuple(sorted(members)), tuple(sorted(others))
            gap = float(layout.gaps[cut])
            end = _beyond([layout.clusters[i] for i in ours], [layout.clusters[i] for i in rest])
            if end is not None and widest_gap(layout, ours) < gap:
                found.append(Group(ours, rest, end, gap, widest_gap(layout, rest)))
    return found


def towards(end: str, said: str) -> bool:
    """Whether what lies at `end` lies at the end that was `said`: top left is left and top."""
    (x, y), (wanted_x, wanted_y) = ENDS[end], ENDS[said]
    return (wanted_x in (0, x)) and (wanted_y in (0, y))


def widest_gap(layout: Layout, members: tuple[int, ...]) -> float:
    """The longest edge, mm, of the shortest tree that joins the clusters; 0 for one cluster."""
    gaps = layout.gaps[np.ix_(members, members)]
    return max((float(gaps[edge]) for edge in _shortest_tree(gaps)), default=0.0)


def _shortest_tree(gaps: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The edges of the minimum spanning tree (Prim), N - 1 of them."""
    edges: list[tuple[int, int]] = []
    nearest, reach = np.zeros(len(gaps), np.intp), gaps[0].copy() if len(gaps) else np.zeros(0)
    left = set(range(1, len(gaps)))
    while left:
        best = min(left, key=lambda i: (float(reach[i]), i))
        edges.append((int(nearest[best]), best))
        left.discard(best)
        closer = gaps[best] < reach
        nearest[closer], reach[closer] = best, gaps[best][closer]
    return edges


def _reachable(start: int, edges: list[tuple[int, int]]) -> set[int]:
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for one, other in edges:
            step = other if one == here else one if other == here else None
            if step is not None and step not in seen:
                seen.add(step)
                todo.append(step)
    return seen


def _beyond(ours: list[Cluster], rest: list[Cluster]) -> str | None:
    """The direction in which every one of ours lies beyond all of the rest: the one with most room."""
    best: tuple[float, str] | None = None
    for end, (x, y) in ENDS.items():
        # How far one of ours reaches back is minus the edge it turns to the rest.
        free = -max(_edge(c, -x, -y) for c in ours) - max(_edge(c, x, y) for c in rest)
        if free > 0 and (best is None or free > best[0] + 1e-9):
            best = (free, end)
    return None if best is None else best[1]


def _edge(cluster: Cluster, x: int, y: int) -> float:
    """How far the cluster reaches in a direction, mm along it."""
    along = (cluster.left, cluster.right)[x > 0] * x + (cluster.top, cluster.bottom)[y > 0] * y
    return along / float(np.hypot(x, y))
