"""Folds as a saved file: outer test, inner validation, the rest to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lowpower.cohort._table import Cohort
from lowpower.cohort.folds._audit import audit_leakage
from lowpower.errors import CohortError, wrong_value
from lowpower.files import write_json

__all__ = ["Fold", "FoldSlide", "Folds", "Split", "list_slides", "load_folds", "refuse_leaks"]


@dataclass(frozen=True, slots=True)
class Split:
    """One fold's parts as row indices into `Cohort.table`, each sorted.

    Attributes:
        train: To fit weights.
        validation: For early stopping, temperature and thresholds.
        test: Touched once, for the reported numbers.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


class FoldSlide(BaseModel):
    """A slide as the folds saw it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: int
    slide: str
    patient: str
    label: str


class Fold(BaseModel):
    """One fold: row indices into `Cohort.table`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    train: list[int]
    validation: list[int]
    test: list[int]

    def parts(self) -> dict[str, list[int]]:
        """The rows of each part by its name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


class Folds(BaseModel):
    """Every fold of a cohort under one label scheme; a saved file.

    Attributes:
        cohort_fingerprint: `Cohort.fingerprint` when made; another cohort is refused.
        slides: Every labelled slide, so that a person can read the file.
        folds: The parts of each fold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    scheme: str
    classes: list[str]
    seed: int
    validation_share: float
    leave_out: Literal["site", "scanner"] | None = None
    cohort_fingerprint: str
    slides: list[FoldSlide]
    folds: list[Fold] = Field(min_length=1)

    def __len__(self) -> int:
        return len(self.folds)

    def split(self, fold: int) -> Split:
        """The parts of fold number `fold`, counted from 0.

        Raises:
            CohortError: if there is no such fold.
        """
        if not 0 <= fold < len(self.folds):
            raise CohortError(f"fold {fold} does not exist; there are {len(self.folds)}, counted from 0.")
        parts = self.folds[fold]
        return Split(
            *(np.array(sorted(part), np.int64) for part in (parts.train, parts.validation, parts.test))
        )

    def save(self, path: str | Path) -> Path:
        """Write the folds as JSON.

        Raises:
            OutputError: if the file cannot be written.
        """
        write_json(path, self.model_dump(mode="json"))
        return Path(path)


def load_folds(
    path: str | Path,
    cohort: Cohort,
    *,
    content_hashes: Mapping[str, str] | None = None,
    shared_blocks: bool = False,
) -> Folds:
    """Read saved folds and prove again that they fit the cohort and leak nothing.

    Args:
        path: A file `Folds.save` wrote, edited by hand or not.
        cohort: The cohort they were made for.
        content_hashes: As in `make_folds`.
        shared_blocks: As in `make_folds`.

    Raises:
        CohortError: if the file is not folds, the cohort has changed, a slide is in two parts or none, or a
            patient, a slide's content or (with `shared_blocks`) a block is in two parts of one fold.
    """
    path = Path(path)
    try:
        folds = Folds.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CohortError(f"{path}: folds cannot be read ({error.strerror or error}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CohortError(f"{path}: is not a folds file ({wrong_value(place, first)}).") from error
    if folds.cohort_fingerprint != cohort.fingerprint:
        raise CohortError(
            f"{path}: these folds were made for another cohort than {cohort.source} (slides, patients, "
            "scores, ISH, sites or blocks differ); make new folds."
        )
    if folds.slides != list_slides(cohort, cohort.labels(folds.scheme)):
        raise CohortError(
            f"{path}: its list of slides was changed and no longer fits {cohort.source}; make new folds."
        )
    expected = {slide.row for slide in folds.slides}
    for fold in folds.folds:
        held = {*fold.train, *fold.validation, *fold.test}
        if held != expected:
            wrong = sorted(held ^ expected)[0]
            state = "is in no part" if wrong in expected else "is no labelled row of the cohort"
            raise CohortError(f"{path}: {fold.name}: row {wrong} {state}; make new folds.")
    refuse_leaks(cohort, folds, str(path), content_hashes, shared_blocks)
    return folds


def refuse_leaks(
    cohort: Cohort, folds: Folds, place: str, hashes: Mapping[str, str] | None, shared_blocks: bool
) -> None:
    """Raise CohortError for the first leak; `place` begins its sentence."""
    leaks = audit_leakage(cohort, folds, content_hashes=hashes, shared_blocks=shared_blocks)
    if leaks:
        more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
        raise CohortError(f"{place}: {leaks[0]}{more}; every part must keep whole patients, make new folds.")


def list_slides(cohort: Cohort, labels: pl.DataFrame) -> list[FoldSlide]:
    """The labelled rows as a folds file lists them; `labels` from `Cohort.labels`."""
    names = cohort.table["slide_name"]
    return [
        FoldSlide(row=row, slide=names[row], patient=patient, label=name)
        for row, patient, name in labels.select("row", "patient", "class").iter_rows()
    ]
