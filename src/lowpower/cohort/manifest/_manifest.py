"""The manifest: which slides, whose, what marker, what score. Read strictly, every problem at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from lowpower.cohort._patients import unify_patients
from lowpower.cohort._schemes import IshUnknown
from lowpower.cohort._spelling import nearest, nearest_of
from lowpower.cohort._table import COLUMNS, REQUIRED, Cohort, Problem, sentences
from lowpower.cohort.manifest._rows import fractions, joined_empty, parse_row, repeated
from lowpower.cohort.manifest._text_table import read_text_table
from lowpower.errors import CohortError, address_of, as_text
from lowpower.files import write_text
from lowpower.storage import place

__all__ = ["parse_manifest", "read_cohort", "write_manifest"]


_SHOWN = 8


def read_cohort(
    path: str | Path, *, required: Sequence[str] = REQUIRED, ish_unknown: IshUnknown = "low"
) -> Cohort:
    """Read a manifest: CSV of any spreadsheet, XLSX, or Parquet by its ending.

    Slides are not opened: `check_cohort` does that.

    Args:
        path: The manifest.
        required: Columns that must be there, a value in every row; `score` asks for the slides alone.
        ish_unknown: What becomes of 2+ without ISH where the class depends on it: low, or exclude.

    Raises:
        CohortError: naming the file and up to five problems: missing column, empty cell, unknown
            marker, score, ish or mpp, a slide listed twice.
    """
    cohort, problems = parse_manifest(path, required)
    if problems:
        raise CohortError(sentences(as_text(place(path)), [str(problem) for problem in problems]))
    assert cohort is not None  # parse_manifest gives one or the other
    return dataclasses.replace(cohort, ish_unknown=ish_unknown)


def parse_manifest(
    path: str | Path, required: Sequence[str] = REQUIRED, *, keep: Sequence[str] = ("slide", "patient")
) -> tuple[Cohort | None, list[Problem]]:
    """Read a manifest and find everything wrong in it.

    Args:
        path: The manifest.
        required: Columns that must be there, a value in every row.
        keep: Those of them without which a row is left out of the rows that read.

    Returns:
        The rows that read (None if the file as a whole cannot serve), and the problems. A misspelt column
        is a problem, and read as the one that was meant: what else is wrong in it must not wait.
    """
    path = place(path)
    try:
        raw = read_text_table(path)
    except CohortError as error:
        return None, [
            Problem(None, None, "unreadable_manifest", str(error).removeprefix(f"{as_text(path)}: "))
        ]
    columns, problems = _columns(raw.columns, required)
    if "slide" not in columns:
        return None, problems
    if not raw.rows:
        return None, [*problems, Problem(None, None, "empty_manifest", "has a header but no slides.")]
    asked = [name for name in required if name in columns]
    rows: list[dict[str, object]] = []
    for number, values in raw.rows:
        cells = {name: value for name, value in zip(columns, values, strict=True) if name is not None}
        row, wrong = parse_row(cells, path.parent, asked)
        problems += [Problem(number, cells["slide"] or None, kind, message) for kind, message in wrong]
        rows.append(row | {"manifest_row": number})
    problems = joined_empty(problems)
    notes = [*raw.notes, *_ignored(raw.columns, columns)]
    unified, doubted = unify_patients(rows)
    problems += doubted + repeated(rows) + fractions(rows)
    schema: dict[str, type[pl.DataType]] = {name: pl.String for name in COLUMNS}
    schema |= {"mpp": pl.Float64, "slide_name": pl.String, "manifest_row": pl.Int64}
    kept = [row for row in rows if all(row[name] for name in required if name in keep)]
    table = pl.DataFrame(kept, schema=schema, orient="row")
    return Cohort(
        path if address_of(path) is not None else path.absolute(), table, (*notes, *unified)
    ), problems


def write_manifest(path: str | Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write a manifest with the columns of `COLUMNS` that any row fills.

    Raises:
        CohortError: if a row has a column that `COLUMNS` has not.
        OutputError: if the file cannot be written.
    """
    rows = list(rows)
    used = {name for row in rows for name, value in row.items() if value is not None} | set(REQUIRED)
    for name in sorted(used - set(COLUMNS)):
        raise CohortError(f"{path}: unknown column {name!r}{nearest(name, COLUMNS)}.")
    columns = [name for name in COLUMNS if name in used]
    table = pl.DataFrame(
        {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in columns},
        schema=dict.fromkeys(columns, pl.String),
    )
    write_text(path, table.write_csv())
    return Path(path)


def _known_column(name: str) -> str | None:
    """The column that a header names, whatever its case; None for one that is none of ours."""
    plain = name.casefold().replace(" ", "_")
    return plain if plain in COLUMNS else None


def _ignored(spelled: Sequence[str], columns: Sequence[str | None]) -> list[str]:
    """What is said of columns that are not ours."""
    extra = [name for name, known in zip(spelled, columns, strict=True) if known is None]
    absent = [name for name in COLUMNS if name not in columns]
    return [f"column {name!r} is not read{nearest(name, absent) or '.'}" for name in extra]


def _columns(spelled: Sequence[str], required: Sequence[str]) -> tuple[list[str | None], list[Problem]]:
    """What each column is (None: none of ours), and what is wrong with the header, each thing once."""
    columns = [_known_column(name) for name in spelled]
    missing = [name for name in required if name not in columns]
    problems = []
    for index, name in enumerate(spelled):
        meant = nearest_of(name, missing) if columns[index] is None else None
        if meant is not None:
            missing.remove(meant)
            columns[index] = meant
            message = f"unknown column {name!r}; did you mean {meant!r}? Rename it."
            problems.append(Problem(None, None, "unknown_column", message))
    if not missing:
        return columns, problems
    names = ", ".join(repr(name) for name in missing)
    plural = "s" if len(missing) > 1 else ""
    found = ", ".join(repr(name) for name in spelled[:_SHOWN])
    more = f" and {len(spelled) - _SHOWN} more" if len(spelled) > _SHOWN else ""
    message = (
        f"missing column{plural} {names}; a manifest needs {', '.join(required)}, and its header holds "
        f"{found}{more}: rename the columns, or add what is missing."
    )
    return columns, [*problems, Problem(None, None, "missing_column", message)]
