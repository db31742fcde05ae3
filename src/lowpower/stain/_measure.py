"""Measuring a slide's stain without labels: cells, classes, the guideline's score, what cannot be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowpower.geometry import Regions, read_regions
from lowpower.graphs import Precision, check_precision
from lowpower.slides import Slide, opened
from lowpower.stain._measure_guided import Budget, GuidedCells, guided_cells
from lowpower.stain._measurement import DabAreas, Heterogeneity, Measurement
from lowpower.stain._place import place_quality, size_quality, without_nuclei
from lowpower.stain.cells import (
    COARSEST_MPP,
    SHORT_HALO_UM,
    Cells,
    FieldReader,
    Marker,
    Progress,
    StainScale,
    cells_of,
    in_mask,
    scale_of,
    stain_maps,
)
from lowpower.stain.rules import (
    DEFAULT_CUTOFFS,
    INVENTED,
    Background,
    Cutoffs,
    Her2Cutoffs,
    Her2Shares,
    counted_cells,
    gap_quality,
    grade_cells,
    her2_of,
    her2_open_questions,
    nuclear_score,
    read_with_gaps,
    strong_incomplete,
    usual_complete,
)
from lowpower.stain.vectors import STAIN_CODES, StainVectors, clipping, stain_quality, vector_quality
from lowpower.tissue import CHECKS, QCFlag, Tissue, damage_flags, find_tissue, measurable
from lowpower.units import Mpp

__all__ = ["Effort", "measure"]

Effort = Literal["full", "guided"]

_OPEN: Final = {
    "complete_in_few": "complete moderate staining in 10 % of tumour cells or fewer and nothing else: the "
    "guideline leaves this open.",
    "strong_incomplete": "incomplete but moderate to intense (basolateral, U-shaped) staining in more than "
    "10 % of tumour cells: this may be called equivocal (2+).",
}
_AREA_UM = 4.0
_SQUARE_UM = 500.0
_FEWEST_IN_SQUARE = 20
_DAB = (0.08, 0.20, 0.40)


def measure(
    slide: Slide | str | Path,
    marker: Marker = "HER2",
    tissue: Tissue | None = None,
    regions: str | Path | Mapping[str, Any] | Regions | None = None,
    *,
    cutoffs: Cutoffs = DEFAULT_CUTOFFS,
    count: Literal["tumour", "all"] = "tumour",
    workers: int = 1,
    progress: Progress | None = None,
    mpp: float | None = None,
    effort: Effort = "full",
    seconds: float | None = None,
    seed: int = 0,
    precision: Precision = "exact",
) -> Measurement:
    """Measure a slide's stain, cell by cell, at about 0.5 um/px.

    Args:
        slide: An open slide, or a file to open.
        marker: What was stained.
        tissue: Where the tissue is; found if None.
        regions: Tumour regions, as `lowpower.geometry.read_regions` takes or gives them: only cells inside
            count.
        cutoffs: From which values on a stain counts: this laboratory's, or the usual ones.
        count: Which cells count: tumour-like ones, or all of 3 um and more, as where only tumour is in view.
        workers: Threads.
        progress: Called with fields done and fields in all.
        mpp: um/px of a file, over what it says.
        effort: "full" reads every field; "guided" draws fields in strata that low power shows, until no
            cut-off lies in the interval of a share it is held against (docs/measurement.md). Ctrl-C ends
            guided reading with what is known so far.
        seconds: Budget of guided reading.
        seed: Of guided draws: the same seed reads the same fields.
        precision: "exact" gives the same numbers on every machine; "fast" runs the network by OpenVINO.

    Tissue under air bubbles is left out. What the table of checks (`lowpower.tissue.CHECKS`) refuses is not
    measured, what it warns of stands in the notes.

    Raises:
        NoTissueError: if there is none.
        RegionsError: if `regions` cannot be used, or lie outside the slide's tissue.
        OptionError: if `precision` is fast and OpenVINO is not installed.
        ValueError: if `marker` is not one of HER2, ER, PR, Ki-67, or `seconds` is not above 0.
    """
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be above 0, not {seconds:g}")
    if marker not in get_args(Marker):
        raise ValueError(f"marker {marker!r} is not one of {', '.join(get_args(Marker))}")
    check_precision(precision)
    with opened(slide, mpp) as one:
        budget = Budget(seconds, seed) if effort == "guided" else None
        return _measure_open(
            one, marker, tissue, regions, cutoffs, count, workers, progress, budget, precision
        )


def _measure_open(
    slide: Slide, marker: Marker, tissue: Tissue | None,
    regions: str | Path | Mapping[str, Any] | Regions | None, cutoffs: Cutoffs,
    count: Literal["tumour", "all"], workers: int, progress: Progress | None, budget: Budget | None,
    precision: Precision,
) -> Measurement:  # fmt: skip
    drawn = None if regions is None else read_regions(regions)
    tissue = find_tissue(slide) if tissue is None else tissue
    tissue = replace(tissue, mask=measurable(tissue))
    image = slide.read(tissue.box, max(_AREA_UM, slide.mpp))
    mask = _mask_on(tissue, slide, image.shape[:2])
    flags = (*tissue.qc.flags, *stain_quality(image, mask, tissue.white_point))
    if not any(flag.effect == "refuse" for flag in flags):
        flags = (*flags, *clipping(slide, tissue))
    wrong = _refusal((*flags, *damage_flags(slide, tissue)), mask)
    if wrong is not None:
        return _nothing(marker, wrong)
    scale = scale_of(slide, tissue, marker)
    flags = (*flags, *vector_quality(scale.vectors))
    notes = tuple(flag.message for flag in flags if flag.effect == "warn")
    areas = _dab_areas(image, mask, tissue, scale.vectors)
    if slide.mpp > COARSEST_MPP:
        limit = f"cells need {COARSEST_MPP:g} um/px or finer"
        note = f"{slide.mpp:.2f} um/px is too coarse: {limit}; only areas were measured."
        return _nothing(marker, note, scale.vectors, areas)
    if budget is not None:
        reader = FieldReader(slide, tissue, scale, marker, precision, SHORT_HALO_UM)
        guided = guided_cells(
            slide, reader, image, mask, tissue, scale, marker, drawn, cutoffs, count, budget,
            workers, progress,
        )  # fmt: skip
        found, mpp, weights = guided.found, reader.mpp, guided.weights
    else:
        found, mpp = cells_of(
            slide, tissue, scale, marker, workers=workers, progress=progress, precision=precision
        )
        guided, weights = None, None
        bare, flags = without_nuclei(found.xy / slide.mpp, slide.size, tissue)
        if flags:
            kept = replace(tissue, mask=tissue.mask & ~bare)
            areas = _dab_areas(image, _mask_on(kept, slide, image.shape[:2]), tissue, scale.vectors)
            notes += tuple(flag.message for flag in flags)
    damaged = damage_flags(slide, tissue)
    wrong = _refusal(damaged, mask)
    if wrong is not None:
        return _nothing(marker, wrong)
    notes += tuple(flag.message for flag in damaged)
    in_region = None
    if drawn is not None:
        notes += drawn.notes
        in_region = drawn.contains(*(found.xy / slide.mpp).T)
        if not in_region.any():
            note = "the regions hold no cell on this slide's tissue: are they in base pixels of this slide?"
            return _nothing(marker, note, scale.vectors, areas)
    cells, background = grade_cells(found, marker, slide.mpp, in_region, cutoffs, scale.rendering, weights)
    sized = size_quality(cells, slide.mpp)
    wrong = _refusal(sized, mask)
    if wrong is not None:
        return _nothing(marker, wrong, scale.vectors, areas)
    counted = counted_cells(cells, count)
    if in_region is not None:
        counted &= in_region
    notes += tuple(
        flag.message for flag in (*sized, *place_quality(cells, counted, marker)) if flag.effect == "warn"
    )
    if guided is not None:
        if guided.reading is None and guided.stopped == "interrupted":
            raise KeyboardInterrupt
        if guided.reading is None:
            return _nothing(marker, _too_few_fields(guided), scale.vectors, areas)
        if not guided.reading.complete:
            notes += (f"guided: {guided.reading.sentence()}",)
    result = _scored(
        marker, mpp, scale, areas, cells, counted, background, notes, slide.mpp, cutoffs, weights
    )
    rays = found.pick(counted)
    if result.her2 is not None:
        each, her2 = None if weights is None else weights[counted], cutoffs.her2
        other = read_with_gaps(rays, result.her2, her2, scale.rendering, scale.edge_um, each)
        doubts = tuple(flag.message for flag in gap_quality(other, scale.edge_um))
        result = replace(result, with_gaps=other, notes=(*result.notes, *doubts))
    return replace(result, counted=rays, reading=None if guided is None else guided.reading)


def _too_few_fields(guided: GuidedCells) -> str:
    return (
        f"only {guided.read} of {guided.fields} fields could be read in the seconds given: too few to say "
        "anything of the slide; give --seconds more, or none."
    )


def _scored(
    marker: Marker, mpp: Mpp, scale: StainScale, areas: DabAreas, cells: Cells,
    counted: NDArray[np.bool_], background: Background, notes: tuple[str, ...], base_mpp: float,
    cutoffs: Cutoffs, weights: NDArray[np.float64] | None,
) -> Measurement:  # fmt: skip
    each = None if weights is None else weights[counted]
    count = int(counted.sum())
    her2 = shares = h_score = nuclear = heterogeneity = None
    open_questions: tuple[str, ...] = ()
    membrane_od = None
    if marker == "HER2":
        membrane_od = usual_complete(cells, counted, cutoffs.her2.complete, scale.rendering)
    few = CHECKS["few_tumour_cells"]
    if few.effect(count) == "refuse":
        word = "no" if count == 0 else f"only {count}"
        cells_were = "cell was" if count == 1 else "cells were"
        notes = (
            *notes,
            f"{word} tumour-like {cells_were} found (at least {few.refuse:g} are needed): no score.",
        )
    elif marker == "HER2":
        shares = _shares(cells.grade[counted], each)
        her2, h_score = her2_of(shares, count, cutoffs.her2), shares.h_score
        strong = strong_incomplete(cells, counted, cutoffs.her2.complete, scale.rendering, weights)
        open_questions = her2_open_questions(her2, shares, strong, INVENTED)
        notes = (*notes, *(_OPEN[name] for name in open_questions))
        heterogeneity = _heterogeneity(cells, counted, base_mpp, cutoffs.her2, each)
    else:
        nuclear = nuclear_score(cells.grade[counted], marker, each)
        h_score = nuclear.h_score
    return Measurement(
        marker,
        mpp,
        scale.vectors,
        count,
        her2,
        shares,
        h_score,
        nuclear,
        heterogeneity,
        areas,
        background,
        membrane_od,
        cutoffs.her2.intense_od if marker == "HER2" else None,
        cells,
        None,
        notes,
        open_questions,
        scale.rendering if marker == "HER2" else None,
        (float(scale.white_point[0]), float(scale.white_point[1]), float(scale.white_point[2])),
        edge_um=scale.edge_um,
    )


def _nothing(
    marker: Marker, note: str, vectors: StainVectors | None = None, areas: DabAreas | None = None
) -> Measurement:
    return Measurement(
        marker, None, vectors, 0, None, None, None, None, None, areas, None, None, None, None, None, (note,)
    )


def _mask_on(tissue: Tissue, slide: Slide, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The tissue on an image (H, W) of the tissue's box."""
    box = tissue.box
    base_x = box.x + (np.arange(shape[1]) + 0.5) * box.width / shape[1]
    base_y = box.y + (np.arange(shape[0]) + 0.5) * box.height / shape[0]
    return in_mask(tissue, slide.size, base_x, base_y[:, None])


