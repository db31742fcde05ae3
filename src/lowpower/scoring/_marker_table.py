"""One marker's results per slide: a results.csv of this package, or a table made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from lowpower.cohort import canonical_patient, says_distinct, scheme_of
from lowpower.errors import CohortError, PredictionsError

__all__ = ["Reading", "patients_of", "read_marker"]

_VALUES: Final = {"HER2": ("decision", "score")}
_PERCENTAGES: Final = ("decision", "percent", "score")
_ANY: Final = (0.0, 100.0)
_KI67: Final = {
    "ki67_status": {"low": (0.0, 19.99), "high": (20.0, 100.0)},
    "ki67_three": {"low": (0.0, 5.0), "intermediate": (5.01, 29.99), "high": (30.0, 100.0)},
}
"""Percentages that a class of a scheme allows."""
_WORDS: Final = {word for classes in _KI67.values() for word in classes}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one slide says of a marker.

    Attributes:
        patient: Whose it is.
        slide: Its name.
        text: As the table spells it.
        status: HER2: negative, positive or equivocal; ER, PR and Ki-67: negative or positive; None where the
            slide gives no answer.
        percent: ER, PR and Ki-67: least and greatest percentage that the text allows.
        missing: Why there is no answer, or an empty string.
        table: Name of the file it stands in.
        line: Its line there, the header is 1.
        distinct: Whether the table says that this is another patient than one spelled nearly alike.
    """

    patient: str
    slide: str
    text: str
    status: str | None = None
    percent: tuple[float, float] = _ANY
    missing: str = ""
    table: str = ""
    line: int = 0
    distinct: bool = False


def patients_of(path: str | Path) -> dict[str, tuple[str, str]]:
    """Patient and in-situ hybridisation by slide, of a manifest or any table with slide and patient.

    Raises:
        PredictionsError: the table cannot be read, lacks a column, or gives a slide two patients.
    """
    table = _read(Path(path))
    for name in ("slide", "patient"):
        if name not in table.columns:
            raise PredictionsError(f"{path}: has no column {name}; it needs slide and patient.")
    known: dict[str, tuple[str, str]] = {}
    for row in table.iter_rows(named=True):
        name = Path(row["slide"]).name
        if name in known and canonical_patient(known[name][0]) != canonical_patient(row["patient"]):
            raise PredictionsError(f"{path}: slide {name!r} has two patients; names must differ.")
        known[name] = (row["patient"], row.get("ish", "") or known.get(name, ("", ""))[1])
    return known


def read_marker(
    path: str | Path, marker: str, patients: Mapping[str, tuple[str, str]] | None = None
) -> list[Reading]:
    """Read one marker's table.

    Args:
        path: CSV with `decision`, `percent` (not HER2) or `score`; `patient`, or `file` or `slide` that
            `patients` knows; if there, `ish`, `state`, `reason`, `marker` and `scheme`, as in results.csv.
        marker: HER2, ER, PR or Ki-67.
        patients: Patient and ISH by file name of the slide.

    Raises:
        PredictionsError: naming the file, what is wrong and what to do.
    """
    path, patients = Path(path), patients or {}
    table = _read(path)
    wanted = _VALUES.get(marker, _PERCENTAGES)
    value = next((name for name in wanted if name in table.columns), None)
    if value is None:
        raise PredictionsError(
            f"{path}: has none of the columns {', '.join(wanted)}; it has {', '.join(table.columns)}."
        )
    readings = []
    for line, row in enumerate(table.iter_rows(named=True), start=2):
        found = row.get("marker") or marker
        if found.upper() != marker.upper():
            raise PredictionsError(
                f"{path}: line {line} is of {found}, but {marker} is expected; is the order right?"
            )
        slide = Path(row.get("file") or row.get("slide") or "").name
        patient = row.get("patient") or patients.get(slide, ("", ""))[0]
        if not patient:
            raise PredictionsError(
                f"{path}: line {line} names no patient; add a column patient, or give a table of slide and "
                "patient with --patients."
            )
        ish = row.get("ish") or patients.get(slide, ("", ""))[1]
        reading = Reading(patient, slide or f"line {line}", row[value])
        distinct = says_distinct(row.get("distinct"))
        found_one = _read_one(path, line, marker, reading, row, ish)
        readings.append(replace(found_one, table=path.name, line=line, distinct=distinct))
    return readings


