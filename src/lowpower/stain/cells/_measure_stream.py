"""Measuring a whole slide field by field: bounded memory, and no cell depends on where fields meet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.slides import Slide
from lowpower.stain.cells._cell_maps import GRID, STRIDE
from lowpower.stain.cells._measure_field import FieldCells, Marker, StainScale, join_fields, measure_field
from lowpower.stain.cells._nuclei_colour import with_nuclear_hematoxylin
from lowpower.stain.vectors import estimate_stains, optical_density
from lowpower.tissue import Tissue
from lowpower.units import Box, Mpp

__all__ = [
    "COARSEST_MPP",
    "Progress",
    "cells_of",
    "in_mask",
    "sample_fields",
    "scale_of",
    "working_factor",
]

COARSEST_MPP = 1.0
"""Coarser than this no cell is measured."""
_FINE_ENOUGH = 0.625
"""Base pixels are averaged by the largest whole factor that stays finer than this, um/px: about 0.5."""
_HALO_UM, _HALO_PX = 60.0, 128
"""How far a field looks beyond its core: further than any ray, neighbour or the network reaches."""
_SAMPLE_UM = 200.0
_SAMPLES = 12

Progress = Callable[[int, int], None]


def working_factor(mpp: float) -> int:
    """How many base pixels are averaged on each side: a whole number, so that all fields share one grid."""
    return max(1, int(_FINE_ENOUGH / mpp))


def in_mask(
    tissue: Tissue, size: tuple[int, int], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points (N,), base pixels of a slide of `size`, lie on tissue."""
    rows, columns = tissue.mask.shape
    column = np.clip((x * columns / size[0]).astype(np.int64), 0, columns - 1)
    row = np.clip((y * rows / size[1]).astype(np.int64), 0, rows - 1)
    return np.asarray(tissue.mask[row, column], np.bool_)


def sample_fields(slide: Slide, tissue: Tissue) -> list[NDArray[np.uint8]]:
    """Up to twelve fields spread over the tissue, RGB at the um/px that cells are measured at."""
    factor = working_factor(slide.mpp)
    side = max(factor, int(_SAMPLE_UM / slide.mpp) // factor * factor)
    rows, columns = np.nonzero(tissue.mask)
    rng = np.random.default_rng(0)
    across, down = slide.size[0] / tissue.mask.shape[1], slide.size[1] / tissue.mask.shape[0]
    # One field drawn from each twelfth of the tissue, in reading order: spread out, the same every time.
    chosen = [int(rng.choice(part)) for part in np.array_split(np.arange(len(rows)), _SAMPLES) if len(part)]
    images = []
    for index in chosen:
        x = int((columns[index] + 0.5) * across - side / 2) // factor * factor
        y = int((rows[index] + 0.5) * down - side / 2) // factor * factor
        images.append(slide.read(Box(x, y, side, side), slide.mpp * factor))
    return images


def scale_of(slide: Slide, tissue: Tissue) -> StainScale:
    """The slide's stain vectors, contrast and rendering, from fields spread over its tissue."""
    images, mpp = sample_fields(slide, tissue), slide.mpp * working_factor(slide.mpp)
    density = np.concatenate([optical_density(image, tissue.white_point).reshape(-1, 3) for image in images])
    vectors = estimate_stains(density)
    vectors = with_nuclear_hematoxylin(vectors, images, tissue.white_point, mpp)
    return StainScale.of(images, tissue.white_point, vectors, mpp)


@dataclass(frozen=True, slots=True)
class _Field:
    box: Box
    core: tuple[int, int, int, int]


def _fields(slide: Slide, tissue: Tissue, mpp: float, factor: int, tile: int) -> list[_Field]:
    tile = max(STRIDE, tile // STRIDE * STRIDE)
    halo = -(-max(int(_HALO_UM / mpp), _HALO_PX) // STRIDE) * STRIDE
    unit, step = STRIDE * factor, tile * factor
    fields = []
    for top in range(tissue.box.y // step * step, tissue.box.bottom, step):
        for left in range(tissue.box.x // step * step, tissue.box.right, step):
            if not _any_tissue(tissue, slide.size, left, top, step):
                continue
            # The last field of a row or column ends where the tissue does.
            width = min(step, -(-(tissue.box.right - left) // unit) * unit)
            height = min(step, -(-(tissue.box.bottom - top) // unit) * unit)
            box = Box(left, top, width, height).padded(halo * factor)
            core = (halo, halo, halo + width // factor, halo + height // factor)
            fields.append(_Field(box, core))
    return fields


def _any_tissue(tissue: Tissue, size: tuple[int, int], left: int, top: int, step: int) -> bool:
    rows, columns = tissue.mask.shape
    x0, x1 = int(left * columns / size[0]), -int(-(left + step) * columns // size[0])
    y0, y1 = int(top * rows / size[1]), -int(-(top + step) * rows // size[1])
    return bool(tissue.mask[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1].any())


def cells_of(
    slide: Slide,
    tissue: Tissue,
    scale: StainScale,
    marker: Marker,
    *,
    tile: int = 1536,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[FieldCells, Mpp]:
    """All cells on the tissue, `xy` in microns from the slide's corner, in reading order; and the um/px used.

    Args:
        slide: An open slide.
        tissue: Where to look.
        scale: The slide's scale.
        marker: Decides what is measured of each cell.
        tile: Side of a field's core, working pixels; changes memory and speed, not results.
        workers: Threads.
        progress: Called with fields done and fields in all.
    """
    factor = working_factor(slide.mpp)
    mpp = slide.mpp * factor
    fields = _fields(slide, tissue, mpp, factor, tile)

    def one(field: _Field) -> FieldCells:
        image = slide.read(field.box, mpp)
        found = measure_field(image, mpp, scale, marker, field.core)
        corner = np.array([field.box.x, field.box.y])
        found = replace(found, xy=found.xy + corner * slide.mpp, seed=found.seed + corner // (factor * GRID))
        return found.pick(in_mask(tissue, slide.size, *(found.xy / slide.mpp).T))

    empty = measure_field(np.full((64, 64, 3), 255, np.uint8), mpp, scale, marker, (0, 0, 0, 0))
    parts = [empty]
    for done, part in enumerate(_in_order(one, fields, workers), start=1):
        parts.append(part)
        if progress is not None:
            progress(done, len(fields))
    cells = join_fields(parts)
    order = np.lexsort(cells.seed.T)
    return cells.pick(order), Mpp(mpp)


def _in_order(
    one: Callable[[_Field], FieldCells], fields: list[_Field], workers: int
) -> Iterator[FieldCells]:
    import torch  # measuring cells needs it anyway; the rest of this room does without

    threads, more_threads = cv2.getNumThreads(), torch.get_num_threads()
    # Fields are worked on side by side; splitting each one again would only get in the way. It would also
    # round the network's sums differently: one worker must give the same bytes as two.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        if workers <= 1:
            yield from map(one, fields)
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="lowpower-measure") as pool:
            waiting: deque[Future[FieldCells]] = deque()
            for field in fields:
                waiting.append(pool.submit(one, field))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        cv2.setNumThreads(threads)
        torch.set_num_threads(more_threads)
