"""Making folds: whole patients only, classes spread evenly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.cohort._schemes import LabelScheme, scheme_of
from lowpower.cohort._table import Cohort
from lowpower.cohort.folds._deal import deal, draw_share
from lowpower.cohort.folds._folds import Fold, Folds, list_slides, refuse_leaks
from lowpower.cohort.folds._kept_together import group_rows
from lowpower.errors import CohortError

__all__ = ["make_folds"]


def make_folds(
    cohort: Cohort,
    scheme: str | LabelScheme,
    *,
    outer: int = 5,
    seed: int = 0,
    validation_share: float = 0.2,
    leave_out: Literal["site", "scanner"] | None = None,
    content_hashes: Mapping[str, str] | None = None,
    shared_blocks: bool = False,
) -> Folds:
    """Divide a cohort's labelled slides into test, validation and training parts, several times.

    Args:
        cohort: Rows of another marker than the scheme's are left out.
        scheme: Label scheme, or its name.
        outer: Number of folds; each labelled slide is in the test part of one. Ignored with `leave_out`.
        seed: Same cohort, scheme and seed: same folds.
        validation_share: Share of each class's patients outside the test part that go to validation.
        leave_out: Make one fold for each value of this column, with that value's slides as the test part.
        content_hashes: Content hash by absolute slide path; slides of equal content stay together.
        shared_blocks: True where a block identifier is unique in the cohort (an accession number), so that
            patients who share one stay together. Otherwise a block lies within its patient.

    Raises:
        CohortError: if a class has too few patients (says which, and how many folds would do), or a patient
            has slides at two sites with `leave_out`.
    """
    scheme = scheme_of(scheme)
    if not 0 < validation_share < 1:
        raise CohortError(f"validation share must lie between 0 and 1, got {validation_share:g}.")
    labels = cohort.labels(scheme)
    rows, classes = labels["row"].to_numpy(), labels["label"].to_numpy()
    groups = group_rows(cohort, rows, content_hashes, shared_blocks)
    counts = _patients_of(classes, groups, len(scheme.classes))
    if leave_out is None:
        _check_enough(cohort.source, scheme, counts, outer)
        tests = deal(classes, groups, outer, np.random.default_rng([seed, 0]))
        names = [f"fold {fold}" for fold in range(outer)]
    else:
        tests, names = _by_value(cohort, labels, groups, leave_out)
    folds = []
    for number, name in enumerate(names):
        rng = np.random.default_rng([seed, 1, number])
        try:
            parts = _divide(classes, groups, tests == number, validation_share, scheme, rng)
            if leave_out is None:
                _check_classes("test", classes[parts["test"]], scheme)
        except ValueError as error:
            raise CohortError(f"{cohort.source}: {name}: {error}.") from error
        folds.append(Fold(name=name, **{part: rows[held].tolist() for part, held in parts.items()}))
    made = Folds(
        scheme=scheme.name,
        classes=list(scheme.classes),
        seed=seed,
        validation_share=validation_share,
        leave_out=leave_out,
        cohort_fingerprint=cohort.fingerprint,
        slides=list_slides(cohort, labels),
        folds=folds,
    )
    refuse_leaks(cohort, made, cohort.source, content_hashes, shared_blocks)
    return made


def _divide(
    classes: NDArray[Any],
    groups: NDArray[Any],
    test: NDArray[np.bool_],
    share: float,
    scheme: LabelScheme,
    rng: np.random.Generator,
) -> dict[str, NDArray[np.bool_]]:
    """Mark the rows of one fold's parts; ValueError with a sentence where a class cannot be in all."""
    rest = ~test
    for label, count in enumerate(_patients_of(classes[rest], groups[rest], len(scheme.classes))):
        if count < 2:
            raise ValueError(
                f"outside the test part class {scheme.classes[label]!r} has {_number(count)}; training and "
                "validation need one each"
            )
    validation = np.zeros(test.size, bool)
    validation[rest] = draw_share(classes[rest], groups[rest], share, rng)
    parts = {"train": rest & ~validation, "validation": validation, "test": test}
    for part in ("train", "validation"):
        _check_classes(part, classes[parts[part]], scheme)
    return parts


def _check_classes(part: str, classes: NDArray[Any], scheme: LabelScheme) -> None:
    """Patients with slides of several classes are dealt by the rarest; a common class may then miss out."""
    missing = set(range(len(scheme.classes))) - set(classes.tolist())
    if missing:
        raise ValueError(
            f"the {part} part would have no slide of class {scheme.classes[min(missing)]!r}, whose patients "
            "also have rarer classes; try another seed or fewer folds"
        )


def _number(patients: int) -> str:
    return f"{patients} patient{'' if patients == 1 else 's'}"


def _patients_of(classes: NDArray[Any], groups: NDArray[Any], n_classes: int) -> list[int]:
    """How many groups (patients) hold each class."""
    return [len(np.unique(groups[classes == label])) for label in range(n_classes)]


def _check_enough(path: str, scheme: LabelScheme, counts: list[int], outer: int) -> None:
    """Each class needs a patient in every test part, and two outside each of them."""
    if outer < 2:
        raise CohortError(f"{path}: folds must be at least 2, got {outer}.")

    def enough(count: int, folds: int) -> bool:
        return count >= folds and count - -(-count // folds) >= 2

    short = [label for label, count in enumerate(counts) if not enough(count, outer)]
    if not short:
        return
    told = " and ".join(
        f"class {scheme.classes[label]!r} has {_number(counts[label])}"
        for label in sorted(short, key=lambda label: counts[label])
    )
    possible = [folds for folds in range(2, outer) if enough(min(counts), folds)]
    if possible:
        cure = f"ask for {possible[-1]} folds"
    else:
        cure = "add patients or choose a scheme with fewer classes; a class needs at least 3"
    raise CohortError(f"{path}: {told}, too few for {outer} folds; {cure}.")


def _by_value(
    cohort: Cohort, labels: pl.DataFrame, groups: NDArray[np.int64], column: str
) -> tuple[NDArray[np.int64], list[str]]:
    """The fold each row is tested in, one fold a value of `column`, and the folds' names."""
    values = cohort.table[column][labels["row"].to_list()]
    if values.null_count():
        row = cohort.table["manifest_row"][int(labels["row"][int(values.is_null().arg_max() or 0)])]
        raise CohortError(
            f"{cohort.source}: row {row} has no {column}; leaving one {column} out needs it everywhere."
        )
    names = sorted(values.unique().to_list())
    if len(names) < 2:
        raise CohortError(
            f"{cohort.source}: all slides have the {column} {names[0]!r}; leaving one out needs two."
        )
    index = np.array([names.index(value) for value in values], np.int64)
    for group in np.unique(groups):
        held = np.unique(index[groups == group])
        if held.size > 1:
            patient = labels["patient"][int(np.flatnonzero(groups == group)[0])]
            both = " and ".join(repr(names[value]) for value in held[:2])
            raise CohortError(
                f"{cohort.source}: patient {patient!r} has slides at {both}; a left-out {column} would then "
                f"share a patient with training. Give the patient one {column}, or leave its slides out."
            )
    return index, [f"{column} {name}" for name in names]
