"""Which of a folder's files belongs to a slide, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lowpower.files import atomic_path
from lowpower.slides import slide_name
from lowpower.tissue import is_control_word

__all__ = ["control_for", "file_for", "write_table"]

_DRAWN = (".geojson", ".json", ".geojson.gz", ".png", ".tif", ".tiff")


def file_for(given: Path | None, slide: Path) -> Path | None:
    """The file that belongs to a slide: `given` itself, or in that folder the one of the slide's name."""
    if given is None or not given.is_dir():
        return given
    names = [given / f"{slide_name(slide)}{suffix}" for suffix in _DRAWN]
    return next((name for name in names if name.exists()), names[0])


def control_for(given: str | Path, slide: Path) -> str | Path:
    """What is said of a slide's control tissue: `given`, or in that folder the file of the slide's name."""
    return str(given) if is_control_word(str(given)) else file_for(Path(given), slide) or given


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        pl.DataFrame(rows, infer_schema_length=None).write_csv(temporary)
