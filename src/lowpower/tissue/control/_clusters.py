"""Pieces of tissue that belong together, seen at 32 um: size, shape, stain and the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._colour_axes import brown_od
from lowpower.tissue._grid import Flags, Plane, shrink
from lowpower.tissue.control._makeup import Makeup, makeup_of

__all__ = ["CLUSTER_UM", "Cluster", "Layout", "lay_out"]

CLUSTER_UM = 32.0
"""Side of the cells that tissue is grouped on."""
_JOIN_UM = 256.0
"""Pieces closer than this are one cluster: tears and clefts are narrower."""
_CRUMB_MM2 = 0.06
"""Clusters smaller than this, or than 0.1 % of the tissue, are crumbs: they follow the nearest cluster."""
_CRUMB_SHARE = 0.001
_MOST = 48
"""More clusters than this are an array or a heap of crumbs: they are not told apart."""
_OCCUPIED = 0.15
_DARKEST = 0.25
"""Share of a cluster's cells, the brownest, whose mean stands for its stain."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """Pieces of tissue closer to each other than 256 um.

    Attributes:
        cells: (h, w) bool on the layout's grid.
        area_mm2: Area of its tissue.
        left: First column, mm from the slide's left edge.
        top: First row, mm.
        right: Mm.
        bottom: Mm.
        long: Longer side of the smallest rectangle around it, mm.
        short: Shorter side, mm.
        centre: (x, y) of that rectangle, mm.
        axis: (x, y) unit vector along its longer side.
        solidity: Area of its outline, tears closed, over that of its convex hull.
        roundness: The same over that of the smallest circle around it: a punch has 0.9, a square 0.64.
        brown: DAB OD of its brownest quarter.
    """

    cells: Flags
    area_mm2: float
    left: float
    top: float
    right: float
    bottom: float
    long: float
    short: float
    centre: tuple[float, float]
    axis: tuple[float, float]
    solidity: float
    roundness: float
    brown: float


@dataclass(frozen=True, eq=False)
class Layout:
    """A slide's tissue as clusters, largest first.

    Attributes:
        clusters: Without crumbs; empty where there are more than 48.
        gaps: (N, N) shortest distances between them, mm.
        nearest: (h, w) index of the cluster that lies nearest to each cell.
        makeup: What the tissue of each is like.
    """

    clusters: tuple[Cluster, ...]
    gaps: NDArray[np.float64]
    nearest: NDArray[np.int32]
    makeup: Makeup


def lay_out(mask: Flags, off: Plane, mpp: float) -> Layout:
    """Group a slide's tissue into clusters.

    Args:
        mask: (H, W) bool, the tissue.
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px of both.
    """
    height, width = mask.shape
    size = (max(1, round(width * mpp / CLUSTER_UM)), max(1, round(height * mpp / CLUSTER_UM)))
    side = mpp * (width * height / (size[0] * size[1])) ** 0.5 / 1000.0
    share = shrink(np.asarray(mask, np.float32), size)
    brown = brown_od(shrink(off[..., :2], size))
    occupied = share > _OCCUPIED
    reach = 2 * round(_JOIN_UM / 2000.0 / side) + 1
    joined = cv2.dilate(occupied.view(np.uint8), np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8, ltype=cv2.CV_32S)
    labels = np.where(occupied, labels, 0)
    areas = np.bincount(labels.ravel(), weights=share.ravel(), minlength=count) * side * side
    areas[0] = 0.0
    large = np.flatnonzero(areas >= max(_CRUMB_MM2, _CRUMB_SHARE * float(areas.sum())))
    ordered = large[np.argsort(-areas[large], kind="stable")]
    if len(ordered) > _MOST:
        ordered = ordered[:0]
    clusters = tuple(_cluster(labels == label, float(areas[label]), brown, side, reach) for label in ordered)
    gaps = np.zeros((len(clusters), len(clusters)))
    nearest = np.zeros(share.shape, np.int32)
    closest = np.full(share.shape, np.inf, np.float32)
    for index, cluster in enumerate(clusters):
        distance = _distance(cluster.cells, side)
        gaps[index] = [float(distance[other.cells].min()) for other in clusters]
        closer = distance < closest
        nearest[closer], closest[closer] = index, distance[closer]
    return Layout(clusters, gaps, nearest, makeup_of(mask, off, mpp, nearest, len(clusters)))


def _cluster(cells: Flags, area: float, brown: Plane, side: float, reach: int) -> Cluster:
    rows, columns = np.nonzero(cells)
    corners = np.concatenate(
        [np.stack([columns + x, rows + y], axis=1) for x in (0, 1) for y in (0, 1)]
    ).astype(np.float32)
    hull = np.asarray(cv2.convexHull(corners), np.float32)
    centre, (width, height), angle = cv2.minAreaRect(hull)
    turn = np.radians(angle if width >= height else angle + 90.0)
    _, radius = cv2.minEnclosingCircle(hull)
    outlined = _outlined(cells, reach)
    stain = np.sort(brown[cells])[-max(1, round(_DARKEST * len(rows))) :]
    return Cluster(
        cells=cells,
        area_mm2=area,
        left=float(columns.min()) * side,
        top=float(rows.min()) * side,
        right=float(columns.max() + 1) * side,
        bottom=float(rows.max() + 1) * side,
        long=max(width, height) * side,
        short=min(width, height) * side,
        centre=(float(centre[0]) * side, float(centre[1]) * side),
        axis=(float(np.cos(turn)), float(np.sin(turn))),
        solidity=outlined / max(1.0, float(cv2.contourArea(hull))),
        roundness=outlined / (np.pi * float(radius) ** 2),
        brown=float(stain.mean()),
    )


def _outlined(cells: Flags, reach: int) -> float:
    """Cells within the outline of a cluster whose clefts up to `reach` cells wide are closed."""
    wide = cv2.copyMakeBorder(cells.view(np.uint8), reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(closed)
    cv2.drawContours(filled, contours, -1, 1, -1)
    return float(filled.sum())


def _distance(cells: Flags, side: float) -> Plane:
    """Millimetres from every cell to the nearest of `cells`."""
    apart = cv2.distanceTransform((~cells).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(apart, np.float32) * np.float32(side)
