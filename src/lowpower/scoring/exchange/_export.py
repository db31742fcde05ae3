"""Results in the forms other systems read."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lowpower.errors import ConfigError, OptionError, one_line
from lowpower.files import make_folder
from lowpower.geometry import write_geojson
from lowpower.scoring.exchange._case import Case, find_records, read_case
from lowpower.scoring.exchange._dicom_cells import no_cell_map, write_cell_map
from lowpower.scoring.exchange._dicom_sr import write_sr
from lowpower.scoring.exchange._fhir import write_fhir
from lowpower.scoring.exchange._identity import Identity
from lowpower.scoring.exchange._pdf import write_pdf
from lowpower.scoring.requests import write_table
from lowpower.slides import slide_name

__all__ = ["FORMS", "Exported", "export"]

FORMS: Final = ("dicom-sr", "dicom-cells", "fhir", "pdf", "geojson", "csv")
_FILES: Final = {
    "dicom-sr": "sr.dcm", "dicom-cells": "cells.dcm", "fhir": "fhir.json", "pdf": "report.pdf",
    "geojson": "objects.geojson",
}  # fmt: skip
_LONGEST: Final = 150
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
    given: str | Path | Sequence[str | Path],
    forms: Sequence[str],
    *,
    out: Path | None = None,
    patient_id: str | None = None,
    accession: str | None = None,
    when: datetime.datetime | None = None,
) -> Exported:
    """Export one slide's record, or each of a batch's.

    Args:
        given: A result.json or measurement.json, a slide's folder, a folder above such ones, or a pattern; or
            several of these.
        forms: Of `FORMS`.
        out: Folder; beside the records where None. Files are named after the slide either way.
        patient_id: Goes into SR, FHIR and PDF as it stands; only for a single record.
        accession: Likewise.
        when: Time that SR, FHIR and PDF carry; now where None.

    Raises:
        OptionError: an unknown form.
        ConfigError: no record, or one identity for several slides.
        OutputError: something cannot be written.
    """
    unknown = [form for form in forms if form not in FORMS]
    if unknown or not forms:
        raise OptionError(f"--to {', '.join(unknown) or '(nothing)'}: choose from {', '.join(FORMS)}.")
    places = [given] if isinstance(given, str | Path) else list(given)
    records = list(dict.fromkeys(record for place in places for record in find_records(place)))
    if len(records) > 1 and (patient_id or accession):
        raise ConfigError(
            f"{', '.join(map(str, places))}: {len(records)} slides, and one patient or accession for all; "
            "export each slide's folder with its own."
        )
    identity = Identity(
        when or datetime.datetime.now(datetime.UTC).replace(microsecond=0), patient_id, accession
    )
    made = Exported()
    rows, names = [], set[str]()
    for path in records:
        case = read_case(path)
        rows.append(dict(case.row()))
        if case.record.state == "failed" or (case.measured is None and case.scored is None):
            made.skipped.append(f"{path}: {case.record.state}: {case.record.reason}")
            continue
        if case.scored is not None and case.record.state != "ok":
            made.skipped.append(f"{path}: {case.record.state}: {case.record.reason}")
            continue
        name = _name_of(case, names)
        names.add(name)
        folder = case.folder if out is None else make_folder(out)
        for form in forms:
            lacks = no_cell_map(case) if form == "dicom-cells" else None
            if lacks is not None:
                made.skipped.append(lacks)
            elif form != "csv":
                made.files.append(_write(form, folder / f"{name}.{_FILES[form]}", case, identity))
    if "csv" in forms:
        first = Path(places[0])
        table = (out or (first if first.is_dir() else records[0].parent)) / "cases.csv"
        make_folder(table.parent)
        write_table(table, rows)
        made.files.append(table)
    return made


def _name_of(case: Case, taken: set[str]) -> str:
    """What a slide's files are called once they leave its folder; no name is given twice."""
    plain = slide_name(case.record.file)
    # The folder has the slide's name, with its hash where another slide had that name first.
    folder = case.folder.name
    name = one_line(folder if folder.startswith(plain[:_LONGEST]) else plain[:_LONGEST])
    return name if name not in taken else f"{name}-{(case.record.slide_sha256 or str(len(taken)))[:8]}"


def _write(form: str, path: Path, case: Case, identity: Identity) -> Path:
    if form == "geojson":
        write_geojson(path, _features(case.folder))
    else:
        writes = {"dicom-sr": write_sr, "dicom-cells": write_cell_map, "fhir": write_fhir, "pdf": write_pdf}
        writes[form](path, case, identity)
    return path


def _features(folder: Path) -> list[dict[str, Any]]:
    """Tissue, regions, the network's map and cells in one collection: what lies beside the record."""
    files = [folder / name for name in _PARTS]
    return [
        feature for file in files if file.exists() for feature in json.loads(file.read_bytes())["features"]
    ]