def _refusal(flags: Sequence[QCFlag], mask: NDArray[np.bool_]) -> str | None:
    """Why nothing is measured; None where something can be."""
    for flag in flags:
        if flag.effect != "refuse":
            continue
        about = ""
        if flag.code in STAIN_CODES:
            about = "this does not look like haematoxylin and DAB: "
        return f"{about}{flag.message.rstrip('.')}; nothing was measured."
    if not mask.any():
        return "the tissue is smaller than one pixel at 4 um/px: nothing was measured."
    return None


def _dab_areas(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], tissue: Tissue, vectors: StainVectors
) -> DabAreas:
    dab = stain_maps(image, tissue.white_point, vectors)[1][mask]
    shares = np.bincount(np.searchsorted(_DAB, dab), minlength=4) / len(dab)
    return DabAreas(float(shares[1]), float(shares[2]), float(shares[3]))


def _shares(grades: NDArray[np.uint8], weights: NDArray[np.float64] | None = None) -> Her2Shares:
    total = len(grades) if weights is None else weights.sum()
    none, faint, moderate, intense = (np.bincount(grades, weights, minlength=4) / total).tolist()
    return Her2Shares(none, faint, moderate, intense)


def _heterogeneity(
    cells: Cells, counted: NDArray[np.bool_], base_mpp: float, cutoffs: Her2Cutoffs,
    weights: NDArray[np.float64] | None,
) -> Heterogeneity:  # fmt: skip
    column = (cells.x[counted] * base_mpp // _SQUARE_UM).astype(np.int64)
    row = (cells.y[counted] * base_mpp // _SQUARE_UM).astype(np.int64)
    squares, index = np.unique(np.stack([column, row], axis=1), axis=0, return_inverse=True)
    grades, index = cells.grade[counted], index.reshape(-1)
    scores: dict[tuple[int, int], str] = {}
    # Squares that were looked at because they are brown stand for themselves alone.
    totals = dict.fromkeys(("0", "1+", "2+", "3+"), 0.0)
    for number, (across, down) in enumerate(squares.tolist()):
        inside = grades[index == number]
        if len(inside) >= _FEWEST_IN_SQUARE:
            score = her2_of(_shares(inside), len(inside), cutoffs).score
            scores[across, down] = score
            totals[score] += 1.0 if weights is None else float(weights[index == number].mean())
    looked_at = sum(totals.values())
    shares = {score: total / looked_at for score, total in totals.items()} if scores else {}
    return Heterogeneity(_SQUARE_UM, scores, shares)
