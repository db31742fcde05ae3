"""The manifest: which slides, whose, what marker, what score. Read strictly, every problem at once."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from lowpower.cohort._rows import fractions, parse_row, repeated
from lowpower.cohort._spelling import nearest
from lowpower.cohort._table import COLUMNS, REQUIRED, Cohort, Problem, sentences
from lowpower.errors import CohortError
from lowpower.files import write_text

__all__ = ["parse_manifest", "read_cohort", "write_manifest"]


def read_cohort(path: str | Path, *, required: Sequence[str] = REQUIRED) -> Cohort:
    """Read a manifest (CSV, or Parquet by its ending).

    Slides are not opened: `check_cohort` does that.

    Args:
        path: The manifest.
        required: Columns that must be there, a value in every row; `score` asks for the slides alone.

    Raises:
        CohortError: naming the file and up to five problems: missing or unknown column, empty cell, unknown
            marker, score, ish or mpp, a slide listed twice.
    """
    cohort, problems = parse_manifest(path, required)
    if problems:
        raise CohortError(sentences(Path(path), [str(problem) for problem in problems]))
    assert cohort is not None  # parse_manifest gives one or the other
    return cohort


def parse_manifest(
    path: str | Path, required: Sequence[str] = REQUIRED
) -> tuple[Cohort | None, list[Problem]]:
    """Read a manifest and find everything wrong in it.

    Returns:
        The rows that read (None if the file as a whole cannot serve), and the problems.
    """
    path = Path(path)
    try:
        raw = _read_table(path)
    except CohortError as error:
        return None, [Problem(None, None, "unreadable_manifest", str(error).removeprefix(f"{path}: "))]
    problems = _column_problems(raw.columns, required)
    if problems:
        return None, problems
    if raw.height == 0:
        return None, [Problem(None, None, "empty_manifest", "has a header but no slides.")]
    rows: list[dict[str, object]] = []
    for number, entry in enumerate(raw.iter_rows(named=True), start=1):
        cells = {name: (value or "").strip() for name, value in entry.items()}
        row, wrong = parse_row(cells, path.parent, required)
        problems += [Problem(number, cells["slide"] or None, kind, message) for kind, message in wrong]
        rows.append(row | {"manifest_row": number})
    problems += repeated(rows) + fractions(rows)
    schema: dict[str, type[pl.DataType]] = {name: pl.String for name in COLUMNS}
    schema |= {"mpp": pl.Float64, "slide_name": pl.String, "manifest_row": pl.Int64}
    kept = [row for row in rows if all(row[name] for name in required if name in ("slide", "patient"))]
    return Cohort(path.absolute(), pl.DataFrame(kept, schema=schema, orient="row")), problems


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


def _read_table(path: Path) -> pl.DataFrame:
    """The file as text columns, whatever was wrong with it as one sentence."""
    if not path.is_file():
        raise CohortError(
            f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; name a manifest CSV."
        )
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path).with_columns(pl.all().cast(pl.String))
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        header = data.decode().split("\n", 1)[0]
        for mark, name in ((";", "semicolons"), ("\t", "tabs")):
            if mark in header and "," not in header:
                raise CohortError(f"{path}: columns are separated by {name}; save it with commas.")
        repeated = [name for name, count in Counter(header.strip().split(",")).items() if count > 1]
        if repeated:
            raise CohortError(f"{path}: column {repeated[0]!r} appears twice; remove one.")
        return pl.read_csv(io.BytesIO(data), infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise CohortError(f"{path}: is empty; it needs the columns {', '.join(REQUIRED)}.") from error
    except UnicodeDecodeError as error:
        raise CohortError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8.") from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", 1)[0]
        raise CohortError(f"{path}: cannot be read as a table ({reason}).") from error
    except OSError as error:
        raise CohortError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _column_problems(columns: list[str], required: Sequence[str]) -> list[Problem]:
    missing = [name for name in required if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    problems = []
    for name in unknown:
        hint = nearest(name, missing or COLUMNS)
        message = f"unknown column {name!r}{hint} (known: {', '.join(COLUMNS)})."
        problems.append(Problem(None, None, "unknown_column", message))
    if missing:
        names = ", ".join(repr(name) for name in missing)
        plural = "s" if len(missing) > 1 else ""
        message = f"missing column{plural} {names}; a manifest needs {', '.join(required)}."
        problems.append(Problem(None, None, "missing_column", message))
    return problems
