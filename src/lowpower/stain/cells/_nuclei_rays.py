"""Rays cast from the middle of each nucleus: directions, values along them, how far they may go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = [
    "LARGEST_RADIUS_UM",
    "RAYS",
    "Floats",
    "blurred",
    "in_parts",
    "on_rays",
    "ray_directions",
    "sample",
    "territory",
]

Floats: TypeAlias = NDArray[np.float32]

RAYS = 32
"""Rays cast from each nucleus."""
LARGEST_RADIUS_UM = 8.5
"""No ray goes further than this inside a nucleus."""

_NEIGHBOURS = 8
_BIG = 1e3
_AT_ONCE = 512
"""Nuclei whose rays are worked on together: few enough for the processor's cache."""


def ray_directions() -> Floats:
    """(RAYS, 2) unit vectors, x and y."""
    angle = np.arange(RAYS, dtype=np.float32) * np.float32(2 * np.pi / RAYS)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def sample(image: Floats, points: Floats, mpp: float) -> Floats:
    """Bilinear values of `image` (H, W) at `points` (..., 2) microns; the edge is continued outside.

    A point is measured from the corner of the image, so that the middle of pixel 0 lies at mpp / 2.
    """
    # remap takes at most 32767 rows or columns; 4096 columns hold 134 million points.
    count, columns = points.size // 2, 4096
    rows = -(-count // columns)
    if rows == 0:
        return np.zeros(points.shape[:-1], np.float32)
    places = np.zeros((2, rows * columns), np.float32)
    places[:, :count] = points.reshape(-1, 2).T
    places *= np.float32(1.0 / mpp)
    places -= np.float32(0.5)
    x, y = places.reshape(2, rows, columns)
    found = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(-1)[:count].reshape(points.shape[:-1]), np.float32)


def in_parts(count: int) -> Iterator[slice]:
    """Slices of `count` nuclei, at least one, each small enough for the processor's cache."""
    for start in range(0, max(1, count), _AT_ONCE):
        yield slice(start, start + _AT_ONCE)


def on_rays(image: Floats, xy: Floats, distance: NDArray[np.floating], mpp: float) -> Floats:
    """Bilinear values of `image` (H, W) along rays; the edge is continued outside.

    Args:
        image: (H, W).
        xy: (N, 2) where the rays begin, microns from the corner of the image.
        distance: How far along each ray, microns; of a shape that goes with (N, ..., RAYS).
        mpp: um/px of the image.

    Returns:
        (N, ..., RAYS).
    """
    shape = np.broadcast_shapes(distance.shape, (len(xy), *(1,) * (distance.ndim - 2), RAYS))
    if len(xy) == 0:
        return np.zeros(shape, np.float32)
    places = []
    for start, direction in zip(xy.T, ray_directions().T, strict=True):
        place = start.reshape(-1, *(1,) * (distance.ndim - 1)) + distance * direction
        place = place.astype(np.float32, copy=False)
        place *= np.float32(1.0 / mpp)
        place -= np.float32(0.5)
        places.append(place.reshape(len(xy), -1))
    x, y = places
    found = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(shape), np.float32)


def territory(xy: Floats, radii: Floats, limit_um: float, wanted: NDArray[np.bool_] | None = None) -> Floats:
    """How far each ray may go before it is nearer to another nucleus's outline than to its own.

    The border between two nuclei is where the distances to both outlines, each taken as a circle of the
    radius that faces the other, are equal.

    Args:
        xy: (N, 2) centres, microns.
        radii: (N, RAYS) outlines, microns.
        limit_um: Longest way beyond the own outline.
        wanted: (N,) the nuclei that are asked about; None for all.

    Returns:
        (M, RAYS) microns from the centre, of the M that are wanted.
    """
    rows = np.arange(len(xy)) if wanted is None else np.flatnonzero(wanted)
    furthest = radii[rows] + np.float32(limit_um)
    count = len(xy)
    if count < 2 or len(rows) == 0:
        return furthest
    neighbours = min(_NEIGHBOURS, count - 1)
    reach = 2.0 * (LARGEST_RADIUS_UM + limit_um)
    _, nearest = cKDTree(xy).query(xy[rows], k=neighbours + 1, distance_upper_bound=reach)
    for part in in_parts(len(rows)):
        border = _borders(xy, radii, rows[part], nearest[part, 1:])
        np.minimum(furthest[part], border, out=furthest[part])
    return furthest


def _borders(
    xy: Floats, radii: Floats, rows: NDArray[np.intp], nearest: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(M, RAYS) where the rays of some nuclei meet the nearest of their neighbours' outlines."""
    there = nearest < len(xy)
    index = np.where(there, nearest, 0)
    apart = xy[index] - xy[rows][:, None]
    distance = np.maximum(np.hypot(apart[..., 0], apart[..., 1]), 1e-3)
    back = np.arctan2(-apart[..., 1], -apart[..., 0]) * (RAYS / (2 * np.pi))
    facing = radii[index, np.round(back).astype(np.int64) % RAYS]
    along = apart @ ray_directions().T  # (M, K, RAYS)
    # |t u - d| = t - own + facing  =>  t = (d^2 - c^2) / 2 (u.d + c), c = facing - own
    c = facing[..., None] - radii[rows][:, None, :]
    numerator = distance[..., None] ** 2 - c**2
    denominator = 2.0 * (along + c)
    border = np.where(denominator > 1e-3, numerator / np.maximum(denominator, 1e-3), _BIG)
    return np.asarray(np.where(there[..., None] & (numerator > 0), border, _BIG).min(axis=1), np.float64)


def blurred(image: Floats, sigma_um: float, mpp: float) -> Floats:
    """`image` (H, W) under a Gaussian of `sigma_um` microns."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_um / mpp), np.float32)
