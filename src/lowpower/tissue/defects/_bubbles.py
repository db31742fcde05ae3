"""Air bubbles under the cover slip: a thin dark rim without colour, round or closed, on tissue and glass."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.tissue._grid import Bits, Flags, Plane, length, shrink, square_of

__all__ = ["find_bubbles", "without_tissue"]

_STRIP = 32
_LOOKS = ((7.0, 60.0), (14.0, 200.0))
"""um/px at which rims of 10 to 20 and of 20 to 40 um are lines, and the least radius looked for, um: fat
cells and dust far out of focus are smaller, and at 14 um/px the outlines of ducts are lines too."""
_LARGEST_UM = 900.0
"""Radius; what is larger is rarely round."""
_STEP = 1.12
_DARKER = 0.02
"""Second difference of OD across a rim; one of 0.15 OD has 0.02 to 0.03."""
_STRAIGHT = 0.5
_COLOURLESS = 0.25
"""Colour over darkness of a rim; lines of haematoxylin have 0.6, of DAB 0.7."""
_CLOSED_LOOK = (5.0, 80.0)
"""um/px at which rims are followed, and radius of the least area they close in, um."""
_RIM_UM = 50.0
"""Twice the width of the widest rims, with their blur."""
_GAP = 9
"""Pixels between points of such a rim that are bridged."""
_CLOSED_COVERED, _SOLID, _ROUND = 0.9, 0.85, 0.5
"""Least share of a closed outline on lines, its area over that of its hull, and 4 pi area over its length
squared: bubbles have 0.95, 0.93, 0.65 and more, the band between a cover slip and the image's edge 0.1."""
_INSIDE = 0.06
"""OD by which a bubble's inside may be darker than what lies around it; a piece of tissue has 0.1 or more."""
_ALONG = 0.9
"""Cosine between a line's normal and the circle's radius."""
_SEEN = 0.2
"""Share of a circle's length that must vote for it before it is looked at."""
_MOST = 80
_COVERED = ((100.0, 150.0), (0.9, 0.7))
"""Radii in um, and the share of such a circle that must lie on a line: small glands reach 0.85."""
_IN_VIEW = 0.35
"""Share of the outline that must lie in the image."""


