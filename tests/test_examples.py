"""Examples in docstrings run, and the functions that a user calls with plain numbers have one."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from lowpower import cohort, evaluation, slides, stain, units

SRC = Path(__file__).parents[1] / "src"
WITH_EXAMPLES = [
    ".".join(path.relative_to(SRC).with_suffix("").parts)
    for path in sorted(SRC.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_run_as_they_are_written(module: str) -> None:
    outcome = doctest.testmod(import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    "function",
    [
        stain.her2_score, stain.h_score, stain.allred, stain.subtype, evaluation.wilson, cohort.scheme_of,
        slides.slide_name, units.scaled_size,
    ],
)  # fmt: skip
def test_what_takes_plain_numbers_shows_how(function: object) -> None:
    assert ">>> " in (function.__doc__ or "")
