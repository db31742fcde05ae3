"""Many slides measured by rule: each one's failure becomes its recorded state, the rest go on."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

import lowpower
from lowpower.errors import LowpowerError, OutputError
from lowpower.files import atomic_path, make_folder, write_text
from lowpower.scoring._attachments import remove_attachments, write_attachments
from lowpower.scoring._folders import folders_of, write_table
from lowpower.scoring._measure_slide import FieldProgress, measure_slide
from lowpower.scoring._measured import Measured, MeasuredSlide, state_of
from lowpower.scoring._page import render_measurements
from lowpower.scoring._quality import flag_records
from lowpower.scoring._record import QualityRecord
from lowpower.scoring._request import ScoreOptions, ScoreRequest, asked
from lowpower.slides import Slide, open_slide
from lowpower.stain import read_regions
from lowpower.tissue import Tissue, control_name, find_tissue
from lowpower.views import read_tissue_mask

__all__ = ["measure_files"]


def measure_files(
    files: Sequence[str | Path],
    request: ScoreRequest | None = None,
    *,
    out: str | Path = "lowpower-measured",
    on_result: Callable[[MeasuredSlide], None] | None = None,
    progress: FieldProgress | None = None,
    **options: Unpack[ScoreOptions],
) -> list[MeasuredSlide]:
    """Measure slides one after another into `<out>/<slide>/`; see docs/measurement.md for the files.

    Args:
        files: Slides or fields of view.
        request: What is asked of every slide: marker, um/px, regions, ...
        out: Folder for results; also gets `measurements.csv` and `report.html`.
        on_result: Called after each slide.
        progress: Called with fields done and fields in all of the slide in hand.
        **options: Attributes of `ScoreRequest`, before what `request` says.

    Returns:
        One record a file, in order; refused and failed ones say why.

    Raises:
        ConfigError: the laboratory is of another marker, or the regions are one file for all slides and no
            valid GeoJSON.
        OutputError: results cannot be written; nothing more is tried then.
    """
    request = asked(request, None, **options)
    request = request.with_laboratory(request.marker)
    if request.regions is not None and not Path(request.regions).is_dir():
        read_regions(request.regions)  # told before any work
    out = make_folder(out)
    with atomic_path(out / "report.html") as probe:
        probe.write_text("in progress")
    folders = folders_of(files, out)
    records = []
    for file, folder in zip(files, folders, strict=True):
        record = _measure_one(Path(file), folder, request.for_slide(file), progress)
        records.append(record)
        if on_result is not None:
            on_result(record)
    write_table(out / "measurements.csv", [record.summary_row() for record in records])
    write_text(out / "report.html", render_measurements(records, folders, out))
    return records


def _measure_one(
    file: Path, folder: Path, request: ScoreRequest, progress: FieldProgress | None
) -> MeasuredSlide:
    started = time.perf_counter()
    about: dict[str, Any] = {
        "file": str(file),
        "marker": request.marker,
        "software_version": lowpower.__version__,
        "regions": _text(request.regions),
        "mask": _text(request.mask),
    }
    make_folder(folder)
    remove_attachments(folder)
    try:
        with open_slide(file, mpp=request.mpp) as slide:
            about |= _measured_slide(slide, folder, request, progress)
    except OutputError:
        raise
    except LowpowerError as error:
        about |= {"state": error.state, "reason": str(error), "reason_code": error.code}
    except Exception as error:  # the batch boundary: one slide's surprise must not end the others
        write_text(folder / "error.txt", traceback.format_exc())
        sentence = (
            f"{file}: stopped by an unforeseen {type(error).__name__}; please report {folder / 'error.txt'}."
        )
        about |= {"state": "failed", "reason": sentence, "reason_code": "unforeseen"}
    record = MeasuredSlide(**about, seconds=round(time.perf_counter() - started, 3))
    write_text(folder / "measurement.json", record.model_dump_json(indent=2) + "\n")
    return record


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _measured_slide(
    slide: Slide, folder: Path, request: ScoreRequest, progress: FieldProgress | None
) -> dict[str, Any]:
    drawn = None if request.mask is None else read_tissue_mask(request.mask, slide.size)
    tissue = find_tissue(slide, mask=drawn, control=request.control)
    record, made = measure_slide(slide, tissue, request, request.marker, progress)
    write_attachments(folder, made)
    state, code = state_of(record)
    return {
        "state": state,
        "reason": f"{slide.path}: {' '.join(record.notes)}" if record.notes else None,
        "reason_code": code,
        "measured": record,
        "qc": _quality(tissue, record),
        "control": control_name(request.control),
        "mpp": float(slide.mpp),
        "mpp_source": slide.mpp_source,
        "backend": slide.backend,
        "slide_sha256": slide.content_hash(),
    }


def _quality(tissue: Tissue, record: Measured) -> QualityRecord:
    red, green, blue = (round(float(value), 1) for value in tissue.white_point)
    vectors = "not measured" if record.stains is None else f"vectors: {record.stains.source}"
    return QualityRecord(
        area_mm2=round(tissue.area_mm2, 4),
        pieces=sum(piece.label == "sample" for piece in tissue.pieces),
        white_point=(red, green, blue),
        white_point_source=tissue.white_point_source,
        stain=f"haematoxylin and DAB ({vectors})",
        flags=flag_records(tissue.qc.flags),
    )
