"""One slide in, one result out: quality first, then the network, then what may be said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack, get_args

import numpy as np

from lowpower.errors import MppOutOfRangeError, as_sentence, as_text
from lowpower.geometry import Regions
from lowpower.graphs import runtime_name
from lowpower.made_by import made_by
from lowpower.models import Bundle
from lowpower.scoring.pictures import draw_overlay, network_annotations
from lowpower.scoring.records import (
    NOTICE,
    REFER,
    Agreement,
    Answer,
    Attachments,
    ControlDoubt,
    Measured,
    ModelIdentity,
    QualityRecord,
    Result,
    agreement_of,
    not_asked,
)
from lowpower.scoring.requests import Model, ScoreOptions, ScoreRequest, asked, regions_on, regions_record
from lowpower.scoring.slide._both_ways import doubt_of, settled
from lowpower.scoring.slide._decide import answer_of, prediction_set
from lowpower.scoring.slide._measure_slide import FieldProgress
from lowpower.scoring.slide._predict_slide import SlidePrediction, predict_slide
from lowpower.scoring.slide._quality_flags import draw_quality, flag_records, refuse_on
from lowpower.scoring.slide._sight import Sight
from lowpower.slides import Slide, opened
from lowpower.stain import Marker, StainLook, clipping, looks_like, stain_quality
from lowpower.tissue import QCFlag, Tissue, control_name, damage_flags, find_tissue, quality_features

__all__ = ["model_identity", "score", "scored"]


class _Clock:
    """Seconds per named step."""

    def __init__(self) -> None:
        self.started = self._last = time.perf_counter()
        self.steps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.steps[step] = round(now - self._last, 4)
        self._last = now

    @property
    def total(self) -> float:
        return round(time.perf_counter() - self.started, 4)


def score(
    slide: Slide | str | Path,
    model: Model | None = None,
    *,
    request: ScoreRequest | None = None,
    progress: FieldProgress | None = None,
    **options: Unpack[ScoreOptions],
) -> Result:
    """Score one slide: the network's answer, and beside it the stain as measured.

    Args:
        slide: An open slide, or a file to open.
        model: A loaded bundle, a bundled model's name, a folder or `hf://owner/name`; before what `request`
            says; her2-sim where neither says one.
        request: What is asked; the usual if None.
        progress: Called with measured fields done and fields in all.
        **options: Attributes of `ScoreRequest`, before what `request` says: `mpp=0.25`, `measure=False`, ...

    Returns:
        A result whose state is "ok"; its decision may still be "refer".

    Raises:
        SlideError: the file cannot be read, or its um/px is missing or implausible.
        NoTissueError: there is nothing to score.
        UnexpectedStainError: it does not look like the marker's stain, and `force` is not set.
        MppOutOfRangeError: the bundle was not made for slides of this resolution.
        BundleError: the model cannot be loaded.
        OptionError: something is asked that can be asked of no slide, before it is opened.
        ConfigError: the laboratory is of another marker than the model.
    """
    return scored(slide, asked(request, model, **options), progress)


def scored(slide: Slide | str | Path, request: ScoreRequest, progress: FieldProgress | None = None) -> Result:
    """`score` by a request that was checked, or whose values are of the slide's own row in a manifest."""
    bundle = request.bundle
    request = request.with_laboratory(bundle.scheme.marker)
    if request.laboratory is None:
        request = replace(request, laboratory=bundle.spec.laboratory)
    clock = _Clock()
    with opened(slide, request.mpp, request.scene, request.plane) as one:
        if one is not slide:
            clock.lap("open")
        return _score_open(one, bundle, clock, request.for_slide(one.path), progress)


@dataclass(frozen=True)
class _Seen:
    """What was seen of a slide before anything is said of it."""

    tissue: Tissue
    regions: Regions | None
    sight: Sight
    look: StainLook
    flags: tuple[QCFlag, ...]
    prediction: SlidePrediction
    slide_sha256: str


@dataclass(frozen=True)
class _Said:
    """What may be said of it: the answer and, apart, what network and measurement say each for itself."""

    answer: Answer
    kept: tuple[str, ...] | None
    measured: Measured | None
    agreement: Agreement | None
    doubt: ControlDoubt | None
    made: Attachments


