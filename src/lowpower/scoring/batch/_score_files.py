"""Many slides scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from lowpower.cohort import SlideInput, slide_inputs
from lowpower.made_by import made_by
from lowpower.models import Bundle
from lowpower.scoring.batch._reader_agreement import agreement_with_readers, fitted_to, of_marker
from lowpower.scoring.batch._results_folder import ResultsFolder
from lowpower.scoring.batch._run_batch import Batch, run_batch
from lowpower.scoring.records import Asked, Result, cell_network
from lowpower.scoring.requests import Model, ScoreOptions, ScoreRequest, asked, check_drawn, mpp_doubts
from lowpower.scoring.slide import FieldProgress, model_identity, scored

__all__ = ["score_files"]


def score_files(
    files: Sequence[str | Path | SlideInput],
    *,
    model: Model | None = None,
    request: ScoreRequest | None = None,
    out: str | Path = "lowpower-results",
    fresh: bool = False,
    keep_earlier: bool = False,
    one_file: bool = False,
    pattern: str | None = None,
    progress: FieldProgress | None = None,
    on_result: Callable[[Result, int, int], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
    **options: Unpack[ScoreOptions],
) -> Batch[Result]:
    """Score slides one after another, writing `<out>/<slide>/result.json` and pictures as each is done.

    A killed run loses the slide in hand; the same command skips slides whose result was made from the same
    bytes by the same model, options and software version. Results of further slides add to those in `out`.

    Args:
        files: Slides, folders, patterns and manifests, as `slide_inputs` takes them.
        model: A bundle, or what `load_bundle` takes; before what `request` says.
        request: What is asked of every slide; her2-sim and the usual options if None. What a manifest says
            of a slide goes before it.
        out: Folder for results; also gets `results.csv` and `report.html` over all slides it holds.
        fresh: Set aside what `out` already holds and start anew.
        keep_earlier: Keep a slide's result that gives way to another below `set-aside-N`.
        one_file: Embed the pictures in `report.html`, so that it can be mailed.
        pattern: Which files of folders, for instance `*.svs`.
        progress: Called with measured fields done and fields in all of the slide in hand.
        on_result: Called after each slide, with how many are done and how many there are.
        on_warning: Called before the work with each warning: um/px given that a file contradicts.
        **options: Attributes of `ScoreRequest`, before what `request` says.

    Returns:
        One result a slide, in order; refused and failed ones say why. Slides that a manifest calls stained
        for another marker than the model's are left out, and `notes` say so.

    Raises:
        BundleError: the model cannot be loaded.
        CohortError: a manifest cannot be used, or its scores do not fit the model's classes.
        ConfigError: the laboratory is of another marker than the model, no slide matches a pattern, or
            `out` holds measurements.
        RegionsError: regions or mask are one file for all slides and cannot be used.
        OutputError: results cannot be written; nothing more is tried then.
    """
    request = asked(request, model, **options)
    bundle = request.bundle
    request = replace(request, model=bundle)  # loaded once
    marker = bundle.scheme.marker
    request = request.with_laboratory(marker)
    check_drawn(request)
    slides, notes = of_marker(slide_inputs(files, pattern), marker, f"the model {bundle.name}")
    folder = ResultsFolder(out, Result, keep_earlier=keep_earlier)
    work = _Scoring(request, bundle, progress)
    if on_warning is not None:
        for doubt in (*mpp_doubts(slides, request), *request.laboratory_doubts):
            on_warning(doubt)
    batch = run_batch(slides, folder, work, fresh=fresh, one_file=one_file, on_result=on_result)
    said = [result.answer.likeliest if result.answer else None for result in batch]
    kept = sum(record.reused and record.was_measured for record in batch)
    if kept and not request.measure:
        counted = "1 slide keeps its" if kept == 1 else f"{kept} slides keep their"
        notes = (*notes, f"{counted} measurement of an earlier run; --no-measure takes none away.")
    agreement = agreement_with_readers(bundle.scheme, slides, said)
    known = () if agreement is None else fitted_to(batch, request)
    return replace(batch, notes=(*notes, *batch.notes, *known), agreement=agreement)


def _answers(held: Asked | None, asked_now: Asked) -> bool:
    """Whether a record made with these options holds all that is asked now, or more."""
    if held is None:
        return False
    more = {name: True for name in ("measure", "pictures") if getattr(held, name)}
    return held == asked_now.model_copy(update=more)


@dataclass(frozen=True)
class _Scoring:
    """Scoring as the batch does it."""

    request: ScoreRequest
    bundle: Bundle
    progress: FieldProgress | None

    def __reduce__(self) -> tuple[Any, ...]:
        # Progress within a slide is shown only of slides in this process.
        return _Scoring, (self.request, self.bundle, None)

    def reusable(self, held: Result, slide: SlideInput) -> bool:
        told = held.measured
        return (
            held.state != "failed"
            and held.slide_sha256 is not None
            and _answers(held.asked, self.request.for_slide(slide).record())
            and held.model == model_identity(self.bundle)
            and held.software_version == made_by("scored slide")
            and not held.interrupted
            and (told is None or told.mpp is None or told.cell_network == cell_network())
        )

    def make(self, slide: SlideInput) -> Result:
        return scored(slide.path, self.request.for_slide(slide), self.progress)

    def stopped(self, slide: SlideInput, **about: Any) -> Result:
        return Result(
            marker=self.bundle.scheme.marker,
            scheme=self.bundle.scheme.name,
            model=model_identity(self.bundle),
            asked=self.request.for_slide(slide).record(),
            software_version=made_by("scored slide"),
            **about,
        )
