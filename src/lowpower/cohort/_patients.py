"""One identity of a patient, however a table spells it."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from lowpower.cohort._table import Problem

__all__ = ["canonical_patient", "says_distinct", "unify_patients"]

_SEPARATORS = re.compile(r"[\s_\-./\\:,;\u2010-\u2015\u2212]+")
_SPREADSHEET = re.compile(r"(\d+)\.0+")


def canonical_patient(text: str) -> str:
    """The identity behind a spelling.

    Full-width and composed letters are made one (NFKC), case is folded, characters that only format
    (zero-width ones among them) are dropped, separators inside are one, and the `.0` that spreadsheets add to
    numbers goes.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(
        letter for letter in plain if unicodedata.category(letter) not in ("Cf", "Cc") or letter.isspace()
    )
    plain = unicodedata.normalize("NFKC", plain.strip())
    whole = _SPREADSHEET.fullmatch(plain)
    return whole[1] if whole else _SEPARATORS.sub("-", plain).strip("-")


def says_distinct(text: object) -> bool:
    """Whether a cell of the column distinct says yes."""
    return str(text or "").strip().casefold() in ("yes", "y", "true", "1", "x")


def _loose(canonical: str) -> str:
    """What two identities share that differ by leading zeros or separators alone."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", canonical.replace("-", "\0")).replace("\0", "")


def unify_patients(rows: Sequence[dict[str, object]]) -> tuple[list[str], list[Problem]]:
    """Give rows of one identity one spelling, the first; and refuse what may be one person or two.

    Identities that differ by leading zeros or a separator alone (007 and 7, P-1 and P1) are asked about,
    unless a row of one of them says in `distinct` that it is another person.

    Args:
        rows: With `patient`, `distinct`, `manifest_row` and `slide_name`, and where rows are of several
            tables `place`, which is named instead of the row; `patient` is changed in place.

    Returns:
        Notes, and problems.
    """
    first: dict[str, tuple[str, str]] = {}
    notes, told = [], set()
    loose: dict[str, dict[str, dict[str, object]]] = defaultdict(dict)
    for row in rows:
        spelled = row["patient"]
        if not spelled:
            continue
        key = canonical_patient(str(spelled)) or str(spelled)
        place = _place(row)
        known, where = first.setdefault(key, (str(spelled), place))
        if known != spelled and (known, spelled) not in told:
            told.add((known, spelled))
            notes.append(f"patients {known!r} ({where}) and {spelled!r} ({place}) are taken for one person.")
        row["patient"] = known
        if not row.get("distinct"):
            loose[_loose(key)].setdefault(key, row)
    problems = []
    for same in loose.values():
        if len(same) < 2:
            continue
        one, other = list(same.values())[:2]
        message = (
            f"patients {one['patient']!r} ({_place(one)}) and {other['patient']!r} ({_place(other)}) "
            "differ by leading zeros or a separator alone: spell one person one way, or say yes in a column "
            "distinct if they are two people."
        )
        number = other["manifest_row"]
        assert isinstance(number, int)
        problems.append(Problem(number, str(other["slide_name"] or ""), "two_spellings", message))
    return notes, problems


def _place(row: dict[str, object]) -> str:
    return str(row.get("place") or f"row {row['manifest_row']}")