def _score_open(
    slide: Slide, bundle: Bundle, clock: _Clock, request: ScoreRequest, progress: FieldProgress | None
) -> Result:
    _check_mpp(slide, bundle)
    seen = _see(slide, bundle, clock, request, progress)
    said = _say(slide, bundle, seen, request)
    damaged = damage_flags(slide, seen.tissue)  # now that every tile that counts was read
    refuse_on(slide, damaged, bundle.scheme.marker, force=request.force)
    seen = replace(seen, flags=(*seen.flags, *damaged))
    if said.measured is not None:
        clock.lap("measurement")
    made = said.made
    if request.pictures:
        made = _draw(slide, bundle, seen, said)
        clock.lap("overlay")
    return _result(slide, bundle, seen, said, clock, request).attach(made)


def _see(
    slide: Slide, bundle: Bundle, clock: _Clock, request: ScoreRequest, progress: FieldProgress | None
) -> _Seen:
    """Tissue, view, stain and the model's answer; stops where quality refuses."""
    marker, force = bundle.scheme.marker, request.force
    regions = regions_on(slide, request)
    # Hashing waits on the disk and releases the GIL, so it runs beside the decoding.
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(slide.content_hash)
        tissue = find_tissue(slide, mask=request.mask, control=request.control)
        refuse_on(slide, (*tissue.qc.flags, *damage_flags(slide, tissue)), marker, force=force)
        clock.lap("tissue")
        sight = Sight(slide, tissue, regions, request, marker, progress, bundle.spec.laboratory)
        view = sight.ground if bundle.spec.recipe is None else sight.view(bundle.spec.recipe)
        clock.lap("view")
        look = looks_like(view.image, view.mask, view.white_point)
        flags = (*tissue.qc.flags, *stain_quality(view.image, view.mask, view.white_point, look))
        refuse_on(slide, flags, marker, force=force)
        flags = (*flags, *clipping(slide, tissue))
        refuse_on(slide, flags, marker, force=force)
        clock.lap("stain")
        prediction = predict_slide(bundle, sight)
        clock.lap("network")
        slide_sha256 = digest.result()
        clock.lap("hash")
    return _Seen(tissue, regions, sight, look, flags, prediction, slide_sha256)


def _say(slide: Slide, bundle: Bundle, seen: _Seen, request: ScoreRequest) -> _Said:
    """The answer, the measurement where it is asked for, and whether network and measurement agree."""
    probabilities, classes = seen.prediction.probabilities, bundle.scheme.classes
    kept = prediction_set(bundle.abstention, classes, probabilities)
    measured, made = None, Attachments()
    asked_for = request.measure and bundle.scheme.marker in get_args(Marker)
    if asked_for or seen.prediction.measures:
        measured, made = seen.sight.measured()
    agreement: Agreement | None = not_asked()
    if bundle.spec.kind == "measured":
        agreement = None  # the measurement is the answer: there is no second one beside it
    elif measured is not None:
        agreement = agreement_of(bundle.scheme, classes[int(np.argmax(probabilities))], kept, measured)
    answer = answer_of(bundle, probabilities, measured)
    doubt = doubt_of(slide, bundle, seen.tissue, request, answer, measured)
    answer = settled(answer, doubt)
    if agreement is not None and agreement.refers:
        why = f"the network excludes what the stain shows. {agreement.sentence}"
        answer = answer.model_copy(update={"issued": False, "why": answer.why or why})
    return _Said(answer, kept, measured, agreement, doubt, made)


def _draw(slide: Slide, bundle: Bundle, seen: _Seen, said: _Said) -> Attachments:
    """The pictures, beside those that the measurement made."""
    tissue, explanation = seen.tissue, seen.prediction.explanation
    titles = _titles(slide, bundle, seen, said)
    marked = () if said.doubt is None else tuple(group.box for group in tissue.doubtful)
    classed = explanation is not None and explanation.classes == bundle.scheme.classes
    return replace(
        said.made,
        overlay=None if explanation is None else draw_overlay(slide, explanation, *titles, marked=marked),
        network=network_annotations(explanation) if explanation is not None and classed else [],
        quality=draw_quality(slide, tissue),
        defects=quality_features(tissue, slide.size),
    )


