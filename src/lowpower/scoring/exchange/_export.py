"""Results in the forms other systems read."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lowpower.errors import ConfigError
from lowpower.files import make_folder
from lowpower.scoring._folders import write_table
from lowpower.scoring._geojson import write_collection
from lowpower.scoring.exchange._case import Case, find_records, read_case
from lowpower.scoring.exchange._dicom_sr import write_sr
from lowpower.scoring.exchange._fhir import write_fhir
from lowpower.scoring.exchange._identity import Identity
from lowpower.scoring.exchange._pdf import write_pdf

__all__ = ["FORMS", "Exported", "export"]

FORMS: Final = ("dicom-sr", "fhir", "pdf", "geojson", "csv")
_FILES: Final = {"dicom-sr": "sr.dcm", "fhir": "fhir.json", "pdf": "report.pdf", "geojson": "objects.geojson"}
_PARTS = ("tissue.geojson", "network.geojson", "cells.geojson")


class Exported:
    """What an export made.

    Attributes:
        files: Written, in order.
        skipped: One sentence for each record without a result.
    """

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.skipped: list[str] = []


def export(
    given: Path,
    forms: Sequence[str],
    *,
    out: Path | None = None,
    patient_id: str | None = None,
    accession: str | None = None,
    when: datetime.datetime | None = None,
) -> Exported:
    """Export one slide's record, or each of a batch's.

    Args:
        given: A result.json or measurement.json, a slide's folder, or a batch's.
        forms: Of `FORMS`.
        out: Folder, one below it for each slide; beside the records where None.
        patient_id: Goes into SR, FHIR and PDF as it stands; only for a single record.
        accession: Likewise.
        when: Time that SR, FHIR and PDF carry; now where None.

    Raises:
        ConfigError: an unknown form, no record, or one identity for several slides.
        OutputError: something cannot be written.
    """
    unknown = [form for form in forms if form not in FORMS]
    if unknown or not forms:
        raise ConfigError(f"--to {', '.join(unknown) or '(nothing)'}: choose from {', '.join(FORMS)}.")
    records = find_records(given)
    if len(records) > 1 and (patient_id or accession):
        raise ConfigError(
            f"{given}: holds {len(records)} slides, and one patient or accession was given for all; "
            "export each slide's folder with its own."
        )
    identity = Identity(
        when or datetime.datetime.now(datetime.UTC).replace(microsecond=0), patient_id, accession
    )
    made = Exported()
    rows = []
    for path in records:
        case = read_case(path)
        rows.append(dict(case.row()))
        if case.record.state == "failed" or (case.measured is None and case.scored is None):
            made.skipped.append(f"{path}: {case.record.state}: {case.record.reason}")
            continue
        if case.scored is not None and case.record.state != "ok":
            made.skipped.append(f"{path}: {case.record.state}: {case.record.reason}")
            continue
        folder = case.folder if out is None else make_folder(out / case.folder.name)
        made.files += [_write(form, folder / _FILES[form], case, identity) for form in forms if form != "csv"]
    if "csv" in forms:
        table = (out or (given if given.is_dir() else given.parent)) / "cases.csv"
        make_folder(table.parent)
        write_table(table, rows)
        made.files.append(table)
    return made


def _write(form: str, path: Path, case: Case, identity: Identity) -> Path:
    if form == "geojson":
        write_collection(path, _features(case.folder))
    else:
        {"dicom-sr": write_sr, "fhir": write_fhir, "pdf": write_pdf}[form](path, case, identity)
    return path


def _features(folder: Path) -> list[dict[str, Any]]:
    """Tissue, regions, the network's map and cells in one collection: what lies beside the record."""
    files = [folder / name for name in _PARTS]
    return [
        feature for file in files if file.exists() for feature in json.loads(file.read_bytes())["features"]
    ]
