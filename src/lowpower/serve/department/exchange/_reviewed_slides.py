"""Reviews of a department as labels: a cohort.csv for `train` and `calibrate`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sqlalchemy import select

from lowpower.errors import ConfigError
from lowpower.serve._reviewed_cohort import Reviewed, ReviewedCohort, write_reviewed
from lowpower.serve._reviews import Review
from lowpower.serve._shelf import Entry, record_of
from lowpower.serve.department._settings import SQLITE_FILE, Settings
from lowpower.serve.department.records import Database, ScoredResult, Slide, schema

__all__ = ["reviewed_department"]

_OPEN = {"one": "they wait for a second reader", "differ": "their readers differ"}


def reviewed_department(
    settings: Settings, out: str | Path | None = None, *, patients: str | Path | None = None
) -> ReviewedCohort:
    """Write the review that counts of each slide as a manifest; a case is its slides' patient.

    Args:
        settings: Where the department is.
        out: The manifest; `cohort.csv` in the data folder if None.
        patients: A manifest with the columns slide and patient, instead of the cases.

    Raises:
        ConfigError: its database is elsewhere, there are no reviews, or none gives a score.
        CohortError: `patients` cannot be read, or lacks a slide.
        OutputError: it cannot be written.
    """
    place = settings.data / SQLITE_FILE
    if settings.database is None and not place.is_file():
        raise ConfigError(
            f"{settings.data}: its database is elsewhere; name it as the service is told, by "
            "LOWPOWER_SERVE_DATABASE."
        )
    database = Database(settings)
    latest: dict[str, schema.Review] = {}
    reviewed: list[Reviewed] = []
    left: Counter[str] = Counter()
    try:
        database.migrate()
        with database.read() as session:
            for row in session.scalars(select(schema.Review).order_by(schema.Review.time)):
                latest[row.slide_id] = row
            if not latest:
                raise ConfigError(f"{settings.data}: nobody has reviewed a slide there yet.")
            for key, row in sorted(latest.items()):
                slide, result = session.get_one(Slide, key), session.get_one(ScoredResult, row.result_id)
                if slide.removed is not None or slide.reading in _OPEN:
                    left[_OPEN.get(slide.reading, "") if slide.removed is None else "they were removed"] += 1
                    continue
                folder = settings.data / "results" / result.folder
                entry = Entry(key, folder, record_of(result.record), result.written)
                told = Review.model_validate(row.told)
                reviewed.append(Reviewed(entry, settings.data / slide.path, told, slide.case))
    finally:
        database.close()
    return write_reviewed(
        reviewed,
        left,
        settings.data / "cohort.csv" if out is None else Path(out),
        settings.data,
        patients=patients,
    )