def _result(
    slide: Slide, bundle: Bundle, seen: _Seen, said: _Said, clock: _Clock, request: ScoreRequest
) -> Result:
    classes, probabilities = bundle.scheme.classes, seen.prediction.probabilities
    quality = _quality(seen.tissue, seen.look, seen.flags)
    reasons = _reasons(said, quality, seen.regions)
    answer = said.answer
    return Result(
        file=as_text(slide.path),
        state="ok",
        reason=" ".join(reasons) or None,
        reason_code="refer" if not answer.issued else ("warning" if reasons else None),
        reasons=reasons,
        marker=bundle.scheme.marker,
        scheme=bundle.scheme.name,
        decision=answer.likeliest if answer.issued else REFER,
        answer=answer,
        probabilities={name: float(p) for name, p in zip(classes, probabilities, strict=True)},
        expected_score=float(probabilities @ np.arange(len(classes))),
        prediction_set=said.kept,
        qc=quality,
        measured=said.measured,
        agreement=said.agreement,
        control_doubt=said.doubt,
        model=model_identity(bundle),
        mpp=float(slide.mpp),
        mpp_source=slide.mpp_source,
        view_mpp=seen.prediction.mpp,
        backend=slide.backend,
        slide_sha256=seen.slide_sha256,
        seconds=clock.total,
        timings=clock.steps,
        asked=request.record(),
        forced=request.force,
        regions=regions_record(seen.regions, slide.mpp),
        control=control_name(request.control),
        runtime=runtime_name(request.precision),
        software_version=made_by("scored slide"),
    )


def _reasons(said: _Said, quality: QualityRecord, regions: Regions | None) -> tuple[str, ...]:
    """Why it is referred, then what should be doubted; the measurement warns of the same flags."""
    doubts = [flag.message for flag in quality.flags if flag.effect != "note"]
    doubts += said.measured.notes if said.measured is not None else ()
    doubts += regions.notes if regions is not None else ()
    doubts = [as_sentence(doubt) for doubt in doubts]
    if said.doubt is not None:  # what was tried both ways is said once, with what came of it
        tried = {as_sentence(flag.message) for flag in quality.flags if flag.code == "control_doubtful"}
        doubts = [as_sentence(said.doubt.sentence), *(doubt for doubt in doubts if doubt not in tried)]
    return tuple(dict.fromkeys((*([as_sentence(said.answer.why)] if said.answer.why else []), *doubts)))


def model_identity(bundle: Bundle) -> ModelIdentity:
    """How a result names its model."""
    spec = bundle.spec
    return ModelIdentity(
        name=bundle.name, version=spec.version, sha256=spec.weights_sha256, trained_on=spec.trained_on
    )


def _check_mpp(slide: Slide, bundle: Bundle) -> None:
    low, high = bundle.spec.slide_mpp_range
    if not low <= slide.mpp <= high:
        raise MppOutOfRangeError(
            slide.path,
            f"has {slide.mpp:g} um/px (from {slide.mpp_source}), and the model {bundle.name} was made for "
            f"slides of {low:g} to {high:g} um/px; if the number is wrong give the right one with --mpp.",
        )


def _quality(tissue: Tissue, look: StainLook, flags: Sequence[QCFlag]) -> QualityRecord:
    red, green, blue = (round(float(value), 1) for value in tissue.white_point)
    return QualityRecord(
        area_mm2=round(tissue.area_mm2, 4),
        pieces=sum(piece.label == "sample" for piece in tissue.pieces),
        white_point=(red, green, blue),
        white_point_source=tissue.white_point_source,
        stain=f"{look.kind} ({look.why})",
        flags=flag_records(flags),
    )


def _titles(slide: Slide, bundle: Bundle, seen: _Seen, said: _Said) -> tuple[str, str]:
    """Title and footer of the picture: what its map shows, and the answer where that is another's."""
    answer, network = said.answer, seen.prediction.probabilities
    shares = "  ".join(f"{name}: {p:.2f}" for name, p in zip(bundle.scheme.classes, network, strict=True))
    head = f"{answer.likeliest}" if answer.issued else f"likely {answer.likeliest}; refer"
    title = f"{bundle.scheme.marker} {head}   ({shares}, by {answer.by})   {slide.path.name}"
    if answer.by != "network" and bundle.spec.kind != "measured":
        seen_as = bundle.scheme.classes[int(np.argmax(network))]
        title = (
            f"{bundle.scheme.marker} as the network alone sees it: {seen_as}   ({shares})   "
            f"The answer, by {answer.by}: {head}   {slide.path.name}"
        )
    footer = (
        f"{NOTICE} Model {bundle.name} {bundle.spec.version}, seen at {seen.prediction.mpp:.3g} um/px; "
        f"slide {slide.mpp:.4g} um/px ({slide.mpp_source}). {bundle.spec.trained_on}"
    )
    return title, footer
