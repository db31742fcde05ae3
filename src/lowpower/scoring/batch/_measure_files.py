"""Many slides measured by rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from lowpower.cohort import SlideInput, scheme_of, slide_inputs
from lowpower.errors import as_text, one_line
from lowpower.graphs import runtime_name
from lowpower.made_by import made_by
from lowpower.scoring.batch._reader_agreement import agreement_with_readers, fitted_to, of_marker
from lowpower.scoring.batch._results_folder import ResultsFolder
from lowpower.scoring.batch._run_batch import Batch, run_batch
from lowpower.scoring.records import Measured, MeasuredSlide, QualityRecord, cell_network, state_of
from lowpower.scoring.requests import (
    ScoreOptions,
    ScoreRequest,
    asked,
    check_drawn,
    mpp_doubts,
    regions_on,
    regions_record,
)
from lowpower.scoring.slide import FieldProgress, flag_records, measure_slide
from lowpower.slides import open_slide
from lowpower.tissue import QCFlag, Tissue, control_name, damage_flags, find_tissue

__all__ = ["measure_files"]

_SCHEMES = {"HER2": "her2_four", "ER": "er_status", "PR": "pr_status"}


def measure_files(
    files: Sequence[str | Path | SlideInput],
    request: ScoreRequest | None = None,
    *,
    out: str | Path = "lowpower-measured",
    fresh: bool = False,
    keep_earlier: bool = False,
    one_file: bool = False,
    pattern: str | None = None,
    on_result: Callable[[MeasuredSlide, int, int], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
    progress: FieldProgress | None = None,
    **options: Unpack[ScoreOptions],
) -> Batch[MeasuredSlide]:
    """Measure slides one after another into `<out>/<slide>/`; see docs/measurement.md for the files.

    Goes on where it stopped and adds up as `score_files` does.

    Args:
        files: Slides, folders, patterns and manifests, as `slide_inputs` takes them.
        request: What is asked of every slide: marker, um/px, regions, ... What a manifest says of a slide
            goes before it.
        out: Folder for results; also gets `measurements.csv` and `report.html` over all slides it holds.
        fresh: Set aside what `out` already holds and start anew.
        keep_earlier: Keep a slide's result that gives way to another below `set-aside-N`.
        one_file: Embed the pictures in `report.html`.
        pattern: Which files of folders, for instance `*.svs`.
        on_result: Called after each slide, with how many are done and how many there are.
        on_warning: Called before the work with each warning: um/px given that a file contradicts.
        progress: Called with fields done and fields in all of the slide in hand.
        **options: Attributes of `ScoreRequest`, before what `request` says.

    Returns:
        One record a slide, in order; refused and failed ones say why.

    Raises:
        CohortError: a manifest cannot be used.
        ConfigError: the laboratory is of another marker, no slide matches a pattern, or `out` holds scores.
        RegionsError: regions or mask are one file for all slides and cannot be used.
        OutputError: results cannot be written; nothing more is tried then.
    """
    request = asked(request, None, **options)
    request = request.with_laboratory(request.marker)
    check_drawn(request)
    slides, notes = of_marker(slide_inputs(files, pattern), request.marker, "the marker")
    folder = ResultsFolder(out, MeasuredSlide, keep_earlier=keep_earlier)
    work = _Measuring(request, progress)
    if on_warning is not None:
        for doubt in (*mpp_doubts(slides, request), *request.laboratory_doubts):
            on_warning(doubt)
    batch = run_batch(slides, folder, work, fresh=fresh, one_file=one_file, on_result=on_result)
    agreement = None
    if request.marker in _SCHEMES:
        said = [record.measured.score if record.measured else None for record in batch]
        agreement = agreement_with_readers(scheme_of(_SCHEMES[request.marker]), slides, said)
    known = () if agreement is None else fitted_to(batch, request)
    return replace(batch, notes=(*notes, *batch.notes, *known), agreement=agreement)


@dataclass(frozen=True)
class _Measuring:
    """Measuring as the batch does it."""

    request: ScoreRequest
    progress: FieldProgress | None

    def __reduce__(self) -> tuple[Any, ...]:
        # Progress within a slide is shown only of slides in this process.
        return _Measuring, (self.request, None)

    def reusable(self, held: MeasuredSlide, slide: SlideInput) -> bool:
        told = held.measured
        return (
            held.state != "failed"
            and held.slide_sha256 is not None
            and held.marker == self.request.marker
            and held.asked == self.request.for_slide(slide).record()
            and held.software_version == made_by("measured slide")
            and not held.interrupted
            and (told is None or told.mpp is None or told.cell_network == cell_network())
        )

    def make(self, slide: SlideInput) -> MeasuredSlide:
        started = time.perf_counter()
        request = self.request.for_slide(slide)
        with open_slide(slide.path, mpp=request.mpp, scene=request.scene, plane=request.plane) as opened:
            regions = regions_on(opened, request)
            tissue = find_tissue(opened, mask=request.mask, control=request.control)
            measured, made = measure_slide(opened, tissue, request, request.marker, self.progress, regions)
            state, code = state_of(measured)
            return MeasuredSlide(
                **self._about(request),
                file=as_text(slide.path),
                state=state,
                reason=f"{one_line(slide.path)}: {' '.join(measured.notes)}" if measured.notes else None,
                reason_code=code,
                measured=measured,
                regions=regions_record(regions, opened.mpp),
                qc=_quality(tissue, measured, damage_flags(opened, tissue)),
                control=control_name(request.control),
                mpp=float(opened.mpp),
                mpp_source=opened.mpp_source,
                backend=opened.backend,
                slide_sha256=opened.content_hash(),
                seconds=round(time.perf_counter() - started, 3),
                runtime=runtime_name(request.precision),
            ).attach(made)

    def stopped(self, slide: SlideInput, **about: Any) -> MeasuredSlide:
        return MeasuredSlide(**self._about(self.request.for_slide(slide)), **about)

    def _about(self, request: ScoreRequest) -> dict[str, Any]:
        return {
            "marker": request.marker,
            "mask": None if request.mask is None else str(request.mask),
            "asked": request.record(),
            "software_version": made_by("measured slide"),
        }


def _quality(tissue: Tissue, record: Measured, damaged: tuple[QCFlag, ...]) -> QualityRecord:
    red, green, blue = (round(float(value), 1) for value in tissue.white_point)
    vectors = "not measured" if record.stains is None else f"vectors: {record.stains.source}"
    return QualityRecord(
        area_mm2=round(tissue.area_mm2, 4),
        pieces=sum(piece.label == "sample" for piece in tissue.pieces),
        white_point=(red, green, blue),
        white_point_source=tissue.white_point_source,
        stain=f"haematoxylin and DAB ({vectors})",
        flags=flag_records((*tissue.qc.flags, *damaged)),
    )
