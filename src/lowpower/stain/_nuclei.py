"""Nuclei in one field: blobs of haematoxylin, outlined by rays.

A nucleus is a local maximum of the difference-of-Gaussians response over four sizes; its outline is
where the stain falls halfway back to its surroundings along 32 rays, never past the midline to a neighbour.
Rays cost by the cell and not by the pixel, and the same rays later look for the membrane.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lowpower.stain._nuclei_rays import (
    LARGEST_RADIUS_UM,
    RAYS,
    Floats,
    blurred,
    centroid_offset,
    ray_directions,
    sample,
    territory,
)

__all__ = ["Nuclei", "Peaks", "find_nuclei", "peaks_of", "seed_factor"]

_SEED_UM = 1.0
_SIZES_UM = (1.7, 2.4, 3.4, 4.8)
_APART_UM = 2.4
_STEP_UM = 0.5
_MERGE_UM = 6.5
_SPLIT = (0.5, 0.25, 0.1, 0.02)
_EDGE = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Nuclei:
    """N nuclei of one field.

    Attributes:
        xy: (N, 2) float32 centres, microns from the field's top left corner.
        seed: (N, 2) int64 column and row of the peak it grew from, pixels of the seed grid.
        response: (N,) blob response, OD.
        radii: (N, RAYS) float32 microns from `xy` to the outline.
        level: (N,) stain at the centre, smoothed, OD.
        surround: (N,) stain around the nucleus, OD.
        edge: (N,) mean fall of the stain across the outline, OD, times the share of it that falls.
    """

    xy: Floats
    seed: NDArray[np.int64]
    response: Floats
    radii: Floats
    level: Floats
    surround: Floats
    edge: Floats

    def __len__(self) -> int:
        return len(self.xy)


def blob_response(stain: Floats, mpp: float) -> tuple[Floats, Floats]:
    """Largest difference-of-Gaussians response over nuclear sizes, OD, and the size that gave it, microns.

    Args:
        stain: (H, W) at about 1 um/px.
        mpp: um/px of `stain`.
    """
    # Neighbouring sizes differ by one factor, so that each Gaussian serves twice.
    step = _SIZES_UM[1] / _SIZES_UM[0]
    blurred = [
        cv2.GaussianBlur(stain, (0, 0), size / step**0.5 / mpp) for size in (*_SIZES_UM, _SIZES_UM[-1] * step)
    ]
    best = np.full(stain.shape, -np.inf, np.float32)
    which = np.full(stain.shape, _SIZES_UM[0], np.float32)
    for size, inner, outer in zip(_SIZES_UM, blurred[:-1], blurred[1:], strict=True):
        response = cv2.subtract(inner, outer) * np.float32(2.6)
        which[response > best] = size
        np.maximum(best, response, out=best)
    return best, which


def seed_factor(mpp: float) -> int:
    """How many pixels of `mpp` um/px are averaged on each side before peaks are looked for."""
    return max(1, round(_SEED_UM / mpp))


def seed_image(stain: Floats, mpp: float) -> tuple[Floats, float]:
    """`stain` averaged to about 1 um/px by a whole factor, and its um/px."""
    factor = seed_factor(mpp)
    if factor == 1:
        return stain, mpp
    height, width = stain.shape[0] // factor, stain.shape[1] // factor
    cut = stain[: height * factor, : width * factor]
    small = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32), mpp * factor


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """N local maxima: `xy` (N, 2) microns, refined below the pixel; `seed` (N, 2) pixels."""

    xy: Floats
    seed: NDArray[np.int64]
    response: Floats
    size_um: Floats

    def pick(self, keep: NDArray[np.bool_]) -> Peaks:
        """The peaks where `keep` is true."""
        return Peaks(self.xy[keep], self.seed[keep], self.response[keep], self.size_um[keep])


def peaks_of(stain: Floats, mpp: float, least: float) -> Peaks:
    """Local maxima of the blob response that reach `least`.

    Args:
        stain: (H, W) nuclear stain, OD.
        mpp: um/px of `stain`.
        least: Smallest response, OD.
    """
    small, coarse = seed_image(stain, mpp)
    response, size = blob_response(small, coarse)
    reach = max(1, round(_APART_UM / coarse))
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    top = (response >= cv2.dilate(response, window)) & (response >= least)
    top[:1], top[-1:], top[:, :1], top[:, -1:] = False, False, False, False
    rows, columns = np.nonzero(top)
    values = response[rows, columns]
    offsets = []
    for before, after in (
        (response[rows, columns - 1], response[rows, columns + 1]),
        (response[rows - 1, columns], response[rows + 1, columns]),
    ):
        curve = np.minimum(before + after - 2 * values, -1e-6)
        offsets.append(np.clip(0.5 * (before - after) / curve, -0.5, 0.5))
    x = (columns + 0.5 + offsets[0]) * coarse
    y = (rows + 0.5 + offsets[1]) * coarse
    seed = np.stack([columns, rows], axis=1)
    return Peaks(np.stack([x, y], axis=1).astype(np.float32), seed, values, size[rows, columns])


def find_nuclei(stain: Floats, mpp: float, least: float) -> Nuclei:
    """All nuclei of a field.

    Args:
        stain: (H, W) nuclear stain, OD: haematoxylin, for nuclear markers plus DAB.
        mpp: um/px, at most 1.
        least: Smallest blob response of a nucleus, OD.
    """
    smooth = blurred(stain, 0.6, mpp)
    wide = blurred(stain, 1.6, mpp)
    peaks = peaks_of(stain, mpp, least)
    level = sample(wide, peaks.xy, mpp)
    surround = _surround(wide, peaks.xy, mpp)
    keep = _without_split(wide, peaks, level, surround, mpp)
    peaks, level, surround = peaks.pick(keep), level[keep], surround[keep]
    radii = _outline(smooth, peaks.xy, level, surround, mpp)
    # The blob's peak is the darkest chromatin; from the middle of the first outline rays see all of it.
    xy = np.asarray(peaks.xy + centroid_offset(radii), np.float32)
    radii = _outline(smooth, xy, level, surround, mpp)
    edge = _edge(smooth, xy, radii, least, mpp)
    good = edge >= _EDGE * least
    return Nuclei(
        xy[good], peaks.seed[good], peaks.response[good], radii[good], level[good], surround[good], edge[good]
    )


def _edge(smooth: Floats, xy: Floats, radii: Floats, least: float, mpp: float) -> Floats:
    """How sharply each outline bounds its nucleus; fibres and texture are bounded on two sides at most."""
    directions = ray_directions()
    inside = sample(smooth, xy[:, None] + (radii * np.float32(0.7))[..., None] * directions, mpp)
    outside = sample(smooth, xy[:, None] + (radii + np.float32(1.2))[..., None] * directions, mpp)
    fall = inside - outside
    return np.asarray(fall.mean(axis=1) * (fall > least).mean(axis=1), np.float32)


def _surround(wide: Floats, xy: Floats, mpp: float) -> Floats:
    """Low quartile of the stain on a circle around each peak: what lies between it and its neighbours."""
    circle = np.concatenate([ray_directions()[::2] * np.float32(radius) for radius in (5.0, 7.5)])
    values = sample(wide, xy[:, None] + circle, mpp)
    return (
        np.asarray(np.partition(values, 8, axis=1)[:, 8], np.float32) if len(xy) else np.zeros(0, np.float32)
    )


def _without_split(
    wide: Floats, peaks: Peaks, level: Floats, surround: Floats, mpp: float
) -> NDArray[np.bool_]:
    """Of two peaks with no valley between them the weaker goes: they are one nucleus."""
    xy, response, size = peaks.xy, peaks.response, peaks.size_um
    keep = np.ones(len(xy), bool)
    if len(xy) < 2:
        return keep
    pairs = cKDTree(xy).query_pairs(_MERGE_UM, output_type="ndarray")
    if len(pairs) == 0:
        return keep
    first, second = pairs[:, 0], pairs[:, 1]
    steps = np.linspace(0.0, 1.0, 9, dtype=np.float32)[None, :, None]
    between = xy[first][:, None] * (1 - steps) + xy[second][:, None] * steps
    valley = sample(wide, between, mpp).min(axis=1)
    lower = np.minimum(level[first], level[second])
    base = np.minimum(surround[first], surround[second])
    depth = (lower - valley) / np.maximum(lower - base, 1e-4)
    distance = np.hypot(*(xy[first] - xy[second]).T)
    # Within the radius of the larger blob chromatin alone makes valleys; further out any valley tells.
    radius = np.maximum(size[first], size[second]) * np.sqrt(2.0)
    same = depth < np.interp(distance / radius, [0.4, 0.8, 1.2, 1.8], _SPLIT)
    weaker = np.where(response[first] <= response[second], first, second)
    stronger = first + second - weaker
    order = np.argsort(-response[stronger[same]], kind="stable")
    for strong, weak in zip(stronger[same][order].tolist(), weaker[same][order].tolist(), strict=True):
        if keep[strong]:
            keep[weak] = False
    return keep


def _outline(smooth: Floats, xy: Floats, level: Floats, surround: Floats, mpp: float) -> Floats:
    """(N, RAYS) radii where the stain first stays under halfway between nucleus and surroundings."""
    count = len(xy)
    steps = int(LARGEST_RADIUS_UM / _STEP_UM)
    reach = (np.arange(1, steps + 1, dtype=np.float32) * np.float32(_STEP_UM))[:, None, None]
    points = xy[:, None, None] + reach[None] * ray_directions()[None, None]
    profile = sample(smooth, points, mpp)  # (N, steps, RAYS)
    half = (surround + 0.5 * (level - surround))[:, None, None]
    inside = profile > half
    # Vesicular nuclei are pale inside: the first micron never ends a ray, nor does one pale step.
    inside[:, : int(1.0 / _STEP_UM)] = True
    outside = ~inside
    outside[:, :-1] &= ~inside[:, 1:]
    outside[:, -1] = True
    first = outside.argmax(axis=1)  # (N, RAYS)
    rows, rays = np.arange(count)[:, None], np.arange(RAYS)[None]
    inner = profile[rows, np.maximum(first - 1, 0), rays]
    outer = profile[rows, first, rays]
    level_half = half[:, 0]
    part = np.clip((inner - level_half) / np.maximum(inner - outer, 1e-4), 0.0, 1.0)
    radii = (first + part) * np.float32(_STEP_UM)
    # Circular median over five rays: one ray that leaks or stops short does not shape the nucleus.
    around = np.stack([np.roll(radii, shift, axis=1) for shift in (-2, -1, 0, 1, 2)])
    radii = np.median(around, axis=0).astype(np.float32)
    plain = np.full_like(radii, 1.0)
    return np.asarray(np.minimum(radii, territory(xy, plain, LARGEST_RADIUS_UM)), np.float32)
