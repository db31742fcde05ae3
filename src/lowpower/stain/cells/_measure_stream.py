"""Measuring a whole slide field by field: bounded memory, and no cell depends on where fields meet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.graphs import Precision
from lowpower.slides import Slide
from lowpower.stain.cells._cell_maps import GRID, STRIDE
from lowpower.stain.cells._cell_runtime import give_back
from lowpower.stain.cells._measure_field import FieldCells, Marker, StainScale, join_fields, measure_field
from lowpower.stain.cells._nuclei_colour import with_nuclear_hematoxylin
from lowpower.stain.vectors import estimate_stains, optical_density
from lowpower.tissue import Tissue
from lowpower.units import Box, Mpp

__all__ = [
    "COARSEST_MPP",
    "HALO_UM",
    "SHORT_HALO_UM",
    "Field",
    "FieldReader",
    "Progress",
    "cells_of",
    "in_mask",
    "in_reading_order",
    "sample_fields",
    "scale_of",
    "working_factor",
]

COARSEST_MPP = 1.0
"""Coarser than this no cell is measured."""
_FINE_ENOUGH = 0.625
"""Base pixels are averaged by the largest whole factor that stays finer than this, um/px: about 0.5."""
HALO_UM, SHORT_HALO_UM = 48.0, 24.0
"""How far a field looks beyond its core: further than any ray, neighbour or the network reaches. What is
beyond moves a map by less than 1e-5, no more than rounding does. Half as far, at most one cell in 400 has
another grade, in seven tenths of the time where fields are 192 um."""
_USUAL_MPP = 0.5
_TOGETHER = 4
_SAMPLE_UM = 200.0
_SAMPLES = 12

Progress = Callable[[int, int], None]
_Span = tuple[slice, slice]


def working_factor(mpp: float) -> int:
    """How many base pixels are averaged on each side: a whole number, so that all fields share one grid."""
    return max(1, int(_FINE_ENOUGH / mpp))


def in_mask(
    tissue: Tissue, size: tuple[int, int], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points, base pixels of a slide of `size`, lie on tissue: `x` and `y` of shapes that broadcast."""
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


def scale_of(slide: Slide, tissue: Tissue, marker: Marker = "HER2") -> StainScale:
    """The slide's stain vectors, contrast and optics, from fields spread over its tissue."""
    images, mpp = sample_fields(slide, tissue), slide.mpp * working_factor(slide.mpp)
    density = np.concatenate([optical_density(image, tissue.white_point).reshape(-1, 3) for image in images])
    vectors = estimate_stains(density)
    vectors = with_nuclear_hematoxylin(vectors, images, tissue.white_point, mpp)
    return StainScale.of(images, tissue.white_point, vectors, mpp, marker)


@dataclass(frozen=True, slots=True)
class Field:
    """A square of the tissue.

    Attributes:
        core: What is its own, base pixels.
        box: What is read for it, base pixels.
        inner: Left, top, right, bottom of the core in the pixels read.
    """

    core: Box
    box: Box
    inner: tuple[int, int, int, int]


