"""Training views in memory: decoded once, kept as bytes, within a budget."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.training._teacher import cells_in_view
from lowpower.views import View, load_view

__all__ = ["Example", "ViewStore"]


@dataclass(frozen=True)
class Example:
    """One slide that trains or validates.

    Attributes:
        row: Row of the cohort's table.
        slide: The slide, as the manifest spells it.
        patient: Whose it is.
        label: Class index.
        picture: Its cached view.
        cells: Table of its cells, where a teacher tells the network of them.
    """

    row: int
    slide: str
    patient: str
    label: int
    picture: str
    cells: str | None = None


class ViewStore:
    """Views by example, decoded at first use; those beyond the budget are decoded at each use."""

    def __init__(self, ram_megabytes: int) -> None:
        self._left = ram_megabytes * 1_000_000
        self._kept: dict[str, View] = {}
        self._lock = threading.Lock()
        self._cells: dict[str, NDArray[np.float32]] = {}

    def __getitem__(self, example: Example) -> View:
        view = self._kept.get(example.picture)
        if view is not None:
            return view
        view = load_view(example.picture)[0]
        size = view.image.nbytes + view.mask.nbytes
        with self._lock:
            if example.picture not in self._kept and size <= self._left:
                self._kept[example.picture] = view
                self._left -= size
        return view

    def cells(self, example: Example) -> NDArray[np.float32] | None:
        """(N, 3) tumour cells of an example: x and y in pixels of its view, class; None if nobody knows."""
        if example.cells is None:
            return None
        found = self._cells.get(example.picture)
        if found is None:
            found = self._cells[example.picture] = cells_in_view(example.cells, self[example])
        return found
