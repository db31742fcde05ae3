"""One axis of an output grid laid over a level, and the weights that average level pixels into its cells."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Axis"]

_SNAP = 1e-6  # level pixels; float noise in an edge that is meant to be whole


class Axis:
    """Output cells along one axis: cell i covers [start + i * step, start + (i + 1) * step) level pixels.

    Cells partly outside the readable pixels average the part inside; cells wholly outside are not in
    `first_cell .. last_cell`. With a step below 1 (finer than the level) cells are interpolated linearly
    between pixel centres instead.

    Args:
        start: Left edge of cell 0, level pixels; may be fractional or negative.
        step: Width of a cell, level pixels.
        count: Number of cells.
        low: First readable level pixel.
        high: One past the last readable level pixel.
    """

    def __init__(self, start: float, step: float, count: int, low: int, high: int) -> None:
        self.step = step
        self.count = count
        edges = start + step * np.arange(count + 1, dtype=np.float64)
        whole = np.rint(edges)
        edges = np.where(np.abs(edges - whole) < _SNAP, whole, edges)
        left = np.maximum(edges[:-1], low)
        right = np.minimum(edges[1:], high)
        inside = np.flatnonzero(right - left > _SNAP)
        self.first_cell = int(inside[0]) if inside.size else 0
        self.last_cell = int(inside[-1]) + 1 if inside.size else 0
        cells = slice(self.first_cell, self.last_cell)
        self._left, self._right = left[cells], right[cells]
        self.linear = step < 1.0
        if self.linear:
            centre = start + step * (np.arange(count) + 0.5) - 0.5
            self._centre = np.clip(centre[cells], low, high - 1)
            self._first = np.floor(self._centre).astype(np.int64)
            self._last = np.minimum(self._first + 2, high)
        else:
            self._first = np.floor(self._left).astype(np.int64)
            self._last = np.ceil(self._right).astype(np.int64)
        # Cells that are whole blocks of whole pixels can be averaged by an integer kernel.
        whole_edges = (self._left == np.floor(self._left)) & (self._right == np.floor(self._right))
        self._block = whole_edges & (self._right - self._left == step) & (not self.linear)

    @property
    def empty(self) -> bool:
        """True if no cell touches a readable pixel."""
        return self.first_cell == self.last_cell

    def pixels(self, first: int, last: int) -> tuple[int, int]:
        """Level pixels [begin, end) that cells `first` to `last` (exclusive) need."""
        return int(self._first[first - self.first_cell]), int(self._last[last - 1 - self.first_cell])

    def touching(self, begin: int, end: int) -> tuple[int, int]:
        """Cells [first, last) that need at least one of the level pixels [begin, end)."""
        first = int(np.searchsorted(self._last, begin, side="right"))
        last = int(np.searchsorted(self._first, end, side="left"))
        return first + self.first_cell, max(first, last) + self.first_cell

    def complete(self, begin: int, end: int) -> tuple[int, int]:
        """Cells [first, last) that need no level pixel outside [begin, end)."""
        first = int(np.searchsorted(self._first, begin, side="left"))
        last = int(np.searchsorted(self._last, end, side="right"))
        return first + self.first_cell, max(first, last) + self.first_cell

    def blocks(self, first: int, last: int) -> tuple[int, int]:
        """The run of cells in [first, last) that are whole blocks of `step` x whole pixels."""
        run = np.flatnonzero(self._block[first - self.first_cell : last - self.first_cell])
        if run.size == 0 or run[-1] - run[0] + 1 != run.size:
            return first, first
        return first + int(run[0]), first + int(run[-1]) + 1

    def weights(self, first: int, last: int, begin: int, end: int) -> Any:
        """Sparse float32 matrix (last - first, end - begin): cells from level pixels [begin, end).

        Each cell's weights sum to 1 over all level pixels; pixels outside [begin, end) are left out, so
        products over neighbouring pixel ranges add up.
        """
        from scipy.sparse import csr_matrix  # 0.2 s to import, needed only for non-integer factors

        cells = slice(first - self.first_cell, last - self.first_cell)
        lo, hi = np.maximum(self._first[cells], begin), np.minimum(self._last[cells], end)
        taps = np.maximum(hi - lo, 0)
        pointer = np.concatenate(([0], np.cumsum(taps)))
        row = np.repeat(np.arange(last - first), taps)
        pixel = np.arange(int(pointer[-1])) - pointer[row] + lo[row]
        if self.linear:
            weight = np.maximum(0.0, 1.0 - np.abs(pixel - self._centre[cells][row]))
        else:
            left, right = self._left[cells], self._right[cells]
            covered = np.minimum(right[row], pixel + 1) - np.maximum(left[row], pixel)
            weight = covered / (right - left)[row]
        shape = (last - first, end - begin)
        return csr_matrix((weight.astype(np.float32), pixel - begin, pointer), shape=shape)
