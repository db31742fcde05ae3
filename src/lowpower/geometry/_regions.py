"""Which drawn areas count, by their classes, and what a record says of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lowpower.errors import RegionsError
from lowpower.geometry._areas import Area, read_areas

__all__ = ["UNCLASSIFIED", "Regions", "read_regions", "sum_up"]

UNCLASSIFIED: Final = "unclassified"
"""How areas without a class are named."""
_TUMOUR: Final = frozenset(
    ("tumor", "tumour", "invasive tumor", "invasive tumour", "invasive carcinoma", "region")
)
_OVERLAP, _FRAME = 0.005, 0.99
"""Shares of what counts: drawn as another class too; and so wholly that the other is a frame around it."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Areas somebody drew, chosen by their classes.

    Attributes:
        source: The file, or `regions`.
        area: What counts, base pixels: the union of what is in, without what is cut out.
        counted: How many areas of each class are in.
        cut_out: Likewise of those that were cut out: classes whose name ends with `*`, as `Ignore*`.
        left_out: Likewise of those that count for nothing.
        notes: What should be doubted, one sentence each.
    """

    source: str
    area: BaseGeometry
    counted: Mapping[str, int]
    cut_out: Mapping[str, int]
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def contains(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (N,), base pixels, lie in what counts, or on its border."""
        return np.asarray(shapely.intersects_xy(self._prepared, x, y), np.bool_)

    @property
    def about(self) -> str:
        """What counts, what was cut out and what left out, in a few words."""
        said = [_list(self.counted)]
        said += [f"cut out: {_list(self.cut_out)}"] if self.cut_out else []
        said += [f"left out: {_list(self.left_out)}"] if self.left_out else []
        return "; ".join(said)

    @cached_property
    def _prepared(self) -> BaseGeometry:
        shapely.prepare(self.area)
        return self.area


def read_regions(given: str | Path | Mapping[str, Any] | Regions, classes: Sequence[str] = ()) -> Regions:
    """The tumour regions of a GeoJSON file or mapping.

    Areas of class Tumor (Tumour, Invasive tumor, Invasive carcinoma, Region) and of classes derived from it
    (`Tumor: 3+`) count, and where no area has a class all do; areas of a class that ends with `*` (QuPath's
    `Ignore*`) are cut out; others are left out unless `classes` names them, "unclassified" for those without
    one. Capitals do not matter.

    Args:
        given: The file (plain or gzip), GeoJSON as parsed, or regions already read.
        classes: Classes that count too.

    Raises:
        RegionsError: if it cannot be read, is no GeoJSON, or holds nothing that counts.
    """
    if isinstance(given, Regions):
        return given
    path = Path(given) if isinstance(given, str | Path) else None
    areas = read_areas(given if isinstance(given, Mapping) else Path(given))
    source = path or Path("regions")
    named = {name.strip().casefold() for name in classes}
    wanted = _TUMOUR | named
    if all(area.name is None or _is_cut(area.name) for area in areas):
        wanted |= {UNCLASSIFIED}
    regions = sum_up(source, areas, wanted)
    seen = {_name(area).casefold() for area in areas}
    absent = [name for name in classes if name.strip().casefold() not in seen]
    notes = [f"{source}: no region is of the class {', '.join(absent)}, which was named."] if absent else []
    return Regions(
        regions.source, regions.area, regions.counted, regions.cut_out, regions.left_out,
        (*notes, *_overlaps(regions, areas, wanted), *_called(source, areas)),
    )  # fmt: skip


def sum_up(source: Path, areas: Sequence[Area], wanted: frozenset[str] | set[str]) -> Regions:
    """Areas of the classes in `wanted` (lower case), without what is to be cut out.

    Raises:
        RegionsError: if nothing is left.
    """
    cut = [area for area in areas if _is_cut(area.name)]
    counted = [area for area in areas if _is_wanted(area, wanted) and not _is_cut(area.name)]
    others = [area for area in areas if area not in counted and area not in cut]
    if not counted:
        raise RegionsError(source, _nothing(cut, others))
    shape = shapely.union_all([area.shape for area in counted])
    if cut:
        shape = shape.difference(shapely.union_all([area.shape for area in cut]))
    if shape.is_empty:
        raise RegionsError(source, f"holds areas, but all of them are cut out by {_list(_count(cut))}.")
    return Regions(str(source), shape, _count(counted), _count(cut), _count(others))


def _nothing(cut: Sequence[Area], others: Sequence[Area]) -> str:
    if others:
        return (
            f"holds areas of {_list(_count(others))} and none of class Tumor: set the class in QuPath, "
            "or name the classes that count with --region-class."
        )
    ignored = f" but {_list(_count(cut))}, which is cut out" if cut else ""
    return f"holds no area (Polygon or MultiPolygon){ignored}; draw one and export it again."


def _overlaps(regions: Regions, areas: Sequence[Area], wanted: set[str] | frozenset[str]) -> list[str]:
    """What is in, and was drawn as something else too: nobody can say which was meant."""
    notes = []
    for name in regions.left_out:
        drawn = shapely.union_all([area.shape for area in areas if _name(area) == name])
        share = drawn.intersection(regions.area).area / regions.area.area
        if _OVERLAP < share < _FRAME:
            notes.append(
                f"{regions.source}: {share:.0%} of what counts is drawn as {name} too, and was counted; "
                f"to cut it out, name that class {name}* in QuPath."
            )
    return notes


def _called(source: Path, areas: Sequence[Area]) -> list[str]:
    """Areas without a class that are called by several names: perhaps these are their classes."""
    names = sorted({area.called for area in areas if area.called})
    if len(names) < 2 or any(area.name for area in areas):
        return []
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return [
        f"{source}: its areas have no class but are called {shown}, and all of them count: if these are "
        "classes, set them in QuPath, or leave out what is not to count."
    ]


def _is_wanted(area: Area, wanted: set[str] | frozenset[str]) -> bool:
    """Whether an area's class counts; a class derived from one that does, as QuPath's Tumor: 3+, does too."""
    name = _name(area).casefold()
    return name in wanted or name.partition(":")[0].strip() in wanted


def _is_cut(name: str | None) -> bool:
    """QuPath's way to say "ignore"; its `Region*` only marks a place."""
    base = (name or "").partition(":")[0].strip()
    return base.endswith("*") and base.casefold() != "region*"


def _name(area: Area) -> str:
    return area.name or UNCLASSIFIED


def _count(areas: Sequence[Area]) -> dict[str, int]:
    return dict(sorted(Counter(map(_name, areas)).items()))


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in counts.items())
