"""Where a batch puts what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lowpower.files import atomic_path

__all__ = ["folders_of", "write_table"]


def folders_of(files: Sequence[str | Path], out: Path) -> list[Path]:
    """A folder a file, named by its stem; a stem that comes again gets a number."""
    taken: dict[str, int] = {}
    folders = []
    for file in files:
        stem = Path(file).stem or "slide"
        taken[stem] = taken.get(stem, 0) + 1
        folders.append(out / (stem if taken[stem] == 1 else f"{stem}-{taken[stem]}"))
    return folders


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        pl.DataFrame(rows, infer_schema_length=None).write_csv(temporary)