def _seen(tissue: Tissue, size: tuple[int, int], left: int, top: int, step: int) -> _Span:
    """Rows and columns of the mask that a square of the slide lies on."""
    rows, columns = tissue.mask.shape
    x0, x1 = int(left * columns / size[0]), -int(-(left + step) * columns // size[0])
    y0, y1 = int(top * rows / size[1]), -int(-(top + step) * rows // size[1])
    return slice(max(0, y0), y1 + 1), slice(max(0, x0), x1 + 1)


def _trimmed(core: Box, seen: _Span, tissue: Tissue, size: tuple[int, int], unit: int) -> Box:
    """The part of a field that holds its tissue, in whole units of base pixels."""
    part = tissue.mask[seen]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    tall, wide = size[1] / tissue.mask.shape[0], size[0] / tissue.mask.shape[1]
    top, bottom = (seen[0].start + rows[0]) * tall, (seen[0].start + rows[-1] + 1) * tall
    left, right = (seen[1].start + columns[0]) * wide, (seen[1].start + columns[-1] + 1) * wide
    x0, y0 = (max(0, int((low - first) // unit)) for low, first in ((left, core.x), (top, core.y)))
    x1 = min(core.width // unit, int(-(-(right - core.x) // unit)))
    y1 = min(core.height // unit, int(-(-(bottom - core.y) // unit)))
    # Tissue may touch the field only where the mask's pixels reach over its edge.
    x0, y0 = min(x0, core.width // unit - 1), min(y0, core.height // unit - 1)
    return Box(core.x + x0 * unit, core.y + y0 * unit, max(1, x1 - x0) * unit, max(1, y1 - y0) * unit)


class FieldReader:
    """Reads the cells of a slide field by field, on one scale; no cell depends on where fields meet.

    Args:
        slide: An open slide.
        tissue: Where to look.
        scale: The slide's scale.
        marker: Decides what is measured of each cell.
        precision: Which runtime runs the network.
        halo_um: How far fields look beyond their core; below `HALO_UM` cells differ a little.
    """

    def __init__(
        self,
        slide: Slide,
        tissue: Tissue,
        scale: StainScale,
        marker: Marker,
        precision: Precision = "exact",
        halo_um: float = HALO_UM,
    ) -> None:
        self._slide, self._tissue, self._scale, self._marker = slide, tissue, scale, marker
        self._precision: Precision = precision
        self._factor = working_factor(slide.mpp)
        self._halo_um = halo_um
        self.mpp = Mpp(slide.mpp * self._factor)

    def fields(self, tile: int, *, trimmed: bool = False) -> list[Field]:
        """The fields that hold tissue, in reading order.

        Args:
            tile: Side of their cores, working pixels.
            trimmed: Leave out what of a field lies beyond its tissue.
        """
        tissue, factor = self._tissue, self._factor
        tile = max(STRIDE, tile // STRIDE * STRIDE)
        unit, step = STRIDE * factor, tile * factor
        fields = []
        for top in range(tissue.box.y // step * step, tissue.box.bottom, step):
            for left in range(tissue.box.x // step * step, tissue.box.right, step):
                seen = _seen(tissue, self._slide.size, left, top, step)
                if not tissue.mask[seen].any():
                    continue
                # The last field of a row or column ends where the tissue does.
                width = min(step, -(-(tissue.box.right - left) // unit) * unit)
                height = min(step, -(-(tissue.box.bottom - top) // unit) * unit)
                core = Box(left, top, width, height)
                if trimmed:
                    core = _trimmed(core, seen, tissue, self._slide.size, unit)
                fields.append(self._around(core))
        return fields

    def trimmed(self, field: Field, tile: int) -> Field:
        """A field without what lies beyond its tissue, as `fields` of the same `tile` leaves it out."""
        core, step = field.core, max(STRIDE, tile // STRIDE * STRIDE) * self._factor
        seen = _seen(self._tissue, self._slide.size, core.x, core.y, step)
        return self._around(_trimmed(core, seen, self._tissue, self._slide.size, STRIDE * self._factor))

    def _around(self, core: Box) -> Field:
        factor = self._factor
        # Coarse images need as many pixels as 0.5 um/px does: the network reaches so far in pixels.
        halo = -(-int(self._halo_um / min(self.mpp, _USUAL_MPP)) // STRIDE) * STRIDE
        inner = (halo, halo, halo + core.width // factor, halo + core.height // factor)
        return Field(core, core.padded(halo * factor), inner)

    def read(self, fields: Sequence[Field], workers: int) -> Generator[FieldCells, None, None]:
        """The cells of each field, in the fields' order, `xy` in microns from the slide's corner."""
        return _in_order(self._one, fields, workers)

    def rest(self) -> None:
        """Give back what reading took; reading on is possible."""
        give_back(self._precision)

    def none(self) -> FieldCells:
        """No cells."""
        glass = np.full((64, 64, 3), 255, np.uint8)
        return measure_field(glass, self.mpp, self._scale, self._marker, (0, 0, 0, 0))

    def _one(self, field: Field) -> FieldCells:
        slide = self._slide
        image = slide.read(field.box, self.mpp)
        found = measure_field(image, self.mpp, self._scale, self._marker, field.inner, self._precision)
        corner = np.array([field.box.x, field.box.y])
        found = replace(
            found, xy=found.xy + corner * slide.mpp, seed=found.seed + corner // (self._factor * GRID)
        )
        return found.pick(in_mask(self._tissue, slide.size, *(found.xy / slide.mpp).T))


def cells_of(
    slide: Slide,
    tissue: Tissue,
    scale: StainScale,
    marker: Marker,
    *,
    tile: int = 832,
    workers: int = 1,
    progress: Progress | None = None,
    precision: Precision = "exact",
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
        precision: Which runtime runs the network.
    """
    reader = FieldReader(slide, tissue, scale, marker, precision)
    # Down in columns of a few fields: what overlaps is met again while its tiles are still decoded.
    wide = _TOGETHER * max(STRIDE, tile) * working_factor(slide.mpp)
    fields = sorted(
        reader.fields(tile, trimmed=True), key=lambda one: (one.core.x // wide, one.core.y, one.core.x)
    )
    parts = [reader.none()]
    for done, part in enumerate(reader.read(fields, workers), start=1):
        parts.append(part)
        if progress is not None:
            progress(done, len(fields))
    reader.rest()
    cells = join_fields(parts)
    del parts
    return cells.pick(in_reading_order(cells)), reader.mpp


def in_reading_order(cells: FieldCells) -> NDArray[np.intp]:
    """(N,) the cells' order on the slide, whatever field they were found in."""
    return np.lexsort(cells.seed.T)


def _in_order(
    one: Callable[[Field], FieldCells], fields: Sequence[Field], workers: int
) -> Generator[FieldCells, None, None]:
    threads = cv2.getNumThreads()
    # Fields are worked on side by side; splitting each one again would only get in the way.
    cv2.setNumThreads(1)
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
