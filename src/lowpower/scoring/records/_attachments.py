"""What goes with a fresh result: pictures and cells, too large for the record and written beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from lowpower.files import atomic_path
from lowpower.geometry import write_geojson
from lowpower.scoring.records._cell_colours import OTHER, class_names
from lowpower.scoring.records._cells_geojson import write_cells_geojson
from lowpower.stain import Cells

__all__ = ["ATTACHMENTS", "Attachments", "CellTable", "write_attachments"]

_PICTURES = {"overlay": "overlay.png", "cells_overlay": "cells.png", "quality": "quality.png"}
_COMPRESSION = 3
"""Of PNG: a twentieth larger than at the usual 6, in a third of the time."""
ATTACHMENTS = (
    "overlay.png",
    "network.geojson",
    "cells.png",
    "cells.geojson",
    "cells.parquet",
    "tissue.geojson",
    "quality.png",
    "quality.geojson",
    "error.txt",
)


@dataclass(frozen=True, eq=False)
class CellTable:
    """The cells of a slide as they are drawn and written.

    Attributes:
        cells: All cells.
        classes: (N,) as `classes_of` gives them.
        marker: What was stained.
        mpp: um/px of base pixels.
    """

    cells: Cells
    classes: NDArray[np.uint8]
    marker: str
    mpp: float

    def table(self) -> pl.DataFrame:
        """One row a cell: the measurements, the class by name, and whether it was counted."""
        names = np.array(class_names(self.marker))
        return self.cells.table().with_columns(
            pl.Series("class", names[self.classes]), pl.Series("counted", self.classes != OTHER)
        )


@dataclass(frozen=True, eq=False)
class Attachments:
    """Everything that goes with a result: in memory while it is fresh, in its folder once it is written.

    Attributes:
        folder: Where it was written; what is not in memory is read from there.
        overlay: The slide beside the network's map.
        cells_overlay: The slide, its cells by class, and fields at full resolution.
        cells: The cells.
        tissue: GeoJSON features of the tissue and given regions.
        network: GeoJSON features of the network's map.
        quality: The slide with control tissue and defects coloured.
        defects: GeoJSON features of those.
    """

    folder: Path | None = None
    overlay: Image.Image | None = None
    cells_overlay: Image.Image | None = None
    cells: CellTable | None = None
    tissue: list[dict[str, Any]] = field(default_factory=list)
    network: list[dict[str, Any]] = field(default_factory=list)
    quality: Image.Image | None = None
    defects: list[dict[str, Any]] = field(default_factory=list)

    def picture(self, name: Literal["overlay", "cells_overlay"]) -> Image.Image | None:
        """One of the pictures, wherever it is."""
        held: Image.Image | None = getattr(self, name)
        file = None if self.folder is None else self.folder / _PICTURES[name]
        if held is not None or file is None or not file.exists():
            return held
        with Image.open(file) as stored:
            return stored.convert("RGB")

    def all_cells(self) -> Cells | None:
        """The cells, wherever they are."""
        if self.cells is not None:
            return self.cells.cells
        file = None if self.folder is None else self.folder / "cells.parquet"
        return Cells.from_table(pl.read_parquet(file)) if file is not None and file.exists() else None


def write_attachments(folder: Path, made: Attachments) -> None:
    """Write what there is (PNG, GeoJSON and Parquet); what an earlier run left beside it goes.

    Raises:
        OutputError: if something cannot be written.
    """
    written = []
    for picture, name in (
        (made.overlay, "overlay"),
        (made.cells_overlay, "cells_overlay"),
        (made.quality, "quality"),
    ):
        if picture is not None:
            with atomic_path(folder / _PICTURES[name]) as temporary:
                picture.save(temporary, compress_level=_COMPRESSION)
            written.append(_PICTURES[name])
    for name, features in (
        ("tissue.geojson", made.tissue),
        ("network.geojson", made.network),
        ("quality.geojson", made.defects),
    ):
        if features:
            write_geojson(folder / name, features)
            written.append(name)
    if made.cells is not None:
        with atomic_path(folder / "cells.parquet") as temporary:
            made.cells.table().write_parquet(temporary)
        write_cells_geojson(
            folder / "cells.geojson", made.cells.cells, made.cells.classes, made.cells.marker, made.cells.mpp
        )
        written += ["cells.parquet", "cells.geojson"]
    for name in set(ATTACHMENTS) - set(written):
        (folder / name).unlink(missing_ok=True)
