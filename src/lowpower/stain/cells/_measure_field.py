"""From the pixels of one field to its cells, on one scale for the whole slide."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.graphs import Precision
from lowpower.stain.cells._blobs import peaks_of
from lowpower.stain.cells._cell_maps import GRID, cell_maps
from lowpower.stain.cells._counted_cells import shape_of
from lowpower.stain.cells._membrane import membrane_rays
from lowpower.stain.cells._nuclei import find_nuclei
from lowpower.stain.cells._nuclei_rays import Floats, on_rays
from lowpower.stain.cells._rendering import edge_of, rendering_features, rendering_of
from lowpower.stain.cells._sharpening import point_spread, sharpened
from lowpower.stain.vectors import StainVectors, mean_density, optical_density

__all__ = ["FieldCells", "Marker", "StainScale", "join_fields", "measure_field", "stain_maps"]

Marker = Literal["HER2", "ER", "PR", "Ki-67"]

_FAINTEST_RESPONSE = 0.012
_LEAST_USUAL = 0.03
_LEAKING = 0.3
_EVERY = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
_STRIP = 32


@dataclass(frozen=True, slots=True, eq=False)
class StainScale:
    """What makes one slide's numbers comparable with another's.

    Attributes:
        white_point: (3,) RGB of the glass.
        vectors: The slide's stain vectors.
        contrast: The slide's usual nuclear contrast, OD: the 90th percentile of its blobs' responses.
        rendering: What the slide's optics show of a thin line's OD, over what the usual slide's show.
        edge_um: Over how many microns nuclear edges rise from 10 to 90 %; None where that is not known.
        undone_um: Standard deviation of the point spread that is undone before anything is read, microns.
    """

    white_point: Floats
    vectors: StainVectors
    contrast: float
    rendering: float = 1.0
    edge_um: float | None = None
    undone_um: float = 0.0

    @classmethod
    def of(
        cls,
        images: list[NDArray[np.uint8]],
        white_point: Floats,
        vectors: StainVectors,
        mpp: float,
        marker: Marker = "HER2",
    ) -> StainScale:
        """The scale of a slide, from sample fields of it; blur is undone for membranes alone."""
        maps = [stain_maps(image, white_point, vectors) for image in images]
        density = [mean_density(optical_density(image, white_point)) for image in images]
        contrast, optics = _contrast_and_optics(maps, density, mpp)
        edge = edge_of(optics)
        undone = point_spread(edge) if marker == "HER2" else 0.0
        if undone:
            maps = [(sharpened(blue, undone, mpp), sharpened(brown, undone, mpp)) for blue, brown in maps]
            density = [sharpened(one, undone, mpp) for one in density]
            contrast, optics = _contrast_and_optics(maps, density, mpp)
        return cls(white_point, vectors, contrast, rendering_of(optics), edge, undone)


def _contrast_and_optics(
    maps: list[tuple[Floats, Floats]], density: list[Floats], mpp: float
) -> tuple[float, NDArray[np.float64] | None]:
    """The usual nuclear contrast of sample fields (both stains, mean OD), and `rendering_features`."""
    found = [np.zeros(0, np.float32), *(blob_contrasts(*one, mpp) for one in maps)]
    contrast = usual_contrast(np.concatenate(found))
    fields = [(blue, mean) for (blue, _), mean in zip(maps, density, strict=True)]
    return contrast, rendering_features(fields, contrast, mpp)


def blob_contrasts(hematoxylin: Floats, dab: Floats, mpp: float) -> Floats:
    """Response of each blob of haematoxylin in a field, OD.

    Brown membranes leak into the haematoxylin channel; a little of them taken off sets nuclei apart.
    """
    stain = np.maximum(hematoxylin - np.float32(_LEAKING) * np.maximum(dab, 0), np.float32(-0.02))
    return peaks_of(np.asarray(stain, np.float32), mpp, _FAINTEST_RESPONSE).response


def usual_contrast(responses: Floats) -> float:
    """What the darker nuclei of a slide show, OD, whatever few there are."""
    return max(float(np.percentile(responses, 90)) if len(responses) else 0.0, _LEAST_USUAL)


@dataclass(frozen=True, slots=True, eq=False)
class FieldCells:
    """N cells of one field: columns of `Cells` before anything is decided slide-wide.

    Attributes:
        xy: (N, 2) centres, microns from the field's corner.
        seed: (N, 2) int64 column and row of each cell's peak on the grid of the network's maps: exact.
        tumour: (N,) how much of the network's centre maps is tumour, 0..1.
        diameter: (N,) microns.
        elongation: (N,).
        darkness: (N,) relative to the slide's contrast.
        nuclear_dab: (N,) DAB OD.
        body_dab: (N,) DAB OD.
        seen: (N, RAYS) float16 membrane map on each ray, 0..1; (N, 0) for nuclear markers.
        density: (N, RAYS) float16 DAB OD there; (N, 0) for nuclear markers.
    """

    xy: NDArray[np.float64]
    seed: NDArray[np.int64]
    tumour: Floats
    diameter: Floats
    elongation: Floats
    darkness: Floats
    nuclear_dab: Floats
    body_dab: Floats
    seen: NDArray[np.float16]
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
    tables = optical_density(_EVERY, white_point)
    height, width = image.shape[:2]
    amounts = np.empty((2, height, width), np.float32)
    # In strips that stay in the processor's cache: a little over half the time.
    density, both = (np.empty((_STRIP, width, channels), np.float32) for channels in (3, 2))
    for top in range(0, height, _STRIP):
        rows = slice(top, min(top + _STRIP, height))
        tall = rows.stop - top
        cv2.LUT(image[rows], tables, dst=density[:tall])
        cv2.transform(density[:tall], inverse, dst=both[:tall])
        cv2.split(both[:tall], [amounts[0, rows], amounts[1, rows]])
    return amounts[0], amounts[1]


def measure_field(
    image: NDArray[np.uint8], mpp: float, scale: StainScale, marker: Marker, core: tuple[int, int, int, int],
    precision: Precision = "exact",
) -> FieldCells:  # fmt: skip
    """The cells whose peak lies in the core of a field.

    Args:
        image: (H, W, 3) RGB.
        mpp: um/px.
        scale: The slide's.
        marker: Decides whether membranes are looked for.
        core: Left, top, right, bottom, pixels: multiples of `GRID`. Cells outside belong to other fields but
            keep this field's cells from growing into them.
        precision: Which runtime runs the network.
    """
    hematoxylin, dab = (
        sharpened(one, scale.undone_um, mpp) for one in stain_maps(image, scale.white_point, scale.vectors)
    )
    maps = cell_maps(hematoxylin, dab, scale.contrast, precision)
    nuclei = find_nuclei(maps, GRID * mpp)
    left, top, right, bottom = (value // GRID for value in core)
    column, row = nuclei.seed.T
    own = (column >= left) & (column < right) & (row >= top) & (row < bottom)
    xy, radii = nuclei.xy[own], nuclei.radii[own]
    diameter, elongation = shape_of(radii)
    darkness = on_rays(hematoxylin, xy, radii * np.float32(0.5), mpp).mean(axis=1)
    if marker == "HER2":
        rays = membrane_rays(dab, maps.membrane, nuclei.xy, nuclei.radii, mpp, GRID * mpp, own)
        seen, density = rays.seen.astype(np.float16), rays.density.astype(np.float16)
        body, nucleus = rays.body, rays.nucleus
    else:
        seen = density = np.zeros((len(xy), 0), np.float16)
        inner, outer = (on_rays(dab, xy, radii * np.float32(part), mpp) for part in (0.3, 0.6))
        nucleus = ((inner + outer) / 2).mean(axis=1)
        outside = on_rays(dab, xy, radii + np.float32(2.0), mpp)
        body = np.median(outside, axis=1) if len(xy) else np.zeros(0, np.float32)
    return FieldCells(
        xy.astype(np.float64), nuclei.seed[own], nuclei.tumour[own], diameter, elongation,
        darkness / np.float32(scale.contrast), nucleus, np.asarray(body, np.float32), seen, density,
    )  # fmt: skip
