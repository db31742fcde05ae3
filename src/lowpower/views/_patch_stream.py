"""Reading the patches of a grid: every stored tile decoded once, batches in a stream, memory bounded.

The plane at the grid's um/px is cut into chunks that coincide with the codec's tiles. A chunk is read once
and pasted into every patch it serves; a batch is given out when the last of its chunks is pasted. Columns
are worked through in bands of limited width, so that the batches waiting for their lower rows stay few
however wide the slide is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lowpower.slides.tiff import TileSource, open_tiles
from lowpower.units import Box
from lowpower.views._patch_memory import Recycled
from lowpower.views._patches import PatchGrid

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["PatchBatch", "read_patches"]

_TILE = 256  # what nearly every scanner writes; another size costs some tiles decoded twice, no more
_CHUNK_TILES = 8
_BAND = 8192
_PLANNED = 8192  # patches planned at once; where two plans meet, one row of tiles is decoded twice
_WAITING_BYTES = 8 << 20  # of patches whose lower rows are still to be read
_AHEAD = 128  # patches being read beyond the batch in hand
_FEW = 16  # patches of a chunk among which those of a piece are found without help


@dataclass(frozen=True, eq=False)
class PatchBatch:
    """Some patches of a grid.

    Attributes:
        images: (B, size, size, 3) uint8 RGB.
        index: (B,) int64, which patches of the grid they are.
    """

    images: NDArray[np.uint8]
    index: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Plan:
    """Chunks of one band in the order they are read, and whom each serves.

    Attributes:
        boxes: (M, 4) left, top, right, bottom of the part of each chunk that is needed.
        starts: (M + 1,) where each chunk's patches begin in `patches`.
        patches: Patches of the band that each chunk serves.
        first: (M,) first batch that needs the chunk.
        last: (number of batches,) last chunk that the batch waits for.
    """

    boxes: NDArray[np.int64]
    starts: NDArray[np.int64]
    patches: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def read_patches(slide: Slide, grid: PatchGrid, *, batch: int = 64, threads: int = 2) -> Iterator[PatchBatch]:
    """Stream the pixels of a grid's patches.

    Patches equal `slide.read(grid.box(i), grid.mpp)` where the um/px is a whole multiple of the slide's;
    otherwise they may lie up to one base pixel beside it. Which patches share a batch depends on the grid
    and `batch` alone, and every patch comes exactly once.

    Args:
        slide: The open slide that the grid was planned on.
        grid: Which patches.
        batch: Patches in a batch, at most.
        threads: Threads that read.

    Raises:
        ValueError: if `batch` or `threads` is below 1.
        DamagedSlideError: if pixels cannot be decoded.
    """
    if batch < 1 or threads < 1:
        raise ValueError(f"batch and threads must be at least 1, not {batch} and {threads}")
    return _stream(slide, grid, batch, threads)


def _stream(slide: Slide, grid: PatchGrid, batch: int, threads: int) -> Iterator[PatchBatch]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="lowpower-patches")
    tiles = open_tiles(slide, grid.mpp)
    memory = Recycled(batch * grid.size * grid.size * 3)
    try:
        chunk = _chunk_size(slide, grid.mpp) if tiles is None else (tiles.width * _CHUNK_TILES, tiles.height)
        width = _band_width(grid, chunk[1] if tiles is None else tiles.width)
        bands = grid.positions[:, 0] // width
        for band in np.unique(bands):
            members = np.flatnonzero(bands == band)
            for start in range(0, len(members), _PLANNED):
                some = members[start : start + _PLANNED]
                yield from _stream_band(slide, grid, some, chunk, batch, pool, tiles, memory)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if tiles is not None:
            tiles.close()


def _stream_band(
    slide: Slide,
    grid: PatchGrid,
    members: NDArray[np.int64],
    chunk: tuple[int, int],
    batch: int,
    pool: ThreadPoolExecutor,
    tiles: TileSource | None,
    memory: Recycled,
) -> Iterator[PatchBatch]:
    positions = grid.positions[members]
    unit = (chunk[1], chunk[1]) if tiles is None else (tiles.width, tiles.height)
    plan = _plan(positions, grid.size, chunk, unit, batch)
    buffers: dict[int, NDArray[np.uint8]] = {}
    futures: deque[Future[None]] = deque()

    def paste(index: int) -> None:
        patches = plan.patches[plan.starts[index] : plan.starts[index + 1]]
        corners = positions[patches]
        for piece in _pieces(plan.boxes[index].tolist(), tiles):
            left, top, right, bottom = piece
            some, places = patches, corners
            if len(patches) > _FEW:
                near = (corners > (left - grid.size, top - grid.size)) & (corners < (right, bottom))
                some, places = patches[near.all(1)], corners[near.all(1)]
            held, parts = None, []
            for patch, (x, y) in zip(some.tolist(), places.tolist(), strict=True):
                x0, x1 = max(x, left), min(x + grid.size, right)
                y0, y1 = max(y, top), min(y + grid.size, bottom)
                if x0 < x1 and y0 < y1:
                    view = buffers[patch // batch][patch % batch, y0 - y : y1 - y, x0 - x : x1 - x]
                    if held is None and (x0, y0, x1, y1) == piece:
                        held = view  # takes the piece first hand, the others have it from there
                    else:
                        parts.append((view, slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)))
            if held is not None or parts:
                pixels = _pixels(slide, grid.mpp, piece, tiles, held)
                if held is not None and pixels is not held:
                    held[:] = pixels
                for view, rows, columns in parts:
                    view[:] = pixels[rows, columns]

    ahead = max(2, math.ceil(_AHEAD / batch))
    submitted = done = 0
    for number, last in enumerate(plan.last.tolist()):
        while submitted < len(plan.first) and plan.first[submitted] <= number + ahead:
            served = plan.patches[plan.starts[submitted] : plan.starts[submitted + 1]] // batch
            for needed in np.unique(served).tolist():
                if needed not in buffers:
                    count = min(batch, len(members) - needed * batch)
                    buffers[needed] = memory.array((count, grid.size, grid.size, 3))
            futures.append(pool.submit(paste, submitted))
            submitted += 1
        while done <= last:
            futures.popleft().result()
            done += 1
        yield PatchBatch(buffers.pop(number), members[number * batch : (number + 1) * batch])


def _pieces(box: tuple[int, int, int, int], tiles: TileSource | None) -> Iterator[tuple[int, int, int, int]]:
    """The pieces in which a box of the plane is read: the whole, or tile by tile where that is possible."""
    left, top, right, bottom = box
    if tiles is None:
        yield box
        return
    for y in range(top, bottom, tiles.height):
        for x in range(left, right, tiles.width):
            yield x, y, x + tiles.width, y + tiles.height


def _pixels(
    slide: Slide,
    mpp: float,
    piece: tuple[int, int, int, int],
    tiles: TileSource | None,
    out: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    """Pixels of a piece, in `out` if that could be."""
    left, top, right, bottom = piece
    if tiles is not None:
        pixels = tiles.tile(left // tiles.width, top // tiles.height, out)
        if pixels is not None:
            return pixels
    factor = mpp / slide.mpp
    base = [round(length * factor) for length in (left, top, right - left, bottom - top)]
    return slide.read(Box(*base), mpp)


def _plan(
    positions: NDArray[np.int64], size: int, chunk: tuple[int, int], unit: tuple[int, int], batch: int
) -> _Plan:
    """Chunks of (width, height) `chunk`, cut to whole units of theirs, that `positions` (N, 2) need."""
    first_column, first_row = (positions // chunk).T
    last_column, last_row = ((positions + size - 1) // chunk).T
    pairs = []
    for down in range(int((last_row - first_row).max()) + 1):
        for across in range(int((last_column - first_column).max()) + 1):
            inside = np.flatnonzero((first_row + down <= last_row) & (first_column + across <= last_column))
            pairs.append(np.stack([first_row[inside] + down, first_column[inside] + across, inside]))
    row, column, patch = np.concatenate(pairs, axis=1)
    order = np.lexsort((patch, column, row))
    row, column, patch = row[order], column[order], patch[order]
    new = np.concatenate([[True], (np.diff(row) != 0) | (np.diff(column) != 0)])
    starts = np.flatnonzero(new)
    stops = np.append(starts[1:], len(row))
    origin = np.stack([column * chunk[0], row * chunk[1]], axis=1)
    begin = np.maximum(positions[patch], origin) - origin
    end = np.minimum(positions[patch] + size, origin + chunk) - origin
    begin = np.minimum.reduceat(begin // np.array(unit) * unit, starts)
    end = np.minimum(np.maximum.reduceat(-(-end // np.array(unit)) * unit, starts), chunk)
    boxes = np.concatenate([origin[starts] + begin, origin[starts] + end], axis=1)
    first = np.minimum.reduceat(patch // batch, starts)
    # In order of need: what the batch in hand waits for is always submitted before what later ones do.
    turn = np.argsort(first, kind="stable")
    last = np.zeros(-(-len(positions) // batch), np.int64)
    counts = (stops - starts)[turn]
    served = np.concatenate([patch[starts[i] : stops[i]] for i in turn])
    np.maximum.at(last, served // batch, np.repeat(np.arange(len(turn)), counts))
    return _Plan(boxes[turn], np.concatenate([[0], np.cumsum(counts)]), served, first[turn], last)


def _band_width(grid: PatchGrid, unit: int) -> int:
    """Width of a band in pixels, whole units, narrow enough that unfinished patches stay few."""
    steps = np.diff(np.unique(grid.positions[:, 0]))
    stride = int(steps.min()) if steps.size else grid.size
    rows = -(-grid.size // stride) + 1
    width = _WAITING_BYTES * stride // (rows * grid.size * grid.size * 3)
    return max(unit, min(width, _BAND) // unit * unit)


def _chunk_size(slide: Slide, mpp: float) -> tuple[int, int]:
    """Width and height of a chunk, pixels at `mpp`: a row of some tiles of the level that serves it."""
    serving = [level.mpp for level in slide.levels if level.mpp <= mpp * 1.001]
    step = mpp / max(serving, default=slide.mpp)
    whole = round(step)
    height = _TILE // math.gcd(_TILE, whole) if abs(step - whole) < 1e-3 else max(1, round(_TILE / step))
    height *= -(-64 // height)
    width = height * max(1, round(_TILE * _CHUNK_TILES / (height * step)))
    return width, height
