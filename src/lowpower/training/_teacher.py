"""Who tells a network of every cell: the cells of simulated slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.errors import ConfigError
from lowpower.simulate import SlideTruth, truth_path
from lowpower.views import View

__all__ = ["cells_in_view", "true_cells"]


def true_cells(slide: str | Path) -> Path:
    """The table of cells beside a simulated slide.

    Raises:
        ConfigError: if the slide has no truth beside it.
    """
    path = truth_path(slide)
    if not path.is_file():
        raise ConfigError(
            f"{slide}: has no {path.name} beside it; teacher: truth needs simulated slides as `lowpower "
            "simulate` writes them."
        )
    return path.parent / SlideTruth.read(path).cells


def cells_in_view(table: str | Path, view: View) -> NDArray[np.float32]:
    """(N, 3) tumour cells of the specimen: x and y in the view's pixels, class; 0 is a pixel's centre."""
    cells = pl.read_parquet(table).filter((pl.col("type") == "tumour") & ~pl.col("control"))
    height, width = view.mask.shape
    x = (cells["x"].to_numpy() - view.box.x) * (width / view.box.width) - 0.5
    y = (cells["y"].to_numpy() - view.box.y) * (height / view.box.height) - 0.5
    return np.column_stack([x, y, cells["class"].to_numpy()]).astype(np.float32)
