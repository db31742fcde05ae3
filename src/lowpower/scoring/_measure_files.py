"""Many slides measured by rule: each one's failure becomes its recorded state, the rest go on."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lowpower
from lowpower.errors import LowpowerError, OutputError
from lowpower.files import atomic_path, make_folder, write_text
from lowpower.scoring._attachments import remove_attachments, write_attachments
from lowpower.scoring._folders import control_for, file_for, folders_of, write_table
from lowpower.scoring._measure_slide import FieldProgress, MeasureRequest, check_intense, measure_slide
from lowpower.scoring._measured import Measured, MeasuredSlide, state_of
from lowpower.scoring._page import render_measurements
from lowpower.scoring._quality import flag_records
from lowpower.scoring._record import QualityRecord
from lowpower.slides import Slide, open_slide
from lowpower.stain import Marker, read_regions
from lowpower.tissue import Tissue, control_name, find_tissue
from lowpower.views import read_tissue_mask

__all__ = ["MeasureOptions", "measure_files"]


@dataclass(frozen=True)
class MeasureOptions:
    """What is asked of every slide of a batch.

    Attributes:
        marker: What was stained.
        mpp: um/px of every file, overriding what the files say.
        regions: GeoJSON of tumour regions in base pixels, or a folder with `<slide>.geojson` for each.
        mask: Tissue as its owner drew it: a PNG over the whole slide or QuPath's GeoJSON, or such a folder.
        workers: Threads that measure one slide.
        control: On-slide control tissue, left out: as `find_tissue` takes it, or a folder as for `mask`.
        intense_od: HER2: DAB OD from which a complete membrane is intense; the usual one if None.
    """

    marker: Marker = "HER2"
    mpp: float | None = None
    regions: Path | None = None
    mask: Path | None = None
    workers: int = 1
    control: str = "auto"
    intense_od: float | None = None


def measure_files(
    files: Sequence[str | Path],
    options: MeasureOptions,
    *,
    out: str | Path = "lowpower-measured",
    on_result: Callable[[MeasuredSlide], None] | None = None,
    progress: FieldProgress | None = None,
) -> list[MeasuredSlide]:
    """Measure slides one after another into `<out>/<slide>/`; see docs/measurement.md for the files.

    Args:
        files: Slides or fields of view.
        options: Marker, um/px, regions.
        out: Folder for results; also gets `measurements.csv` and `report.html`.
        on_result: Called after each slide.
        progress: Called with fields done and fields in all of the slide in hand.

    Returns:
        One record a file, in order; refused and failed ones say why.

    Raises:
        ConfigError: `intense_od` fits no stain or marker, or the regions are one file for all slides and no
            valid GeoJSON.
        OutputError: results cannot be written; nothing more is tried then.
    """
    check_intense(options.intense_od, options.marker)
    if options.regions is not None and not options.regions.is_dir():
        read_regions(options.regions)  # told before any work
    out = make_folder(out)
    with atomic_path(out / "report.html") as probe:
        probe.write_text("in progress")
    folders = folders_of(files, out)
    records = []
    for file, folder in zip(files, folders, strict=True):
        record = _measure_one(Path(file), folder, options, progress)
        records.append(record)
        if on_result is not None:
            on_result(record)
    write_table(out / "measurements.csv", [record.summary_row() for record in records])
    write_text(out / "report.html", render_measurements(records, folders, out))
    return records


def _measure_one(
    file: Path, folder: Path, options: MeasureOptions, progress: FieldProgress | None
) -> MeasuredSlide:
    started = time.perf_counter()
    about: dict[str, Any] = {
        "file": str(file),
        "marker": options.marker,
        "software_version": lowpower.__version__,
        "regions": _for_slide(options.regions, file),
        "mask": _for_slide(options.mask, file),
    }
    make_folder(folder)
    remove_attachments(folder)
    try:
        with open_slide(file, mpp=options.mpp) as slide:
            about |= _measured_slide(slide, folder, options, about, progress)
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


def _for_slide(given: Path | None, file: Path) -> str | None:
    found = file_for(given, file)
    return None if found is None else str(found)


def _measured_slide(
    slide: Slide, folder: Path, options: MeasureOptions, about: dict[str, Any], progress: FieldProgress | None
) -> dict[str, Any]:
    drawn = None if about["mask"] is None else read_tissue_mask(about["mask"], slide.size)
    control = control_for(options.control, slide.path)
    tissue = find_tissue(slide, mask=drawn, control=control)
    request = MeasureRequest(
        options.marker, about["regions"], options.intense_od, options.workers, progress=progress
    )
    record, made = measure_slide(slide, tissue, request)
    write_attachments(folder, made)
    state, code = state_of(record)
    return {
        "state": state,
        "reason": f"{slide.path}: {' '.join(record.notes)}" if record.notes else None,
        "reason_code": code,
        "measured": record,
        "qc": _quality(tissue, record),
        "control": control_name(control),
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