def _read(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise PredictionsError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; name a CSV.")
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise PredictionsError(
            f"{path}: cannot be read as a table ({str(error).splitlines()[0]})."
        ) from error
    return table.with_columns(pl.all().fill_null("").str.strip_chars())


def _read_one(
    path: Path, line: int, marker: str, reading: Reading, row: Mapping[str, str], ish: str
) -> Reading:
    state, text = row.get("state") or "ok", reading.text
    why = row.get("reason") or ""
    if state != "ok" or not text:
        return _without(
            reading, f"{reading.slide} has no result ({why or state if state != 'ok' else 'empty'})"
        )
    if text == "refer":
        return _without(reading, f"{reading.slide} was referred to a human{f' ({why})' if why else ''}")
    try:
        if marker == "HER2":
            return _her2(reading, ish, row.get("scheme") or "")
        if marker == "Ki-67":
            return _ki67(reading, row.get("scheme") or "")
        return _percentage(reading, marker)
    except (CohortError, ValueError) as error:
        raise PredictionsError(f"{path}: line {line}: {error}") from error


def _without(reading: Reading, why: str) -> Reading:
    return Reading(reading.patient, reading.slide, reading.text, missing=why)


def _her2(reading: Reading, ish: str, scheme: str) -> Reading:
    status = scheme_of("her2_status")
    label = status.label(reading.text, ish)
    # The class Low of her2_three holds 2+ too, unless ISH was done.
    low = scheme == "her2_three" and reading.text == "Low" and "unknown" in _ish(ish)
    answer = "equivocal" if label.flag is not None or low else status.classes[label.index]
    return Reading(reading.patient, reading.slide, reading.text, status=answer)


def _ish(ish: str) -> str:
    """positive, negative or unknown, told by what it does to 2+."""
    label = scheme_of("her2_status").label("2+", ish)
    return "unknown" if label.flag is not None else scheme_of("her2_status").classes[label.index]


def _percentage(reading: Reading, marker: str) -> Reading:
    label = scheme_of("er_status" if marker == "ER" else "pr_status").label(reading.text)
    try:
        exact = float(reading.text.rstrip(" %"))
        bounds = (exact, exact)
    except ValueError:
        bounds = _bounds(marker, label.index)
    status = "negative" if bounds[1] < 1 else "positive"
    return Reading(reading.patient, reading.slide, reading.text, status, bounds)


def _ki67(reading: Reading, scheme: str) -> Reading:
    """A class of a Ki-67 scheme has its cut-off; a bare "high" has none, and is refused."""
    bounds = _KI67.get(scheme, {}).get(reading.text)
    if bounds is None:
        try:
            percent = float(reading.text.rstrip(" %"))
        except ValueError:
            percent = -1.0
        if not 0 <= percent <= 100:
            bare = reading.text.casefold() in _WORDS
            why = "names no cut-off" if bare else "is no percentage from 0 to 100"
            raise ValueError(f"Ki-67 {reading.text!r} {why}; give the percentage of stained nuclei.")
        bounds = (percent, percent)
    status = "negative" if bounds[1] < 1 else "positive"
    return Reading(reading.patient, reading.slide, reading.text, status, bounds)


def _bounds(marker: str, index: int) -> tuple[float, float]:
    """Percentages that a word allows; a positive without a number may be anything from 1 on."""
    if index == 0:
        return 0.0, 0.99
    return (1.0, 10.0) if marker == "ER" and index == 1 else (1.0, 100.0)
