"""Patient-level surrogate subtype: HER2, ER, PR and, where given, Ki-67 joined; nothing is guessed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, cast

import polars as pl

from lowpower.cohort import unify_patients
from lowpower.errors import PredictionsError
from lowpower.files import write_text
from lowpower.scoring._marker_table import Reading, patients_of, read_marker
from lowpower.stain import subtype

__all__ = ["NOT_DETERMINED", "PatientSubtype", "subtype_table", "subtypes_of", "write_subtypes"]

NOT_DETERMINED: Final = "not determined"
_LUMINAL: Final = "luminal, HER2-negative (A or B)"
_A_OR_B: Final = {"luminal A-like", "luminal B-like HER2-negative", _LUMINAL}


@dataclass(frozen=True, slots=True)
class PatientSubtype:
    """One patient.

    Attributes:
        patient: Who.
        her2: What the slides say, as the tables spell it; several joined by " / ".
        er: The same of ER.
        pr: The same of PR.
        ki67: The same of Ki-67; empty where it was not given.
        subtype: St Gallen 2013 surrogate, or "not determined".
        missing: What is needed to say more, or an empty string.
    """

    patient: str
    her2: str
    er: str
    pr: str
    ki67: str
    subtype: str
    missing: str


def subtypes_of(
    her2: str | Path,
    er: str | Path,
    pr: str | Path,
    ki67: str | Path | None = None,
    *,
    patients: str | Path | None = None,
) -> list[PatientSubtype]:
    """Join tables of single markers by patient; see `lowpower.stain.subtype` for the rule.

    Args:
        her2: results.csv of `lowpower score`, or any CSV with patient and score (and ish).
        er: The same for ER: percentage, or negative, low positive, positive.
        pr: The same for PR.
        ki67: The same for Ki-67, percentages.
        patients: Table of slide, patient and, if known, ish: for tables that name slides alone.

    Returns:
        Every patient of any table, sorted.

    Raises:
        PredictionsError: a table cannot be used.
    """
    known = patients_of(patients) if patients is not None else {}
    paths = {"HER2": her2, "ER": er, "PR": pr} | ({} if ki67 is None else {"Ki-67": ki67})
    readings = {marker: read_marker(path, marker, known) for marker, path in paths.items()}
    tables = {marker: _by_patient(of) for marker, of in _one_spelling(readings).items()}
    everyone = sorted(set().union(*tables.values()))
    return [_join(one, {m: table.get(one, []) for m, table in tables.items()}) for one in everyone]


def subtype_table(found: Sequence[PatientSubtype]) -> pl.DataFrame:
    """One row a patient."""
    names = list(PatientSubtype.__slots__)
    rows = [[getattr(one, name) for name in names] for one in found]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def write_subtypes(found: Sequence[PatientSubtype], path: str | Path) -> Path:
    """Write `subtype_table` as a CSV.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(path, subtype_table(found).write_csv())
    return Path(path)


def _one_spelling(readings: dict[str, list[Reading]]) -> dict[str, list[Reading]]:
    """Readings of one person under one spelling, the first of all tables.

    Raises:
        PredictionsError: two spellings may be one person or two.
    """
    every = [reading for of in readings.values() for reading in of]
    rows: list[dict[str, object]] = [
        {
            "patient": one.patient,
            "distinct": one.distinct,
            "manifest_row": one.line,
            "slide_name": one.slide,
            "place": f"{one.table}, row {one.line}",
        }
        for one in every
    ]
    _, problems = unify_patients(rows)
    if problems:
        raise PredictionsError(problems[0].message)
    same = iter([replace(one, patient=str(row["patient"])) for one, row in zip(every, rows, strict=True)])
    return {marker: [next(same) for _ in of] for marker, of in readings.items()}


def _by_patient(readings: Sequence[Reading]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.patient, []).append(reading)
    return found


def _join(patient: str, of: dict[str, list[Reading]]) -> PatientSubtype:
    said = {marker: " / ".join(dict.fromkeys(r.text for r in readings)) for marker, readings in of.items()}
    needed = [_unusable(marker, of[marker]) for marker in ("HER2", "ER", "PR")]
    missing = [problem for problem in needed if problem]
    name = NOT_DETERMINED
    if not missing:
        name, missing = _subtype(of)
    return PatientSubtype(
        patient, said["HER2"], said["ER"], said["PR"], said.get("Ki-67", ""), name, "; ".join(missing)
    )


def _unusable(marker: str, readings: Sequence[Reading]) -> str:
    """Why a marker gives no single answer, or an empty string."""
    if not readings:
        return f"{marker}: no result"
    referred = [reading for reading in readings if reading.text == "refer"]
    answers = [reading for reading in readings if reading.status is not None]
    if referred or not answers:
        # A slide that waits for a human may yet contradict the others.
        return f"{marker}: {(referred or list(readings))[0].missing}"
    if len({reading.status for reading in answers}) > 1:
        told = ", ".join(f"{reading.slide} {reading.text}" for reading in answers)
        return f"{marker}: slides contradict one another ({told})"
    if answers[0].status == "equivocal":
        return f"{marker}: {answers[0].slide} is {answers[0].text} without in-situ hybridisation"
    return ""


def _subtype(of: dict[str, list[Reading]]) -> tuple[str, list[str]]:
    """The subtype if every percentage that the readings allow gives the same, else what keeps it open."""
    her2 = cast(Literal["negative", "positive"], next(r.status for r in of["HER2"] if r.status is not None))
    er, pr = _span(of["ER"]), _span(of["PR"])
    ki67_problem = _ki67_problem(of)
    ki67: tuple[float | None, ...] = (None,) if ki67_problem else _span(of["Ki-67"])
    possible = {subtype(*each[:2], her2, each[2]) for each in itertools.product(er, pr, ki67)}
    if len(possible) == 1:
        (name,) = possible
        return name, [ki67_problem] if ki67_problem and name == _LUMINAL else []
    if possible <= _A_OR_B:
        spans = [("PR", pr), *([] if ki67_problem else [("Ki-67", _span(of["Ki-67"]))])]
        open_ones = [
            f"{marker}: {low:g} to {high:g} % leaves luminal A or B open"
            for marker, (low, high) in spans
            if low < 20 <= high
        ]
        return _LUMINAL, [*open_ones, *filter(None, [ki67_problem])]
    return NOT_DETERMINED, ["ER, PR: percentages are needed"]


def _ki67_problem(of: dict[str, list[Reading]]) -> str:
    readings = of.get("Ki-67", [])
    if not any(reading.status is not None for reading in readings):
        return f"Ki-67: {readings[0].missing}" if readings else "Ki-67: not given"
    referred = [reading.missing for reading in readings if reading.text == "refer"]
    return f"Ki-67: {referred[0]}" if referred else ""


def _span(readings: Sequence[Reading]) -> tuple[float, float]:
    """Least and greatest percentage of a patient's slides."""
    answers = [reading.percent for reading in readings if reading.status is not None]
    return min(low for low, _ in answers), max(high for _, high in answers)
