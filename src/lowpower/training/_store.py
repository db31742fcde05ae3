"""Training views in memory: decoded once, kept as bytes, within a budget."""

from __future__ import annotations

import threading
from dataclasses import dataclass

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
    """

    row: int
    slide: str
    patient: str
    label: int
    picture: str


class ViewStore:
    """Views by example, decoded at first use; those beyond the budget are decoded at each use."""

    def __init__(self, ram_megabytes: int) -> None:
        self._left = ram_megabytes * 1_000_000
        self._kept: dict[str, View] = {}
        self._lock = threading.Lock()

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
