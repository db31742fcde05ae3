"""Simulated fields with their truth, and what training sees of them: see `build_cell_network.py`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cell_stains import restained
from numpy.typing import NDArray

import lowpower.simulate
from lowpower.simulate import CohortSpec, Field, SlideSpec, cohort_members, field_around, plan_slide
from lowpower.stain import (
    FADE_OD,
    GRID,
    STRIDE,
    blob_contrasts,
    network_input,
    optical_density,
    usual_contrast,
    working_factor,
)

__all__ = ["COHORTS", "SIDE", "Example", "TrainingField", "cache_key", "draw_example", "fields_of_slide"]

COHORTS = (
    {"marker": "HER2", "seed": 70601, "patients": 80, "mpp": (0.25, 0.5)},
    {"marker": "HER2", "seed": 70701, "patients": 60, "mpp": (0.3, 0.62)},
    {"marker": "HER2", "seed": 70801, "patients": 100, "mpp": (0.24, 0.5)},
    {"marker": "ER", "seed": 70101, "patients": 40, "mpp": (0.25, 0.5)},
    {"marker": "ER", "seed": 70901, "patients": 40, "mpp": (0.4, 0.9)},
    {"marker": "PR", "seed": 70401, "patients": 40, "mpp": (0.3, 0.6)},
    {"marker": "Ki-67", "seed": 70301, "patients": 80, "mpp": (0.24, 0.5)},
)
"""One laboratory and one scanner a slide; no benchmark or test draws from these seeds."""
FIELDS_PER_SLIDE = 4
FIELD_UM = 256.0
SIDE = 192
"""Working pixels a side of what training sees at once."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingField:
    """A field at working resolution.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mpp: um/px.
        white: (3,) RGB of the glass.
        stains: (2, 3) the laboratory's haematoxylin and DAB.
        nuclear: Whether a nuclear marker was stained.
        xy: (N, 2) centres of nuclei, microns.
        tumour: (N,) bool.
        nuclei: (H / 2, W / 2) uint8 share of the pixel that is nucleus, 255 = all.
        membrane: (H / 2, W / 2) float16 OD of the DAB on membranes.
    """

    image: NDArray[np.uint8]
    mpp: float
    white: Floats
    stains: NDArray[np.float64]
    nuclear: bool
    xy: Floats
    tumour: NDArray[np.bool_]
    nuclei: NDArray[np.uint8]
    membrane: NDArray[np.float16]


