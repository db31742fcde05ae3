"""A cohort in memory: one row a slide, and what can be wrong with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl

from lowpower.cohort._schemes import ISH_UNKNOWN, IshUnknown, LabelScheme, scheme_of
from lowpower.errors import CohortError, as_text, one_line

__all__ = ["COLUMNS", "REQUIRED", "Cohort", "Problem", "sentences"]

REQUIRED: Final = ("slide", "patient", "marker", "score")
COLUMNS: Final[dict[str, str]] = {
    "slide": "slide file, relative to the manifest or absolute",
    "patient": "patient identifier; one patient's slides never fall into two parts",
    "marker": "HER2, ER, PR or Ki-67",
    "score": "HER2: 0, 1+, 2+, 3+; ER, PR and Ki-67: percentage of stained tumour nuclei",
    "ish": "in-situ hybridisation: positive, negative or unknown",
    "mpp": "microns per pixel; overrides what the file says",
    "site": "hospital or laboratory",
    "scanner": "scanner model",
    "block": "tissue block, within its patient",
    "mask": "tissue mask image, relative to the manifest or absolute",
    "distinct": "yes where this patient is another person than one whose identifier is nearly the same",
    "control": "on-slide control tissue: auto, none, an end (left, ...), a box X,Y,WIDTH,HEIGHT, or a file",
}
"""Every column a manifest may have; the first four are required."""

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a cohort.

    Attributes:
        row: Row of the manifest as a spreadsheet counts (the header is 1); None for the file as a whole.
        slide: As the manifest spells it, or None.
        kind: Short machine-readable name ("unknown_score", "missing_mpp", "near_duplicate", ...).
        message: One sentence: what is wrong and what to do.
        rows: In how many rows it is the same; they are told in one sentence.
    """

    row: int | None
    slide: str | None
    kind: str
    message: str
    rows: int = 1

    def __str__(self) -> str:
        place = f"row {self.row}" if self.row is not None else ""
        where = ", ".join(part for part in (place, one_line(self.slide or "")) if part)
        return f"{where}: {self.message}" if where else self.message


@dataclass(frozen=True)
class Cohort:
    """A manifest that read without a problem.

    Attributes:
        path: The manifest, or its address in storage.
        table: One row a slide; every column of `COLUMNS` (null where the manifest has none), `slide`, `mask`
            and a file in `control` as absolute paths or addresses, `marker`, `score`, `ish` canonical, `mpp`
            a float; `slide_name`, the slide as the manifest spells it; and `manifest_row`, as a spreadsheet
            counts (the header is row 1).
        notes: What was taken for granted in reading: columns passed over, patients of one identity.
        ish_unknown: Whether 2+ without in-situ hybridisation counts as low (flagged), or takes no part where
            a scheme asks for it.
    """

    path: Path
    table: pl.DataFrame
    notes: tuple[str, ...] = ()
    ish_unknown: IshUnknown = "low"

    def __len__(self) -> int:
        return self.table.height

    @property
    def source(self) -> str:
        """The manifest as messages name it."""
        return as_text(self.path)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what labels and folds rest on; moving the folder does not change it.

        Covered, row by row in order: the slide as spelled, patient, marker, score, ish, site and block.
        """
        names = ("slide_name", "patient", "marker", "score", "ish", "site", "block")
        rows = self.table.select(names).rows()
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()

    def labels(self, scheme: str | LabelScheme) -> pl.DataFrame:
        """The rows of the scheme's marker with their class.

        Returns:
            Columns `row` (index into `table`), `slide`, `patient`, `label` (class index), `class` and `flag`.

        Raises:
            CohortError: if no row has the marker, or a score says too little for the scheme.
        """
        scheme = scheme_of(scheme)
        rows, problems = [], []
        for row, entry in enumerate(self.table.iter_rows(named=True)):
            if entry["marker"] != scheme.marker:
                continue
            try:
                label = scheme.label(entry["score"], entry["ish"])
            except CohortError as error:
                problems.append(f"row {entry['manifest_row']}: {error}")
                continue
            if label.flag == ISH_UNKNOWN and self.ish_unknown == "exclude":
                continue
            name = scheme.classes[label.index]
            rows.append((row, entry["slide"], entry["patient"], label.index, name, label.flag))
        if problems:
            raise CohortError(sentences(self.source, problems))
        if not rows:
            raise CohortError(f"{self.source}: no row has the marker {scheme.marker} ({scheme.name}).")
        columns = {
            "row": pl.Int64,
            "slide": pl.String,
            "patient": pl.String,
            "label": pl.Int64,
            "class": pl.String,
            "flag": pl.String,
        }
        return pl.DataFrame(rows, schema=columns, orient="row")

    def left_out(self, scheme: str | LabelScheme) -> str:
        """How many slides of the scheme's marker take no part for want of ISH; empty where none."""
        scheme = scheme_of(scheme)
        slides = self.table.filter(marker=scheme.marker).height - self.labels(scheme).height
        if not slides:
            return ""
        what = "slide that is" if slides == 1 else "slides that are"
        return f"left out: {slides} {what} {ISH_UNKNOWN} (ish_unknown: exclude)."


def sentences(source: str, problems: list[str]) -> str:
    """The first few problems of a manifest as one message, and how many more there are."""
    shown = problems[:_SHOWN]
    more = len(problems) - len(shown)
    rest = f" And {more} more; `lowpower check` lists all." if more else ""
    return f"{source}: " + " ".join(shown) + rest
