"""The cells in a box, as the page draws them: packed numbers, thinned where there are too many to see."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.scoring import class_names
from lowpower.serve._shelf import Entry
from lowpower.units import Box

__all__ = ["CellBoxes", "SlideCells"]

_KEPT: Final = 4
_SHOWN_NUMBERS: Final = (
    "diameter", "elongation", "darkness", "tumour", "nuclear_dab", "body_dab", "completeness", "density",
    "grade",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SlideCells:
    """A slide's cells, from left to right.

    Attributes:
        table: cells.parquet, ordered by x.
        x: (N,) base pixels, ascending.
        y: (N,) base pixels.
        radius: (N,) base pixels.
        kind: (N,) index of the class that a cell is drawn as.
        drawn: (N,) order in which cells are left out where there are too many: the same at every zoom.
    """

    table: pl.DataFrame
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    radius: NDArray[np.float32]
    kind: NDArray[np.uint8]
    drawn: NDArray[np.float32]

    def packed(self, box: Box, most: int) -> bytes:
        """The cells of a box, little-endian.

        uint32 cells sent, uint32 cells in the box; then of the cells sent: float32 x, float32 y, float32
        radius (base pixels), uint32 number, uint8 class.
        """
        begin, end = np.searchsorted(self.x, (box.x, box.right))
        rows = self.y[begin:end]
        found = begin + np.flatnonzero((rows >= box.y) & (rows < box.bottom))
        sent = found
        if len(found) > most:
            kept = np.argpartition(self.drawn[found], most)[:most]
            sent = found[np.sort(kept)]
        head = np.array([len(sent), len(found)], "<u4").tobytes()
        floats = b"".join(column[sent].astype("<f4").tobytes() for column in (self.x, self.y, self.radius))
        columns = (head, floats, sent.astype("<u4").tobytes(), self.kind[sent].tobytes())
        return b"".join(columns)

    def numbers(self, number: int) -> dict[str, Any] | None:
        """What was measured of one cell; None where there is none of that number."""
        if not 0 <= number < len(self.x):
            return None
        row = self.table.row(number, named=True)
        told = {name: round(float(row[name]), 4) for name in _SHOWN_NUMBERS}
        return {"class": row["class"], "kind": row["kind"], "counted": row["counted"], "numbers": told}


class CellBoxes:
    """The cell tables that were looked at last."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], SlideCells] = OrderedDict()
        self._lock = threading.Lock()

    def cells(self, entry: Entry) -> SlideCells | None:
        """An entry's cells; None where none were measured."""
        key = (entry.key, entry.written)
        with self._lock:
            if key not in self._held:
                file = entry.file("cells.parquet")
                if file is None:
                    return None
                self._held[key] = _read(pl.read_parquet(file), entry)
                while len(self._held) > _KEPT:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return self._held[key]


def _read(table: pl.DataFrame, entry: Entry) -> SlideCells:
    table = table.sort("x")
    names = class_names(entry.record.marker or "HER2")
    kinds = {name: index for index, name in enumerate(names)}
    kind = table["class"].replace_strict(kinds, default=len(names) - 1, return_dtype=pl.UInt8)
    mpp = entry.record.mpp or 1.0
    return SlideCells(
        table=table,
        x=table["x"].to_numpy().astype(np.float32),
        y=table["y"].to_numpy().astype(np.float32),
        radius=(table["diameter"].to_numpy() / 2 / mpp).astype(np.float32),
        kind=kind.to_numpy().astype(np.uint8),
        drawn=np.random.default_rng(0).random(len(table), np.float32),
    )
