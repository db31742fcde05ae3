"""A table as people save it: any separator, encoding and line end of spreadsheets, XLSX and Parquet."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import polars as pl

from lowpower.errors import CohortError, address_of, as_text
from lowpower.storage import read_stored

__all__ = ["MISSING", "TextTable", "is_missing", "read_text_table"]

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "<na>", "missing"})
"""How exports of SQL, R, pandas and spreadsheets write that there is no value; case does not matter."""
_NO_DATES = ("slide", "patient", "score", "block", "marker", "ish")
_SEPARATORS = (",", ";", "\t", "|")
_BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How files of spreadsheet programs begin, new and old."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().casefold() in MISSING


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text.

    Attributes:
        columns: Names as spelled, stripped.
        rows: Of each row that is not wholly empty, the number that a spreadsheet shows (the header is 1, or
            further down) and its cells, stripped, one a column.
        notes: What was passed over: columns without a name, other sheets with slides.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()


def read_text_table(path: Path) -> TextTable:
    """Read a table by its ending: .xlsx (the first sheet with a column slide), .parquet, else text.

    Raises:
        CohortError: naming the file, and the line where one is at fault.
    """
    source = as_text(path)
    notes: list[str] = []
    try:
        data = _content(path)
        suffix = path.suffix.lower()
        if suffix == ".parquet":
            table = pl.read_parquet(io.BytesIO(data)).with_columns(pl.all().cast(pl.String)).fill_null("")
            records = [list(table.columns), *(list(row) for row in table.iter_rows())]
        elif suffix in (".xlsx", ".xlsm"):
            records, notes = _sheet(source, data)
        else:
            records = _records(source, _decoded(source, data))
    except OSError as error:
        raise CohortError(f"{source}: cannot be read ({error.strerror or error}).") from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", 1)[0]
        raise CohortError(f"{source}: cannot be read as a table ({reason}).") from error
    return _table(source, records, notes)


def _content(path: Path) -> bytes:
    """The bytes of a table, here or in storage."""
    if address_of(path) is not None:
        return read_stored(path)
    if not path.is_file():
        raise CohortError(
            f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; name a table (CSV or XLSX)."
        )
    return path.read_bytes()


def _decoded(source: str, data: bytes) -> str:
    if data.startswith(_BINARY):
        raise CohortError(
            f"{source}: is a spreadsheet program's own file, not text; save it as XLSX, or as CSV."
        )
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise CohortError(f"{source}: is not UTF-8 text; save it as CSV in UTF-8, or as XLSX.") from error
    if "\0" in text:
        raise CohortError(f"{source}: is not UTF-8 text; save it as CSV in UTF-8, or as XLSX.")
    return text


def _records(source: str, text: str) -> list[list[str]]:
    separator = None
    first, _, rest = text.partition("\n") if "\n" in text else text.partition("\r")
    told = re.fullmatch("sep=(.)", first.strip("\r\n "), re.IGNORECASE)
    if told is not None:  # by and to spreadsheets
        separator, text = told[1], rest
        first = rest.splitlines()[0] if rest.strip() else ""
    if separator is None:
        separator = max(_SEPARATORS, key=first.split("\r")[0].count)
    # Opened so that lone carriage returns end lines, but not those inside quotes.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return [[_formula_text(cell) for cell in record] for record in reader]
    except csv.Error as error:
        # "unexpected end of data", or a field of more than 128 kB: nearly always the same slip.
        raise CohortError(
            f"{source}: line {reader.line_num}: a cell in quotes does not end where it should ({error}); "
            "look for a quote that is not closed."
        ) from error


def _formula_text(cell: str) -> str:
    """What a cell shows that keeps its zeros by a formula: ="007"."""
    told = re.fullmatch('="([^"]*)"', cell.strip())
    return cell if told is None else told[1]


def _sheet(source: str, data: bytes) -> tuple[list[list[str]], list[str]]:
    """The rows of the sheet with the slides as it shows them, and what is said of other such sheets."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise CohortError(f"{source}: is no XLSX file ({error}); save it again, or as CSV.") from error
    try:
        shown = sorted(book.worksheets, key=lambda sheet: sheet.sheet_state != "visible")
        sheets = [
            (sheet.title, [[_as_shown(cell) for cell in row] for row in sheet.iter_rows()]) for sheet in shown
        ]
    finally:
        book.close()
    with_slides = [(title, rows) for title, rows in sheets if "slide" in _header(rows)]
    _, chosen = (with_slides or sheets or [("", [])])[0]
    _check_dates(source, chosen)
    notes = [
        f"sheet {title!r} has a column slide too and is not read; a manifest is one sheet."
        for title, _ in with_slides[1:]
    ]
    return [[_cell(value) for value in row] for row in chosen], notes


def _as_shown(cell: Any) -> object:
    """A cell's value; a number with zeros before it (007) and a percentage as the sheet shows them."""
    value, form = cell.value, str(getattr(cell, "number_format", "") or "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if re.fullmatch("0{2,}", form) and float(value).is_integer():
            return str(int(value)).zfill(len(form))
        if form.endswith("%"):
            return f"{100 * value:.10g}%"
    return value


def _header(rows: list[list[object]]) -> list[str]:
    """The first row of a sheet that holds anything, as names."""
    first = next((row for row in rows if any(value is not None for value in row)), [])
    return [_cell(value).strip().casefold() for value in first]


def _check_dates(source: str, rows: list[list[object]]) -> None:
    """Refuse a date where a name or a score is meant: spreadsheets make dates of 1-2 and the like."""
    names = _header(rows)
    for number, row in enumerate(rows, start=1):
        for name, value in zip(names, row, strict=False):
            if name in _NO_DATES and isinstance(value, datetime.date):
                raise CohortError(
                    f"{source}: row {number}: {name} is a date ({value:%Y-%m-%d}), which spreadsheets make "
                    "of 1-2 and the like; format the column as text and enter it again."
                )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _table(source: str, records: list[list[str]], notes: list[str]) -> TextTable:
    numbered = [(number, [cell.strip() for cell in record]) for number, record in enumerate(records, start=1)]
    filled = [(number, cells) for number, cells in numbered if any(cells)]
    if not filled:
        raise CohortError(f"{source}: is empty; it needs a header and a row a slide.")
    (place, header), body = filled[0], filled[1:]
    while header and not header[-1]:
        header.pop()
    repeated = [name for name, count in Counter(map(str.casefold, header)).items() if count > 1 and name]
    if repeated:
        raise CohortError(f"{source}: column {repeated[0]!r} appears twice; remove one.")
    for number, cells in body:
        if any(cells[len(header) :]):
            raise CohortError(
                f"{source}: row {number} has {len(cells)} cells and the header {len(header)}; put a cell "
                f"that holds the separator in quotes, and let the header stand first (it is row {place})."
            )
    named = [column for column, name in enumerate(header) if name]
    # Row numbers of other programs stand in a column without a name; a table may begin further right.
    notes = notes + [
        f"column {column + 1} has no name and is not read."
        for column, name in enumerate(header)
        if not name and any(cells[column : column + 1] != [""] for _, cells in body)
    ]
    rows = [
        (number, tuple(cells[column] if column < len(cells) else "" for column in named))
        for number, cells in body
    ]
    return TextTable(
        tuple(header[column] for column in named), tuple(row for row in rows if any(row[1])), tuple(notes)
    )
