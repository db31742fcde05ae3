"""Averaging a level into an output grid, band by band, so that memory does not grow with the slide."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.slides._reader import Pixels
from lowpower.slides.averaging._axis import Axis

__all__ = ["fill_grid"]

_BAND_BYTES = 4 << 20
_BLOCK_SIDE = 320  # level pixels

ReadBand = Callable[[int, int, int, int], Pixels]
"""x, y, width, height in level pixels -> (height, width, 3)."""


@dataclass(frozen=True)
class _Column:
    """A run of output columns, the level pixels they need and their weights."""

    first: int
    last: int
    begin: int
    end: int
    weights: Any


def fill_grid(
    out: Pixels,
    read: ReadBand,
    columns: Axis,
    rows: Axis,
    band_rows: int,
    executor: Executor | None = None,
) -> None:
    """Fill `out` with area averages of a level; cells that touch no readable pixel are left as they are.

    Args:
        out: (rows.count, columns.count, 3) uint8, written in place.
        read: Gives stored pixels of the level.
        columns: The output grid along x.
        rows: The output grid along y.
        band_rows: The level's tile height; bands begin at multiples of it, so each tile is decoded once.
        executor: Reads and averages bands side by side; None does it here.
    """
    if columns.empty or rows.empty:
        return
    left, right = columns.pixels(columns.first_cell, columns.last_cell)
    top, bottom = rows.pixels(rows.first_cell, rows.last_cell)
    height = band_rows * max(1, _BAND_BYTES // (3 * (right - left) * band_rows))
    borders = [top, *range((top // height + 1) * height, bottom, height), bottom]
    kernel = _Kernel(columns, rows)
    partial: dict[int, NDArray[np.float32]] = {}

    def work(band: tuple[int, int]) -> list[tuple[int, NDArray[np.float32]]]:
        begin, end = band
        pixels = read(left, begin, right - left, end - begin)
        return kernel.band(out, pixels, left, begin, end)

    bands = list(itertools.pairwise(borders))
    results = map(work, bands) if executor is None or len(bands) == 1 else executor.map(work, bands)
    for sums in results:
        for row, values in sums:
            partial[row] = partial[row] + values if row in partial else values
    for row, values in partial.items():
        out[row, columns.first_cell : columns.last_cell] = _to_bytes(values)


class _Kernel:
    """Averages one band at a time; shared by the threads of one read."""

    def __init__(self, columns: Axis, rows: Axis) -> None:
        self.columns, self.rows = columns, rows
        self._all = (columns.first_cell, columns.last_cell)
        # Whole-pixel cells: a copy (step 1) or an integer block mean, several times faster than weights.
        self._exact = columns.blocks(*self._all)
        self._cut: dict[tuple[int, int], list[_Column]] = {}

    def band(
        self, out: Pixels, pixels: Pixels, left: int, begin: int, end: int
    ) -> list[tuple[int, NDArray[np.float32]]]:
        """Write the rows that this band completes; return weighted sums of those it shares."""
        first, last = self.rows.touching(begin, end)
        whole_first, whole_last = self.rows.complete(begin, end)
        if whole_first < whole_last:
            self._complete(out, pixels, left, begin, (whole_first, whole_last))
        else:
            whole_first = whole_last = last
        shared = []
        for row in (*range(first, whole_first), *range(whole_last, last)):
            low, high = (min(max(p, begin), end) for p in self.rows.pixels(row, row + 1))
            weights = self.rows.weights(row, row + 1, low, high)
            sums = np.empty((1, self._all[1] - self._all[0], 3), np.float32)
            source = pixels[low - begin : high - begin]
            for column in self._columns(*self._all):
                where = slice(column.first - self._all[0], column.last - self._all[0])
                values = _weigh(source[:, column.begin - left : column.end - left], weights, column.weights)
                sums[0, where] = values.reshape(column.last - column.first, 3)
            shared.append((row, sums[0]))
        return shared

    def _complete(self, out: Pixels, pixels: Pixels, left: int, begin: int, rows: tuple[int, int]) -> None:
        exact_rows, exact_columns = self.rows.blocks(*rows), self._exact
        if exact_rows[0] == exact_rows[1] or exact_columns[0] == exact_columns[1]:
            self._average(out, pixels, (left, begin), rows, self._all)
            return
        y0, y1 = self.rows.pixels(*exact_rows)
        x0, x1 = self.columns.pixels(*exact_columns)
        source = pixels[y0 - begin : y1 - begin, x0 - left : x1 - left]
        if self.rows.step != 1.0:
            size = (exact_columns[1] - exact_columns[0], exact_rows[1] - exact_rows[0])
            source = np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.uint8)
        out[slice(*exact_rows), slice(*exact_columns)] = source
        # Cells that the slide's edge cuts, around the whole ones.
        for edge in ((rows[0], exact_rows[0]), (exact_rows[1], rows[1])):
            self._average(out, pixels, (left, begin), edge, self._all)
        for edge in ((self._all[0], exact_columns[0]), (exact_columns[1], self._all[1])):
            self._average(out, pixels, (left, begin), exact_rows, edge)

    def _average(
        self,
        out: Pixels,
        pixels: Pixels,
        corner: tuple[int, int],
        rows: tuple[int, int],
        cells: tuple[int, int],
    ) -> None:
        """Fill rows x cells of `out` by weights; `corner` is the level pixel that `pixels` begins at."""
        if rows[0] == rows[1] or cells[0] == cells[1]:
            return
        left, top = corner
        tall = max(1, int(_BLOCK_SIDE / max(self.rows.step, 1.0)))
        for first in range(*rows, tall):
            last = min(first + tall, rows[1])
            y0, y1 = self.rows.pixels(first, last)
            weights = self.rows.weights(first, last, y0, y1)
            source = pixels[y0 - top : y1 - top]
            for column in self._columns(*cells):
                block = source[:, column.begin - left : column.end - left]
                values = _weigh(block, weights, column.weights).reshape(-1, last - first)
                done = cv2.transpose(_to_bytes(values)).reshape(last - first, -1, 3)
                out[first:last, column.first : column.last] = done

    def _columns(self, first: int, last: int) -> list[_Column]:
        """Cells `first` to `last` cut so that a block and its float copies stay in the processor's cache."""
        if (first, last) not in self._cut:
            wide = max(1, int(_BLOCK_SIDE / max(self.columns.step, 1.0)))
            blocks = []
            for cell in range(first, last, wide):
                stop = min(cell + wide, last)
                begin, end = self.columns.pixels(cell, stop)
                blocks.append(_Column(cell, stop, begin, end, self.columns.weights(cell, stop, begin, end)))
            self._cut[first, last] = blocks
        return self._cut[first, last]


def _weigh(block: Pixels, row_weights: Any, column_weights: Any) -> NDArray[np.float32]:
    """Weighted sums of a block, (columns, 3, rows) flat: down rows first, then, transposed, across."""
    height, width = block.shape[:2]
    down = row_weights @ block.astype(np.float32).reshape(height, width * 3)
    across = cv2.transpose(down).reshape(width, -1)
    return np.asarray(column_weights @ across, np.float32)


def _to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Rounded; the hair above makes a tie fall up whatever order its terms were summed in."""
    return np.asarray(cv2.convertScaleAbs(values, alpha=1.0, beta=1e-4), np.uint8)
