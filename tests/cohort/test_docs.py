from __future__ import annotations

import re
from pathlib import Path

import pytest

from lowpower.cohort import (
    COLUMNS,
    HER2_SCORES,
    ISH_SPELLINGS,
    KI67_SCORES,
    MARKER_SPELLINGS,
    RECEPTOR_SCORES,
    SCHEMES,
)

TEXT = (Path(__file__).parents[2] / "docs" / "cohort.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in TEXT.splitlines()
    if line.startswith("|")
]


def test_columns_are_documented_as_they_are() -> None:
    documented = {row[0].strip("`"): row[2] for row in ROWS if len(row) == 3 and row[1] in ("yes", "no")}

    assert documented == COLUMNS


@pytest.mark.parametrize(
    "table", [MARKER_SPELLINGS, HER2_SCORES, RECEPTOR_SCORES, KI67_SCORES, ISH_SPELLINGS]
)
def test_every_spelling_is_documented(table: dict[str, tuple[str, ...]]) -> None:
    documented = [
        (row[1].removesuffix(", a status"), {spelling.strip() for spelling in row[2].split(",")})
        for row in ROWS
        if len(row) == 3
    ]

    for canonical, spellings in table.items():
        wanted = {spelling or "an empty cell" for spelling in spellings}
        assert any(name == canonical and said == wanted for name, said in documented), canonical


def test_schemes_are_documented() -> None:
    documented = {row[0].strip("`"): row[1] for row in ROWS if row[0].strip("`") in SCHEMES}

    assert documented == {name: ", ".join(scheme.classes) for name, scheme in SCHEMES.items()}