@dataclass(frozen=True, eq=False)
class _Lines:
    """Points on dark colourless lines: place and normal, pixels, each (N,) float64; (width, height)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]
    size: tuple[int, int]


def find_bubbles(off: Plane, mpp: float) -> Flags:
    """Where air bubbles lie.

    Points on thin dark lines without colour vote for the centres of circles that they may lie on, one radius
    at a time (Hough); the best are fitted, and kept where most of the circle is such a line. Bubbles that are
    not round, or reach over the image's edge, are found where lines and edge close around them.

    Args:
        off: (H, W, 3) opponent density above the glass.
        mpp: um/px.

    Returns:
        (H, W) bool, the insides of bubbles.
    """
    height, width = off.shape[:2]
    marked = np.zeros((height, width), np.uint8)
    lines, scale = _lines_at(off, mpp, _CLOSED_LOOK[0])
    lightness = off[..., 0] if lines.size[0] == width else shrink(off, lines.size)[..., 0]
    closed = _closed(lines, lightness, mpp * scale, _CLOSED_LOOK[1])
    closed = np.asarray(cv2.resize(closed, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    marked |= closed.reshape(height, width)
    for rim, smallest in _LOOKS:
        if min(width, height) * mpp < 2 * smallest:
            continue
        lines, scale = _lines_at(off, mpp, rim)
        for x, y, radius in _circles(lines, mpp * scale, smallest):
            centre = (round((x + 0.5) * scale), round((y + 0.5) * scale))
            cv2.circle(marked, centre, round(radius * scale), 1, -1)
    return np.asarray(marked, bool)


def _lines_at(off: Plane, mpp: float, rim: float) -> tuple[_Lines, float]:
    """The lines seen at `rim` um/px, and how many pixels one of theirs is wide."""
    height, width = off.shape[:2]
    size = (
        (max(1, round(width * mpp / rim)), max(1, round(height * mpp / rim)))
        if mpp < rim
        else (width, height)
    )
    return _lines(shrink(off, size) if size[0] < width else off), width / size[0]


def _second(plane: Plane) -> tuple[Plane, Plane, Plane]:
    """Second derivatives along x, x and y, and y."""
    smooth = cv2.GaussianBlur(np.ascontiguousarray(plane), (0, 0), 1.0)
    orders = ((2, 0), (1, 1), (0, 2))
    xx, xy, yy = (np.asarray(cv2.Sobel(smooth, -1, *order, scale=0.25), np.float32) for order in orders)
    return xx, xy, yy


def _lines(off: Plane) -> _Lines:
    """The crests of thin dark lines that add grey to whatever they cross."""
    height, width = off.shape[:2]
    xx, xy, yy = _second(off[..., 0])
    strength, there = np.empty((height, width), np.float32), np.empty((height, width), bool)
    # In strips that stay in the processor's cache.
    for top in range(0, height, _STRIP):
        rows = slice(top, top + _STRIP)
        middle = (xx[rows] + yy[rows]) / 2
        spread = length(np.asarray((xx[rows] - yy[rows]) / 2, np.float32), xy[rows])
        strength[rows] = spread - middle
        thin = np.abs(middle + spread) < _STRAIGHT * strength[rows]
        there[rows] = thin & (strength[rows] > _DARKER)
    y, x = np.nonzero(there)
    angle = 0.5 * np.arctan2(2 * xy[y, x], xx[y, x] - yy[y, x]) + np.pi / 2
    across, down = np.cos(angle, dtype=np.float64), np.sin(angle, dtype=np.float64)
    crest = np.ones(len(x), bool)
    for sign in (-1, 1):
        column = np.clip(np.rint(x + sign * across), 0, width - 1).astype(np.intp)
        row = np.clip(np.rint(y + sign * down), 0, height - 1).astype(np.intp)
        crest &= strength[y, x] >= strength[row, column]
    x, y, across, down = x[crest], y[crest], across[crest], down[crest]
    colour = np.zeros(len(x))
    for axis in (1, 2):
        xx, xy, yy = _second(off[..., axis])
        bend = xx[y, x] * across**2 + 2 * xy[y, x] * across * down + yy[y, x] * down**2
        colour += bend**2
    keep = np.sqrt(colour) < _COLOURLESS * strength[y, x]
    return _Lines(x[keep].astype(float), y[keep].astype(float), across[keep], down[keep], (width, height))


def _closed(lines: _Lines, lightness: Plane, mpp: float, smallest: float) -> Bits:
    """(H, W) the areas larger than a circle of `smallest` um that lines, and the image's edge, close in.

    A bubble is dark at its rim alone: what is darker than its surroundings is a piece of tissue.
    """
    width, height = lines.size
    crest = np.zeros((height, width), np.uint8)
    crest[lines.y.astype(np.intp), lines.x.astype(np.intp)] = 1
    bridge = np.ones((_GAP, _GAP), np.uint8)
    apart = np.asarray(cv2.dilate(crest, bridge) == 0, np.uint8)
    near = np.asarray(cv2.dilate(crest, np.ones((5, 5), np.uint8)), bool)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(apart, connectivity=4, ltype=cv2.CV_32S)
    # The bridges take half of their width from each side of an area.
    least, most = np.pi * (max(smallest / mpp - _GAP / 2, 1.0)) ** 2, np.pi * (_LARGEST_UM / mpp) ** 2
    found = np.zeros((height, width), np.uint8)
    for label in (1 + np.flatnonzero((stats[1:, 4] > least) & (stats[1:, 4] < most))).tolist():
        area = np.asarray(cv2.dilate((labels == label).view(np.uint8), bridge), np.uint8)
        contours, _ = cv2.findContours(area, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = max(contours, key=cv2.contourArea)
        x, y = outline[:, 0, 0], outline[:, 0, 1]
        seen = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        inside = cv2.contourArea(outline)
        if (
            seen.mean() > _IN_VIEW
            and near[y[seen], x[seen]].mean() > _CLOSED_COVERED
            and inside > _SOLID * cv2.contourArea(cv2.convexHull(outline))
            and 4 * np.pi * inside > _ROUND * cv2.arcLength(outline, True) ** 2
            and _alike(lightness, area, square_of(_RIM_UM, mpp))
        ):
            cv2.drawContours(found, [outline], -1, 1, cv2.FILLED)
            cv2.drawContours(found, [outline], -1, 1, 3)  # and its rim
    return found


def without_tissue(bubbles: Flags, off: Plane, mpp: float) -> Flags:
    """(H, W) bool, the bubbles that hold no colour within their rim: air on bare glass is grey by itself."""
    count, labels = cv2.connectedComponents(bubbles.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    within = np.asarray(cv2.erode(bubbles.view(np.uint8), square_of(_RIM_UM, mpp)), bool)
    empty = np.zeros(count, bool)
    for label in np.unique(labels[within]):  # of one that is all rim nothing is known
        mean = off[(labels == label) & within].mean(axis=0)
        empty[label] = np.hypot(mean[1], mean[2]) < _COLOURLESS * mean[0]
    return np.asarray(empty[labels], np.bool_)


def _alike(lightness: Plane, area: Bits, rim: Bits) -> bool:
    """Whether an area is not plainly darker than what lies around it."""
    within = np.asarray(cv2.erode(area, rim), bool)
    beside = cv2.dilate(area, rim)
    around = np.asarray(cv2.dilate(beside, rim), bool) & (beside == 0)
    if not within.any() or not around.any():
        return True
    return float(lightness[within].mean() - lightness[around].mean()) < _INSIDE


def _circles(lines: _Lines, mpp: float, smallest: float) -> list[tuple[float, float, float]]:
    """(x, y, radius) of circles with a radius above `smallest` um, pixels."""
    found: list[tuple[float, float, float]] = []
    votes = _votes(lines, 0.95 * smallest / mpp, _LARGEST_UM / mpp)
    for _, x, y, radius in sorted(votes, reverse=True)[:_MOST]:
        if any(_same((x, y, radius), other) for other in found):
            continue
        circle = _fitted(lines, x, y, radius)
        if circle is None or not smallest < circle[2] * mpp < _LARGEST_UM:
            continue
        least = float(np.interp(circle[2] * mpp, *_COVERED))
        if _coverage(lines, *circle) >= least:
            found.append(circle)
    return found


def _same(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    near = 0.2 * max(one[2], other[2])
    return np.hypot(one[0] - other[0], one[1] - other[1]) < near and abs(one[2] - other[2]) < near


def _votes(lines: _Lines, smallest: float, largest: float) -> list[tuple[float, float, float, float]]:
    """(share of its length that votes for it, x, y, radius) of circles worth a look."""
    radius, found = smallest, []
    while radius < largest and len(lines.x):
        cell = max(2.0, 0.1 * radius)
        columns, rows = (int((side + 2 * radius) / cell) + 3 for side in lines.size)
        x = np.concatenate([lines.x + radius * lines.across, lines.x - radius * lines.across])
        y = np.concatenate([lines.y + radius * lines.down, lines.y - radius * lines.down])
        place = ((y + radius) / cell).astype(np.intp) * columns + ((x + radius) / cell).astype(np.intp)
        count = np.bincount(place, minlength=rows * columns).reshape(rows, columns).astype(np.float32)
        share = cv2.boxFilter(count, -1, (3, 3), normalize=False) / np.float32(2 * np.pi * radius)
        peaks = (share >= cv2.dilate(share, np.ones((3, 3)))) & (share > _SEEN)
        for row, column in np.argwhere(peaks).tolist():
            place_x, place_y = (column + 0.5) * cell - radius, (row + 0.5) * cell - radius
            found.append((float(share[row, column]), place_x, place_y, radius))
        radius *= _STEP
    return found


def _on(lines: _Lines, x: float, y: float, radius: float, within: float) -> NDArray[np.bool_]:
    """Which points lie on a circle and run along it."""
    right, down = lines.x - x, lines.y - y
    distance = np.hypot(right, down)
    return np.asarray(
        (np.abs(distance - radius) < within)
        & (np.abs(right * lines.across + down * lines.down) > _ALONG * distance)
    )


def _fitted(lines: _Lines, x: float, y: float, radius: float) -> tuple[float, float, float] | None:
    """The circle moved onto the points near it, ever nearer (least squares, algebraic)."""
    for within in (0.12 * radius + 1, 0.05 * radius + 1, 1.5, 1.5):
        near = _on(lines, x, y, radius, within)
        if np.count_nonzero(near) < 10:
            return None
        across, down = lines.x[near], lines.y[near]
        matrix = np.stack([across, down, np.ones(len(across))], axis=1)
        a, b, c = np.linalg.lstsq(matrix, across**2 + down**2, rcond=None)[0].tolist()
        x, y = a / 2, b / 2
        radius = max(c + x * x + y * y, 1.0) ** 0.5
    return x, y, radius


def _coverage(lines: _Lines, x: float, y: float, radius: float) -> float:
    """Share of the circle, as far as it is in view, that is on the line; 0 where too little is in view."""
    parts = int(np.pi * radius)
    angle = (np.arange(parts) + 0.5) * 2 * np.pi / parts
    across, down = x + radius * np.cos(angle), y + radius * np.sin(angle)
    width, height = lines.size
    seen = (across > 1) & (across < width - 2) & (down > 1) & (down < height - 2)
    if seen.mean() < _IN_VIEW:
        return 0.0
    near = _on(lines, x, y, radius, 1.5)
    turn = np.arctan2(lines.y[near] - y, lines.x[near] - x) % (2 * np.pi) / (2 * np.pi)
    hit = np.zeros(parts, bool)
    hit[(turn * parts).astype(np.intp) % parts] = True
    return float((hit & seen).sum() / seen.sum())
