"""From the text cells of a manifest's rows to canonical values, and what is wrong with them."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lowpower.cohort._patients import says_distinct
from lowpower.cohort._spelling import canonical_ish, canonical_marker, canonical_score, percent_of
from lowpower.cohort._table import COLUMNS, REQUIRED, Problem
from lowpower.cohort.manifest._text_table import is_missing
from lowpower.errors import address_of, as_text
from lowpower.storage import from_folder
from lowpower.tissue import is_control_word

__all__ = ["fractions", "joined_empty", "parse_row", "repeated"]

_SHOWN = 12
_COPY_IT = "what was drawn is read on this machine alone: copy it here, and name it by its whole path."


def parse_row(
    cells: dict[str, str], folder: Path, required: Sequence[str] = REQUIRED
) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """One row in canonical form, and (kind, message) of what is wrong; a wrong cell becomes null."""
    wrong: list[tuple[str, str]] = []
    empty = [name for name in required if not cells[name]]
    if empty:
        wrong.append(("empty_cell", f"{_listed(empty)} {'is' if len(empty) == 1 else 'are'} empty."))
    wrong += [
        ("empty_cell", f"{name} is missing ({cells[name]}).")
        for name in required
        if cells[name] and is_missing(cells[name])
    ]
    # A missing value is no value, whatever its spelling: never score 0, never a patient called NULL.
    cells = {name: "" if is_missing(value) and name != "control" else value for name, value in cells.items()}
    row: dict[str, object] = {name: cells.get(name) or None for name in COLUMNS}
    row["distinct"] = "yes" if says_distinct(row["distinct"]) else None
    row["slide_name"] = row["slide"]
    for name in ("slide", "mask"):
        value = row[name]
        row[name] = _place(folder, str(value)) if value else None
    if row["control"] and not is_control_word(str(row["control"])):
        row["control"] = _place(folder, str(row["control"]))
    for name in ("mask", "control"):
        if address_of(row[name]) is not None:
            wrong.append((f"stored_{name}", f"its {name} {row[name]} lies in storage; {_COPY_IT}"))
            row[name] = None
    marker = None
    if cells.get("marker"):
        try:
            marker = canonical_marker(cells["marker"])
        except ValueError as error:
            wrong.append(("unknown_marker", f"{error}."))
    row["marker"] = marker
    if marker and cells.get("score"):
        try:
            row["score"] = canonical_score(cells["score"], marker)
        except ValueError as error:
            row["score"] = None
            wrong.append(("unknown_score", f"{error}."))
    try:
        row["ish"] = canonical_ish(cells.get("ish", ""))
    except ValueError as error:
        row["ish"] = None
        wrong.append(("unknown_ish", f"{error}."))
    if row["mpp"] is not None:
        row["mpp"], message = _parse_mpp(cells["mpp"])
        wrong += [("invalid_mpp", message)] if message else []
    return row, wrong


def _place(folder: Path, written: str) -> str:
    """A file as a row names it, from the manifest's folder; a path may be written as on Windows."""
    literal = from_folder(folder, written)
    if address_of(literal) is not None:
        return as_text(literal)
    if "\\" in written and not os.path.exists(literal):
        literal = folder / written.replace("\\", "/")
    return str(literal.absolute())


def joined_empty(problems: Sequence[Problem]) -> list[Problem]:
    """The same problems; rows in which the same cells are empty are told at the first, in one sentence."""
    rows: dict[str, list[int]] = defaultdict(list)
    for problem in problems:
        if problem.kind == "empty_cell" and problem.row is not None:
            rows[problem.message].append(problem.row)
    told = []
    for problem in problems:
        same = rows.get(problem.message, []) if problem.kind == "empty_cell" else []
        if len(same) > 1:
            if problem.row != same[0]:
                continue
            others = f"row{'s' if len(same) > 2 else ''} {_runs(same[1:])}"
            message = f"{problem.message.rstrip('.')}, as in {others}."
            problem = replace(problem, message=message, rows=len(same))
        told.append(problem)
    return told


def _runs(numbers: Sequence[int]) -> str:
    """Rising numbers as people list them: 3 to 7, 9 and 12."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    shown = [f"{run[0]} to {run[-1]}" if run[-1] > run[0] else str(run[0]) for run in runs[:_SHOWN]]
    more = len(runs) - _SHOWN
    return _listed([*shown, f"{more} more places"] if more > 0 else shown)


def _listed(words: Sequence[str]) -> str:
    """slide, patient and score."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _parse_mpp(text: str) -> tuple[float | None, str | None]:
    try:
        mpp = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None, f"mpp {text!r} is not a number of microns per pixel, for instance 0.25."
    if not (math.isfinite(mpp) and mpp > 0):
        return None, f"mpp {text!r} must be above 0; leave it empty to use what the file says."
    return mpp, None


def repeated(rows: list[dict[str, object]]) -> list[Problem]:
    """A slide file in more than one row: it would be counted twice, or carry two labels."""
    places: dict[object, list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        if row["slide"]:
            places[row["slide"]].append(row)
    problems = []
    for same in places.values():
        if len(same) > 1:
            numbers = ", ".join(str(row["manifest_row"]) for row in same)
            message = f"the same slide file is listed in rows {numbers}; keep one."
            first, name = same[0]["manifest_row"], same[0]["slide_name"]
            assert isinstance(first, int)
            problems.append(Problem(first, str(name), "repeated_slide", message))
    return problems


def fractions(rows: list[dict[str, object]]) -> list[Problem]:
    """ER, PR or Ki-67 written as 0.8 where 80 is meant: all at most 1, some between 0 and 1."""
    problems = []
    for marker in ("ER", "PR", "Ki-67"):
        scores = [row["score"] for row in rows if row["marker"] == marker and row["score"]]
        values = [value for score in scores if (value := percent_of(str(score))) is not None]
        if len(values) > 1 and max(values) <= 1 and any(0 < value < 1 for value in values):
            message = (
                f"every {marker} score is at most 1 (for instance {max(v for v in values if v < 1):g}), "
                "which looks like fractions; write percentages, 80 for 80 %."
            )
            problems.append(Problem(None, None, "fractions", message))
    return problems