def cache_key() -> str:
    """A name that changes with the simulator and with what is asked of it."""
    digest = hashlib.sha256(json.dumps([COHORTS, FIELDS_PER_SLIDE, FIELD_UM]).encode())
    for path in sorted(Path(lowpower.simulate.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def fields_of_slide(cohort: dict[str, object], number: int) -> list[TrainingField]:
    """The fields of one slide of a cohort: three around a tumour or normal cell, one around any cell."""
    count, seed = int(str(cohort["patients"])), int(str(cohort["seed"]))
    spec = CohortSpec(
        name="cells-simulated", second_slide=0, sites=count, site_seed=seed + 1, scanners=count,
        scanner_seed=seed + 2, controls=0, artefacts=0, **cohort,
    )  # type: ignore[arg-type]  # fmt: skip
    slide = cohort_members(spec)[number].spec
    plan = plan_slide(slide)
    rng = np.random.default_rng([seed, number])
    unit = STRIDE * working_factor(slide.scanner.mpp)
    fields = []
    for index in range(FIELDS_PER_SLIDE):
        piece = int(rng.integers(len(plan.pieces)))
        cells = plan.pieces[piece].cells
        wanted = np.flatnonzero(cells.kind <= 1) if index % 4 != 3 else np.arange(len(cells))
        if len(wanted) == 0:
            continue
        field = field_around(slide, plan, piece, int(rng.choice(wanted)), FIELD_UM, unit)
        fields.append(_at_working_resolution(slide, field))
    return fields


def _at_working_resolution(slide: SlideSpec, field: Field) -> TrainingField:
    mpp, factor = slide.scanner.mpp, working_factor(slide.scanner.mpp)
    side = field.image.shape[0] // factor
    half = (side // GRID, side // GRID)
    nuclei = cv2.resize((field.nuclei > 0.15).astype(np.float32), half, interpolation=cv2.INTER_AREA)
    return TrainingField(
        cv2.resize(field.image, (side, side), interpolation=cv2.INTER_AREA),
        mpp * factor,
        np.asarray(slide.scanner.white, np.float32),
        np.array([slide.laboratory.hematoxylin, slide.laboratory.dab]),
        slide.marker != "HER2",
        field.xy,
        field.tumour_like,
        (255 * nuclei).astype(np.uint8),
        cv2.resize(field.membrane, half, interpolation=cv2.INTER_AREA).astype(np.float16),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """What one step of training sees of one field.

    Attributes:
        stains: (3, SIDE, SIDE) as `network_input` gives them.
        maps: (4, SIDE / 2, SIDE / 2) what the network should draw.
        known: (SIDE / 2, SIDE / 2) 1 where the field reaches, else 0.
    """

    stains: Floats
    maps: Floats
    known: Floats


def draw_example(field: TrainingField, rng: np.random.Generator, settling: bool = False) -> Example:
    """A crop of a field, stained, scaled, blurred and turned at random; less so while `settling`."""
    # Real nuclei come larger than simulated ones: fields are enlarged further than they are reduced.
    scale = float(np.exp(rng.uniform(-0.5, 0.25)))
    if not 0.25 < field.mpp * scale < 1.05:
        scale = 1.0
    height = field.image.shape[0]
    need = min(height, (int(SIDE * scale) + 3) // GRID * GRID)
    side = min(SIDE, int(need / scale) // GRID * GRID)
    top, left = (rng.integers(0, (height - need) // GRID + 1, 2) * GRID).tolist()
    inside = (slice(top, top + need), slice(left, left + need))
    coarse = (slice(top // GRID, (top + need) // GRID), slice(left // GRID, (left + need) // GRID))
    resampling = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    image, white, vectors, made = field.image[inside], field.white, field.stains, 1.0
    if rng.random() < (0.5 if settling else 0.8):
        other = restained(image, white, vectors, field.nuclear, rng)
        image, white, vectors, made = other.image, other.white, other.vectors, other.gain
    stains = cv2.transform(
        optical_density(image, white), _unmixing(vectors, 0.025 if settling else 0.04, rng)
    )
    stains = cv2.resize(stains, (side, side), interpolation=resampling)
    hematoxylin, dab, gain = _disturbed(stains[..., 0], stains[..., 1], field.mpp * scale, rng)
    gain *= made
    seen = np.zeros((3, SIDE, SIDE), np.float32)
    seen[:, :side, :side] = network_input(hematoxylin, dab, 1 / 3)
    maps = np.zeros((4, SIDE // GRID, SIDE // GRID), np.float32)
    half = side // GRID
    pixels = (field.xy / field.mpp - (left, top)) / scale / GRID
    _draw_centres(maps[:2], pixels, field.tumour, max(0.9, 1.3 / (field.mpp * scale * GRID)))
    for channel, layer in ((2, field.nuclei / np.float32(255)), (3, field.membrane.astype(np.float32))):
        maps[channel, :half, :half] = cv2.resize(layer[coarse], (half, half), interpolation=resampling)
    maps[3] = 1 - np.exp(-maps[3] * gain / FADE_OD)
    known = np.zeros(maps.shape[1:], np.float32)
    known[:half, :half] = 1
    turns, mirrored = int(rng.integers(4)), bool(rng.random() < 0.5)
    return Example(*(_turned(each, turns, mirrored) for each in (seen, maps, known)))


def _unmixing(stains: NDArray[np.float64], wrong: float, rng: np.random.Generator) -> Floats:
    """(2, 3) from OD to haematoxylin and DAB by vectors as wrong as a slide's estimate may be."""
    vectors = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    vectors = np.abs(vectors + rng.normal(0, wrong, vectors.shape))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    residual = np.cross(vectors[0], vectors[1])
    stack = np.stack([*vectors, residual / np.linalg.norm(residual)], axis=1)
    return np.asarray(np.linalg.inv(stack)[:2], np.float32)


def _disturbed(
    hematoxylin: Floats, dab: Floats, mpp: float, rng: np.random.Generator
) -> tuple[Floats, Floats, float]:
    """Haematoxylin in units of a third of the contrast, DAB, and the gain DAB was given."""
    side = hematoxylin.shape[0]

    def noise(size: int, sigma: float) -> Floats:
        grain = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), sigma)
        return np.asarray(grain / grain.std(), np.float32)

    if rng.random() < 0.6:
        sigma = rng.uniform(0.3, 1.0)
        hematoxylin, dab = (cv2.GaussianBlur(one, (0, 0), sigma) for one in (hematoxylin, dab))
    elif rng.random() < 0.3:
        hematoxylin = hematoxylin + 0.7 * (hematoxylin - cv2.GaussianBlur(hematoxylin, (0, 0), 1.2))
    contrast = usual_contrast(blob_contrasts(hematoxylin, dab, mpp))
    # Near-black nuclei set the usual contrast of some slides, far above what the pale ones beside them show.
    hematoxylin = hematoxylin * np.float32(np.exp(rng.uniform(-1.2, 0.6)) / (3 * contrast))
    gain = float(np.exp(rng.normal(0, 0.2)))
    dab = dab * np.float32(gain)
    hematoxylin = hematoxylin + noise(side, rng.uniform(0.5, 4)) * np.float32(rng.uniform(0, 0.10))
    hematoxylin += np.float32(rng.normal(0, 0.06))
    coarse = rng.normal(0, 0.15, (4, 4)).astype(np.float32)
    uneven = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    dab = dab + np.float32(rng.normal(0, 0.015)) + noise(side, 0.7) * np.float32(rng.uniform(0, 0.01))
    return np.asarray(hematoxylin * np.exp(uneven), np.float32), np.asarray(dab, np.float32), gain


def _draw_centres(maps: Floats, pixels: Floats, tumour: NDArray[np.bool_], sigma: float) -> None:
    """A Gaussian of height 1 at each centre, tumour nuclei on the first map and others on the second."""
    side, reach = maps.shape[1], int(3 * sigma) + 1
    for (x, y), is_tumour in zip(pixels.tolist(), tumour.tolist(), strict=True):
        columns = np.arange(max(0, int(x) - reach), min(side, int(x) + reach + 1))
        rows = np.arange(max(0, int(y) - reach), min(side, int(y) + reach + 1))
        if len(rows) == 0 or len(columns) == 0:
            continue
        square = (rows[:, None] + 0.5 - y) ** 2 + (columns[None] + 0.5 - x) ** 2
        target = maps[0 if is_tumour else 1, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.maximum(target, np.exp(-square / (2 * sigma**2)), out=target)


def _turned(image: Floats, turns: int, mirrored: bool) -> Floats:
    turned = np.rot90(image, turns, (-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if mirrored else turned, np.float32)
