"""Predictions made elsewhere: a CSV with other people's column names, checked and said back plainly."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from lowpower.cohort import SCHEMES, LabelScheme, says_distinct, scheme_of, unify_patients
from lowpower.errors import CohortError, PredictionsError
from lowpower.evaluation.metrics import parse_predictions

__all__ = ["PER_SLIDE", "GivenPredictions", "arms_of", "one_spelling", "read_given"]

PER_SLIDE: Final = (
    "no patient column: every slide counts as a patient of its own, so intervals are per slide, and too "
    "narrow where a patient has several slides"
)
_SEPARATORS: Final = ",;\t"
_TOLERANCE: Final = 1e-3
_RECORDS: Final = ("study.json", "config.json")
"""What a study or a run keeps of its configuration, in the folder above that of its tables."""


@dataclass(frozen=True, eq=False)
class GivenPredictions:
    """A checked table of predictions.

    Attributes:
        path: The file.
        scheme: Its label scheme.
        table: Columns slide, patient, label (class index), p_0 .. p_(K-1); in the file's order.
        has_patients: False where the file has no patient column; `patient` then repeats `slide`.
        notes: What a reader must know.
    """

    path: Path
    scheme: LabelScheme
    table: pl.DataFrame
    has_patients: bool
    notes: tuple[str, ...]


def read_given(
    path: str | Path,
    scheme: str | None = None,
    columns: Mapping[str, str] | None = None,
    arm: str | None = None,
) -> GivenPredictions:
    """Read a table of probabilities made by any software.

    Args:
        path: CSV with one row a slide (separated by comma, semicolon or tab): `slide`, `label` (class name or
            index), if possible `patient`, and one probability a class: `p_<class>`, `<class>`, or `p_0` ..
            `p_<K-1>`. Other columns are ignored.
        scheme: Label scheme; None takes the only one whose class names are columns.
        columns: The file's own name of a column by the name expected here: `{"slide": "image_id"}`.
        arm: Of a table with a column `arm` (a study's predictions), the one to read.

    Raises:
        PredictionsError: naming the file, what is wrong and what to do.
    """
    path = Path(path)
    raw = _of_arm(path, _renamed(path, _read(path), columns or {}), arm)
    found = _scheme(path, raw, scheme)
    names = _probability_columns(path, raw, found)
    missing = [name for name in ("slide", "label") if name not in raw.columns]
    if missing:
        raise PredictionsError(
            f"{path}: has no column {' and none called '.join(missing)}{_near(missing[0], raw.columns)}; "
            f"it has {', '.join(raw.columns)}. Rename it, or say which column it is with "
            f"--column {missing[0]}=NAME."
        )
    if raw.height == 0:
        raise PredictionsError(f"{path}: has no rows under its header.")
    has_patients = "patient" in raw.columns
    _check_filled(path, raw, ["slide", "label", *(["patient"] if has_patients else [])])
    _check_once(path, raw)
    probabilities = [
        _probabilities(path, raw["slide"], raw[name]).alias(f"p_{index}") for index, name in enumerate(names)
    ]
    table = pl.DataFrame(
        [raw["slide"], (raw["patient"] if has_patients else raw["slide"]).alias("patient"), raw["label"]]
    ).with_columns(probabilities)
    _check_sums(path, table, len(names))
    try:
        checked = parse_predictions(table, found)
    except PredictionsError as error:
        raise PredictionsError(f"{path}: {error}") from error
    table = table.with_columns(label=pl.Series(checked.sample.labels, dtype=pl.Int64))
    if "distinct" in raw.columns:
        table = table.with_columns(raw["distinct"])
    given = GivenPredictions(path, found, table, has_patients, () if has_patients else (PER_SLIDE,))
    (given,) = one_spelling([given])
    return given


def one_spelling(tables: Sequence[GivenPredictions]) -> list[GivenPredictions]:
    """The tables with each patient spelled one way, the first of all; what was taken for one is noted.

    Raises:
        PredictionsError: two spellings differ by leading zeros or a separator alone, and no column distinct
            says that they are two people.
    """
    rows: list[dict[str, object]] = []
    for given in tables:
        where = "" if len(tables) == 1 else f"{given.path.name}, "
        for number, row in enumerate(given.table.iter_rows(named=True), start=2):
            rows.append(
                {
                    "patient": row["patient"] if given.has_patients else None,
                    "distinct": says_distinct(row.get("distinct")),
                    "manifest_row": number,
                    "slide_name": row["slide"],
                    "place": f"{where}row {number}",
                }
            )
    notes, problems = unify_patients(rows)
    if problems:
        raise PredictionsError(f"{tables[-1].path}: {problems[0].message}")
    spelled = iter(rows)
    found = []
    for given in tables:
        mine = [next(spelled)["patient"] for _ in range(given.table.height)]
        table = given.table
        if given.has_patients:
            table = table.with_columns(patient=pl.Series(mine, dtype=pl.String))
        told = tuple(note.rstrip(".") for note in notes if note.rstrip(".") not in given.notes)
        found.append(replace(given, table=table, notes=(*given.notes, *told)))
        notes = []  # each is said once
    return found


def _read(path: Path) -> pl.DataFrame:
    if not path.is_file():
        wrong = "is a folder without a run" if path.is_dir() else "no such file or run"
        raise PredictionsError(
            f"{path}: {wrong}; name a table of predictions (CSV), or a folder that lowpower train made."
        )
    try:
        with path.open(encoding="utf-8-sig") as stream:
            header = stream.readline()
        separator = max(_SEPARATORS, key=header.count)
        table = pl.read_csv(path, separator=separator, infer_schema=False)
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        reason = str(error).split("\n", 1)[0]
        raise PredictionsError(f"{path}: is not a table of text in UTF-8 ({reason}).") from error
    table = table.rename({name: name.strip() for name in table.columns})
    return table.with_columns(pl.all().str.strip_chars().fill_null(""))


def arms_of(path: str | Path) -> tuple[str, ...]:
    """The arms in a study's table of predictions, in its order; none in any other table.

    Raises:
        PredictionsError: it cannot be read.
    """
    table = _read(Path(path))
    return tuple(table["arm"].unique(maintain_order=True)) if "arm" in table.columns else ()


def _of_arm(path: Path, table: pl.DataFrame, arm: str | None) -> pl.DataFrame:
    arms = table["arm"].unique(maintain_order=True).to_list() if "arm" in table.columns else []
    if arm is None:
        if len(arms) > 1:
            raise PredictionsError(
                f"{path}: holds {len(arms)} arms ({', '.join(arms)}); say which with --arm."
            )
        return table
    if arm not in arms:
        has = f"it has {', '.join(arms)}" if arms else "it has no column arm"
        raise PredictionsError(f"{path}: has no arm {arm!r}{_near(arm, arms)}; {has}.")
    return table.filter(pl.col("arm") == arm)


def _renamed(path: Path, table: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    for wanted, theirs in columns.items():
        if theirs not in table.columns:
            raise PredictionsError(
                f"{path}: has no column {theirs!r} to serve as {wanted}{_near(theirs, table.columns)}; "
                f"it has {', '.join(table.columns)}."
            )
    taken = set(columns.values())
    kept = [name for name in table.columns if name not in taken and name not in columns]
    return table.select(*(pl.col(theirs).alias(wanted) for wanted, theirs in columns.items()), *kept)


def _styles(scheme: LabelScheme) -> tuple[list[str], list[str], list[str]]:
    """The three ways to name one column a class; the first two name the classes."""
    classes = scheme.classes
    return [f"p_{name}" for name in classes], list(classes), [f"p_{index}" for index in range(len(classes))]


def _recorded(path: Path, table: pl.DataFrame) -> LabelScheme | None:
    """The scheme of a run or study that wrote the table, out of the record that lies above it."""
    for record in (path.parent.parent / name for name in _RECORDS):
        try:
            scheme = scheme_of(str(json.loads(record.read_bytes())["scheme"]))
        except (OSError, ValueError, KeyError, TypeError, CohortError):
            continue
        columns = _styles(scheme)[2]
        if set(columns) <= set(table.columns) and f"p_{len(columns)}" not in table.columns:
            return scheme
    return None


def _scheme(path: Path, table: pl.DataFrame, name: str | None) -> LabelScheme:
    if name is not None:
        try:
            return scheme_of(name)
        except CohortError as error:
            raise PredictionsError(f"{error} Name one with --scheme.") from error
    named = {
        scheme.name: set(style)
        for scheme in SCHEMES.values()
        for style in _styles(scheme)[:2]
        if set(style) <= set(table.columns)
    }
    # negative, low positive, positive hold negative, positive: the scheme that names more columns is meant.
    fitting = [SCHEMES[one] for one in named if not any(named[one] < other for other in named.values())]
    recorded = _recorded(path, table)
    if not fitting and recorded is not None:
        return recorded
    if len(fitting) != 1:
        told = "fit " + " and ".join(scheme.name for scheme in fitting)
        if not fitting:
            told = f"({', '.join(table.columns)}) hold no probabilities by class, such as p_0 and p_1+"
        raise PredictionsError(
            f"{path}: its columns {told}; say which it is with --scheme ({', '.join(SCHEMES)})."
        )
    return fitting[0]


def _probability_columns(path: Path, table: pl.DataFrame, scheme: LabelScheme) -> list[str]:
    styles = _styles(scheme)
    for style in styles:
        if set(style) <= set(table.columns):
            return style
    best = max(styles, key=lambda style: len(set(style) & set(table.columns)))
    missing = [name for name in best if name not in table.columns]
    raise PredictionsError(
        f"{path}: has no probability column {missing[0]!r}{_near(missing[0], table.columns)}; {scheme.name} "
        f"needs one column a class, {' or '.join(', '.join(style) for style in styles)}. It has "
        f"{', '.join(table.columns)}; --column {missing[0]}=NAME says which column serves."
    )


def _near(name: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _check_filled(path: Path, table: pl.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        empty = (table[name] == "").arg_true()
        if empty.len():
            # Counted as a spreadsheet does: the header is line 1.
            raise PredictionsError(
                f"{path}: line {empty[0] + 2} has no {name}; fill it in or remove the line."
            )


def _check_once(path: Path, table: pl.DataFrame) -> None:
    repeated = table["slide"].filter(table["slide"].is_duplicated()).unique(maintain_order=True)
    if repeated.len():
        more = f" (and {repeated.len() - 1} more slides)" if repeated.len() > 1 else ""
        raise PredictionsError(
            f"{path}: slide {repeated[0]!r}{more} occurs more than once; each slide needs one row."
        )


def _probabilities(path: Path, slides: pl.Series, column: pl.Series) -> pl.Series:
    numbers = column.cast(pl.Float64, strict=False)
    wrong = (numbers.is_null() | ~numbers.is_finite().fill_null(False)).arg_true()
    if wrong.len():
        row = wrong[0]
        raise PredictionsError(
            f"{path}: slide {slides[row]!r} has {column[row] or 'nothing'!r} as {column.name}, which is no "
            f"number ({wrong.len()} such slides); a slide without a prediction must be left out, and be said."
        )
    return numbers


def _check_sums(path: Path, table: pl.DataFrame, classes: int) -> None:
    for slide, *values in table.select("slide", *(f"p_{index}" for index in range(classes))).iter_rows():
        total = math.fsum(values)
        if min(values) < 0 or abs(total - 1) > _TOLERANCE:
            shown = ", ".join(f"{value:g}" for value in values)
            percent = " They look like per cent: divide by 100." if abs(total - 100) < 0.5 else ""
            raise PredictionsError(
                f"{path}: the probabilities of slide {slide!r} ({shown}) sum to {total:.4g}, not to 1, or "
                f"one is negative; give calibrated or softmax probabilities, not scores.{percent}"
            )
