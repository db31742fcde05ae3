"""From a mask to polygons along its pixels' edges, and back, without loss."""

from __future__ import annotations

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

__all__ = ["fill", "outlines"]


def outlines(
    mask: NDArray[np.bool_], scale: tuple[float, float] = (1.0, 1.0), corner: tuple[float, float] = (0.0, 0.0)
) -> list[shapely.Polygon]:
    """Polygons of a mask's connected pieces (4-neighbours), along their pixels' edges, valid.

    Walking the edges takes a third of the time that the union of the pixels' squares takes.

    Args:
        mask: (H, W) bool.
        scale: Width and height of a pixel.
        corner: Where the mask's corner lies.

    Returns:
        One polygon a piece, ordered by where the pieces begin, row by row.
    """
    if not mask.any():
        return []
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    pieces: list[list[NDArray[np.float64]]] = [[] for _ in range(count - 1)]
    for ring, label in _rings(np.asarray(labels, np.int32)):
        # Edges run with the tissue on the right (y down): outer rings have a positive area, holes a negative.
        x, y = ring[:, 0], ring[:, 1]
        outer = float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) > 0
        pieces[label - 1].insert(0 if outer else len(pieces[label - 1]), ring * scale + corner)
    # A ring that comes back to one of its corners (diagonal neighbours) is a ring and a hole that touch.
    return [shapely.make_valid(shapely.Polygon(rings[0], rings[1:])) for rings in pieces]


def fill(area: BaseGeometry, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """An area as a mask: a pixel is inside where its centre is.

    Args:
        area: Polygons, in pixels of the mask.
        shape: (height, width) of the mask.
    """
    height, width = shape
    mask = np.zeros(shape, bool)
    for polygon in shapely.get_parts(area):
        rows, crossings = _crossings(polygon, height)
        if rows.size == 0:
            continue
        top, bottom = int(rows.min()), int(rows.max()) + 1
        flips = np.zeros((bottom - top, width + 1), np.int32)
        columns = np.ceil(crossings - 0.5).clip(0, width).astype(np.int64)
        np.add.at(flips, (rows - top, columns), 1)
        mask[top:bottom] |= (flips.cumsum(axis=1)[:, :width] & 1).astype(bool)
    return mask


def _crossings(polygon: shapely.Polygon, height: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where the polygon's edges cross the middles of the mask's rows: rows and x."""
    rings = [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
    starts = np.concatenate([ring[:-1] for ring in rings])
    ends = np.concatenate([ring[1:] for ring in rings])
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    first = np.ceil(low - 0.5).clip(0, height).astype(np.int64)
    last = np.ceil(high - 0.5).clip(0, height).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(starts)), counts)
    rows = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (ends[edge] - starts[edge])[:, 0] / (ends[edge] - starts[edge])[:, 1]
    return rows, starts[edge, 0] + (rows + 0.5 - starts[edge, 1]) * slope


def _rings(labels: NDArray[np.int32]) -> list[tuple[NDArray[np.float64], int]]:
    """Closed rings of pixel edges with the label of the piece on their right side."""
    padded = np.pad(labels, 1)
    steps: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    # For each direction of travel: the pixels on the right and on the left, seen from the corner.
    for (dx, dy), right, left in (
        ((1, 0), (0, 0), (-1, 0)),
        ((0, 1), (0, -1), (0, 0)),
        ((-1, 0), (-1, -1), (0, -1)),
        ((0, -1), (-1, 0), (-1, -1)),
    ):
        inside, outside = _shifted(padded, right), _shifted(padded, left)
        rows, columns = np.nonzero((inside > 0) & (outside == 0))
        pieces = inside[rows, columns]
        for x, y, label in zip(columns.tolist(), rows.tolist(), pieces.tolist(), strict=True):
            steps.setdefault((x, y), []).append((dx, dy, label))
    rings = []
    for start in sorted(steps, key=lambda corner: (corner[1], corner[0])):
        while steps[start]:
            rings.append(_walk(start, steps))
    return rings


def _walk(
    start: tuple[int, int], steps: dict[tuple[int, int], list[tuple[int, int, int]]]
) -> tuple[NDArray[np.float64], int]:
    """Follow edges from `start` until the ring closes, taking them out; only the turns are kept."""
    (x, y), points = start, [start]
    dx, dy, label = steps[start].pop()
    heading = (dx, dy)
    while True:
        x, y = x + dx, y + dy
        if (x, y) == start:
            points.append(start)
            return np.array(points, np.float64), label
        choices = steps[(x, y)]
        best = 0
        if len(choices) > 1:
            # Where two diagonal pixels touch, turn right: it keeps pieces apart that only touch at a corner.
            wanted = [(-heading[1], heading[0]), heading, (heading[1], -heading[0])]
            best = min(range(len(choices)), key=lambda index: wanted.index(choices[index][:2]))
        dx, dy, _ = choices.pop(best)
        if (dx, dy) != heading:
            points.append((x, y))
            heading = (dx, dy)


def _shifted(padded: NDArray[np.int32], offset: tuple[int, int]) -> NDArray[np.int32]:
    """Label of the pixel at (row + offset[0], column + offset[1]) of every corner (row, column)."""
    rows, columns = padded.shape[0] - 1, padded.shape[1] - 1
    down, right = offset[0] + 1, offset[1] + 1
    return padded[down : down + rows, right : right + columns]
