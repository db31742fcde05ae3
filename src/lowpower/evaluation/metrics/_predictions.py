"""Tables of predictions: one row a slide, its label and its probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

from lowpower.cohort import LabelScheme
from lowpower.errors import PredictionsError
from lowpower.evaluation.metrics._sample import Sample, validated

__all__ = ["Predictions", "parse_predictions", "read_predictions"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """A checked table.

    Attributes:
        slides: (N,) names.
        patients: (N,) names.
        sample: Labels and probabilities.
    """

    slides: NDArray[Any]
    patients: NDArray[Any]
    sample: Sample


def read_predictions(path: str | Path) -> pl.DataFrame:
    """Read a CSV of predictions (`slide`, `patient`, `label`, `p_...`).

    Raises:
        PredictionsError: if it cannot be read as a table.
    """
    path = Path(path)
    try:
        return pl.read_csv(
            path, schema_overrides={"slide": pl.String, "patient": pl.String, "label": pl.String}
        )
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", 1)[0]
        raise PredictionsError(f"{path}: is not a table of predictions ({reason}).") from error


def parse_predictions(table: pl.DataFrame, scheme: LabelScheme) -> Predictions:
    """Check a table against a label scheme.

    Args:
        table: Columns `slide`, `patient`, `label` (class index or class name) and one probability a class,
            `p_0` .. `p_<K-1>` or `p_<class name>`; others are ignored.
        scheme: Names and number of classes.

    Raises:
        PredictionsError: if a column is missing, a slide occurs twice, a label is unknown or a probability is
            not one.
    """
    missing = [name for name in ("slide", "patient", "label") if name not in table.columns]
    by_name = [f"p_{name}" for name in scheme.classes]
    by_index = [f"p_{index}" for index in range(len(scheme.classes))]
    columns = by_name if all(name in table.columns for name in by_name) else by_index
    missing += [name for name in columns if name not in table.columns]
    if missing:
        raise PredictionsError(
            f"the table of predictions lacks {', '.join(missing)}; {scheme.name} needs slide, patient, label "
            f"and {', '.join(by_name)} (or {', '.join(by_index)})."
        )
    if table.height == 0:
        raise PredictionsError("the table of predictions has no rows.")
    for name in ("slide", "patient", "label", *columns):
        if table[name].null_count():
            row = int(table[name].is_null().arg_max() or 0) + 1
            raise PredictionsError(f"the table of predictions has an empty {name} in row {row}.")
    repeated = table["slide"].filter(table["slide"].is_duplicated())
    if repeated.len():
        raise PredictionsError(f"slide {repeated[0]!r} occurs twice in the table of predictions.")
    try:
        sample = validated(_labels(table["label"], scheme), table.select(columns).cast(pl.Float64).to_numpy())
    except (ValueError, pl.exceptions.InvalidOperationError) as error:
        raise PredictionsError(f"the table of predictions: {str(error).splitlines()[0]}.") from error
    return Predictions(
        table["slide"].cast(pl.String).to_numpy(), table["patient"].cast(pl.String).to_numpy(), sample
    )


def _labels(column: pl.Series, scheme: LabelScheme) -> list[int]:
    """Class indices. A text column holds class names, unless every value is an index and some is no name."""
    values = column.to_list()
    if column.dtype.is_numeric():
        return values
    names = {name: index for index, name in enumerate(scheme.classes)}
    if all(value in names for value in values):
        return [names[value] for value in values]
    indices = {str(index): index for index in range(len(scheme.classes))}
    if all(value in indices for value in values):
        return [indices[value] for value in values]
    unknown = next(value for value in values if value not in names)
    raise ValueError(f"label {unknown!r} is no class of {scheme.name} ({', '.join(scheme.classes)})")
