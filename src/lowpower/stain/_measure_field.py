"""From the pixels of one field to its cells, on one scale for the whole slide."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.stain._cells import shape_of
from lowpower.stain._density import optical_density
from lowpower.stain._membrane import membrane_rays
from lowpower.stain._nuclei import find_nuclei, peaks_of, seed_factor
from lowpower.stain._nuclei_rays import Floats, blurred, ray_directions, sample
from lowpower.stain._vectors import StainVectors

__all__ = ["FieldCells", "Marker", "StainScale", "join_fields", "measure_field", "stain_maps"]

Marker = Literal["HER2", "ER", "PR", "Ki-67"]

_FAINTEST_RESPONSE = 0.012
_LEAST = 0.14
"""A nucleus's blob response is at least this share of the slide's usual one, and this much OD."""
_LEAST_OD = 0.018
_LEAST_USUAL = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class StainScale:
    """What makes one slide's numbers comparable with another's.

    Attributes:
        white_point: (3,) RGB of the glass.
        vectors: The slide's stain vectors.
        contrast: The slide's usual nuclear contrast, OD: the 90th percentile of its blobs' responses.
        counterstain: The same of haematoxylin alone.
    """

    white_point: Floats
    vectors: StainVectors
    contrast: float
    counterstain: float

    @classmethod
    def of(
        cls,
        images: list[NDArray[np.uint8]],
        white_point: Floats,
        vectors: StainVectors,
        marker: Marker,
        mpp: float,
    ) -> StainScale:
        """The scale of a slide, from sample fields of it."""
        both, alone = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
        for image in images:
            hematoxylin, dab = stain_maps(image, white_point, vectors)
            both.append(peaks_of(_nuclear_stain(hematoxylin, dab, marker), mpp, _FAINTEST_RESPONSE).response)
            blue = both[-1]
            if marker != "HER2":
                blue = peaks_of(np.maximum(hematoxylin, 0), mpp, _FAINTEST_RESPONSE).response
            alone.append(blue)
        return cls(white_point, vectors, _usual(np.concatenate(both)), _usual(np.concatenate(alone)))


@dataclass(frozen=True, slots=True, eq=False)
class FieldCells:
    """N cells of one field: columns of `Cells` before anything is decided slide-wide.

    Attributes:
        xy: (N, 2) centres, microns from the field's corner.
        seed: (N, 2) int64 column and row of each cell's peak on the seed grid: exact.
        diameter: (N,) microns.
        elongation: (N,).
        darkness: (N,) relative to the slide's contrast.
        haze: (N,) relative to the slide's contrast.
        nuclear_dab: (N,) DAB OD.
        body_dab: (N,) DAB OD.
        crest: (N, RAYS) float16 height of the crest on each ray, DAB OD; (N, 0) for nuclear markers.
        density: (N, RAYS) float16 DAB OD on the crest; (N, 0) for nuclear markers.
    """

    xy: NDArray[np.float64]
    seed: NDArray[np.int64]
    diameter: Floats
    elongation: Floats
    darkness: Floats
    haze: Floats
    nuclear_dab: Floats
    body_dab: Floats
    crest: NDArray[np.float16]
    density: NDArray[np.float16]

    def pick(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> FieldCells:
        """The chosen cells."""
        return FieldCells(*(getattr(self, field.name)[keep] for field in fields(self)))


def join_fields(parts: list[FieldCells]) -> FieldCells:
    """The cells of at least one field, one after the other."""
    return FieldCells(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(FieldCells))
    )


def stain_maps(image: NDArray[np.uint8], white_point: Floats, vectors: StainVectors) -> tuple[Floats, Floats]:
    """Haematoxylin and DAB OD (H, W) of RGB (H, W, 3); what is neither goes to a third direction."""
    matrix = vectors.matrix.astype(np.float64)
    residual = np.cross(matrix[0], matrix[1])
    stack = np.stack([*matrix, residual / np.linalg.norm(residual)], axis=1)
    inverse = np.linalg.inv(stack)[:2].astype(np.float32)
    # The table of `optical_density`, looked up by OpenCV: a third of the time.
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    amounts = cv2.transform(cv2.LUT(image, optical_density(every, white_point)), inverse)
    return np.ascontiguousarray(amounts[..., 0]), np.ascontiguousarray(amounts[..., 1])


def _usual(responses: Floats) -> float:
    usual = float(np.percentile(responses, 90)) if len(responses) else 0.0
    return max(usual, _LEAST_USUAL)


def _nuclear_stain(hematoxylin: Floats, dab: Floats, marker: Marker) -> Floats:
    if marker == "HER2":
        # Brown membranes leak into the haematoxylin channel; a little of them taken off sets nuclei apart.
        stain = hematoxylin - np.float32(0.3) * np.maximum(dab, 0)
        return np.asarray(np.maximum(stain, np.float32(-0.02)), np.float32)
    return np.asarray(np.maximum(hematoxylin, 0) + np.maximum(dab, 0), np.float32)


def measure_field(
    image: NDArray[np.uint8], mpp: float, scale: StainScale, marker: Marker, core: tuple[int, int, int, int]
) -> FieldCells:
    """The cells whose peak lies in the core of a field.

    Args:
        image: (H, W, 3) RGB.
        mpp: um/px.
        scale: The slide's.
        marker: Decides what makes a nucleus, and whether membranes are looked for.
        core: Left, top, right, bottom, pixels: multiples of `seed_factor(mpp)`. Cells outside belong to
            other fields but keep this field's cells from growing into them.
    """
    hematoxylin, dab = stain_maps(image, scale.white_point, scale.vectors)
    least = max(_LEAST_OD, _LEAST * scale.contrast)
    nuclei = find_nuclei(_nuclear_stain(hematoxylin, dab, marker), mpp, least)
    diameter, elongation = shape_of(nuclei.radii)
    around = np.concatenate([ray_directions()[::2] * np.float32(radius) for radius in (6.0, 8.0)])
    smooth = blurred(hematoxylin, 1.0, mpp)
    haze = np.zeros(0, np.float32)
    if len(nuclei):
        haze = np.partition(sample(smooth, nuclei.xy[:, None] + around, mpp), 11, axis=1)[:, 11]
    if marker == "HER2":
        rays = membrane_rays(dab, nuclei.xy, nuclei.radii, mpp)
        crest, density = rays.crest.astype(np.float16), rays.density.astype(np.float16)
        body, nucleus = rays.body, rays.nucleus
    else:
        crest = density = np.zeros((len(nuclei), 0), np.float16)
        inside = nuclei.xy[:, None] + (nuclei.radii * np.float32(0.6))[..., None] * ray_directions()
        half = nuclei.xy[:, None] + (nuclei.radii * np.float32(0.3))[..., None] * ray_directions()
        nucleus = ((sample(dab, inside, mpp) + sample(dab, half, mpp)) / 2).mean(axis=1)
        outside = nuclei.xy[:, None] + (nuclei.radii + np.float32(2.0))[..., None] * ray_directions()
        body = np.median(sample(dab, outside, mpp), axis=1) if len(nuclei) else np.zeros(0, np.float32)
    found = FieldCells(
        nuclei.xy.astype(np.float64), nuclei.seed, diameter, elongation,
        nuclei.level / np.float32(scale.contrast),
        haze / np.float32(scale.counterstain), nucleus, np.asarray(body, np.float32), crest, density,
    )  # fmt: skip
    left, top, right, bottom = (value // seed_factor(mpp) for value in core)
    column, row = nuclei.seed.T
    return found.pick((column >= left) & (column < right) & (row >= top) & (row < bottom))
