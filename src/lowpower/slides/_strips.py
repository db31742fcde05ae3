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

from lowpower.slides._axis import Axis, as_bytes
from lowpower.slides._reader import Pixels

__all__ = ["fill_grid"]

_BAND_BYTES = 16 << 20
_BLOCK_PIXELS = 48 << 10  # a block and its float copies stay in the processor's cache

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
        out[row, columns.first_cell : columns.last_cell] = as_bytes(values)


class _Kernel:
    """Averages one band at a time; shared by the threads of one read."""

    def __init__(self, columns: Axis, rows: Axis) -> None:
        self.columns, self.rows = columns, rows
        self._all = (columns.first_cell, columns.last_cell)
        # Whole-pixel cells: a copy (step 1) or an integer block mean, several times faster than weights.
        self._exact = columns.blocks(*self._all)
        self._cut: dict[tuple[int, int, int], list[_Column]] = {}

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
            weights = self.rows.weights(row, row + 1, begin, end)
            shared.append((row, self._weighted(pixels, left, weights, self._all)[0]))
        return shared

    def _complete(self, out: Pixels, pixels: Pixels, left: int, begin: int, rows: tuple[int, int]) -> None:
        exact_rows, exact_columns = self.rows.blocks(*rows), self._exact
        if exact_rows == rows and exact_columns[0] < exact_columns[1]:
            y0, y1 = self.rows.pixels(*rows)
            x0, x1 = self.columns.pixels(*exact_columns)
            source = pixels[y0 - begin : y1 - begin, x0 - left : x1 - left]
            if self.rows.step != 1.0:
                size = (exact_columns[1] - exact_columns[0], rows[1] - rows[0])
                source = np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.uint8)
            out[rows[0] : rows[1], exact_columns[0] : exact_columns[1]] = source
            rest = [(self._all[0], exact_columns[0]), (exact_columns[1], self._all[1])]
        else:
            rest = [self._all]
        for cells in rest:
            if cells[0] < cells[1]:
                y0, y1 = self.rows.pixels(*rows)
                weights = self.rows.weights(*rows, y0, y1)
                values = self._weighted(pixels[y0 - begin : y1 - begin], left, weights, cells)
                out[rows[0] : rows[1], cells[0] : cells[1]] = as_bytes(values)

    def _weighted(
        self, pixels: Pixels, left: int, row_weights: Any, cells: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Weighted means, (rows, cells, 3): across columns first, in cache-sized blocks, then down rows."""
        height = pixels.shape[0]
        values = np.empty((row_weights.shape[0], cells[1] - cells[0], 3), np.float32)
        for column in self._blocks(height, *cells):
            block = cv2.transpose(pixels[:, column.begin - left : column.end - left])
            flat = block.astype(np.float32).reshape(column.end - column.begin, height * 3)
            narrow = (column.weights @ flat).reshape(column.last - column.first, height, 3)
            flat = cv2.transpose(narrow).reshape(height, -1)
            where = slice(column.first - cells[0], column.last - cells[0])
            values[:, where] = (row_weights @ flat).reshape(values.shape[0], -1, 3)
        return values

    def _blocks(self, height: int, first: int, last: int) -> list[_Column]:
        per_block = max(1, int(_BLOCK_PIXELS / height / max(self.columns.step, 1.0)))
        key = (per_block, first, last)
        if key not in self._cut:
            blocks = []
            for cell in range(first, last, per_block):
                stop = min(cell + per_block, last)
                begin, end = self.columns.pixels(cell, stop)
                blocks.append(_Column(cell, stop, begin, end, self.columns.weights(cell, stop, begin, end)))
            self._cut[key] = blocks
        return self._cut[key]
