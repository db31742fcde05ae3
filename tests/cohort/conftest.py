from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from lowpower.cohort import Cohort, read_cohort, write_manifest


@pytest.fixture
def make_cohort(tmp_path: Path) -> Callable[[Sequence[Mapping[str, object]]], Cohort]:
    """A cohort from rows; slide and marker are filled in where a row leaves them out."""

    def make(rows: Sequence[Mapping[str, object]]) -> Cohort:
        full = [{"slide": f"s{n}.tif", "marker": "HER2"} | dict(row) for n, row in enumerate(rows)]
        return read_cohort(write_manifest(tmp_path / "cohort.csv", full))

    return make
