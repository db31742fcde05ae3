"""The measured numbers of a cohort's slides, as the decision's combination takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

import polars as pl

from lowpower.cohort import Cohort, LabelScheme
from lowpower.evaluation import APPEARANCE_COLUMNS, AREA_COLUMNS, MEASURED_COLUMNS
from lowpower.experiments.artefacts._make_artefacts import make_artefacts
from lowpower.experiments.artefacts._makers import Artefact
from lowpower.experiments.plan import Need
from lowpower.stain import Laboratory, Marker

__all__ = ["with_measured"]


def with_measured(
    table: pl.DataFrame,
    cohort: Cohort,
    scheme: LabelScheme,
    cache: Path,
    *,
    laboratory: Laboratory | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """A table of predictions with `MEASURED_COLUMNS`, `AREA_COLUMNS`, `APPEARANCE_COLUMNS`; null if unknown.

    What was measured before, of the same slide in the same way, is not measured again. The table comes back
    as it is where the marker is none that can be measured.

    Args:
        table: Has a column `row`, the slide's row in the cohort.
        cohort: The cohort.
        scheme: Its marker is measured.
        cache: Folder of what was measured.
        laboratory: Whose cut-offs measure; the usual ones if None.
        workers: Processes.
        progress: Called with (done, total).
    """
    if scheme.marker not in get_args(Marker):
        return table
    need = Need(kind="measure", marker=cast(Marker, scheme.marker), laboratory=laboratory)
    rows: Sequence[int] = table["row"].to_list()
    made = make_artefacts([need], cohort, rows, cache, workers=workers, threads=1, progress=progress)
    return _joined(table, made[need.key])


def _joined(table: pl.DataFrame, made: Mapping[int, Artefact]) -> pl.DataFrame:
    # Shares by grade, then the H-score as a share of 300, then areas.
    values = [made[row].values for row in table["row"].to_list()]
    numbers = [(*told[:4], 300 * told[4], *told[5:8]) if told else (None,) * 8 for told in values]
    unknown = (None,) * len(APPEARANCE_COLUMNS)
    looks = [made[row].appearance or unknown for row in table["row"].to_list()]
    rows = [(*told, *look) for told, look in zip(numbers, looks, strict=True)]
    names = (*MEASURED_COLUMNS, *AREA_COLUMNS, *APPEARANCE_COLUMNS)
    return table.with_columns(
        pl.Series(name, [row[place] for row in rows], dtype=pl.Float64) for place, name in enumerate(names)
    )
