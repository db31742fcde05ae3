"""A slide with tissue that may be on-slide control, answered with it and without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lowpower.errors import LowpowerError
from lowpower.models import Bundle
from lowpower.scoring.records import Answer, ControlDoubt, ControlWay, CutoffAnswer, Measured
from lowpower.scoring.requests import ScoreRequest, regions_on
from lowpower.scoring.slide._decide import answer_of
from lowpower.scoring.slide._predict_slide import predict_slide
from lowpower.scoring.slide._sight import Sight
from lowpower.slides import Slide
from lowpower.tissue import Group, Tissue, find_tissue
from lowpower.units import Box

__all__ = ["doubt_of", "settled"]


def doubt_of(
    slide: Slide,
    bundle: Bundle,
    tissue: Tissue,
    request: ScoreRequest,
    answer: Answer,
    measured: Measured | None,
) -> ControlDoubt | None:
    """Score the slide again without each group that may be control; None where there is none.

    Args:
        slide: The slide, open.
        bundle: The model.
        tissue: All tissue, the doubtful groups among it.
        request: What was asked.
        answer: What was answered with all tissue.
        measured: What was measured with all tissue.
    """
    if not tissue.doubtful:
        return None
    whole = ControlWay(left_out=None, area_mm2=None, end=None, answer=answer, measured=_score(measured))
    ways = (
        whole,
        *(_without(slide, bundle, group, request, measure=measured is not None) for group in tissue.doubtful),
    )
    agree = all(_same(whole, way) for way in ways[1:])
    return ControlDoubt(ways=ways, agree=agree, sentence=_sentence(ways, agree=agree))


def settled(answer: Answer, doubt: ControlDoubt | None) -> Answer:
    """What may be said whichever way is right: issued, or yes and no, only where every way says so."""
    if doubt is None:
        return answer
    others = [way.answer for way in doubt.ways if way.answer is not None]
    why = doubt.sentence if not doubt.agree else next((other.why for other in others if other.why), None)
    cutoffs = []
    for number, cutoff in enumerate(answer.cutoffs):
        said = {_answer_at(other, number, cutoff) for other in others}
        alike = said == {cutoff.answer} and len(others) == len(doubt.ways)
        open_ = {"answer": "undetermined", "error": None}
        cutoffs.append(cutoff if alike else cutoff.model_copy(update=open_))
    return answer.model_copy(update={"issued": why is None, "why": why, "cutoffs": tuple(cutoffs)})


def _answer_at(other: Answer, number: int, cutoff: CutoffAnswer) -> str:
    same = number < len(other.cutoffs) and other.cutoffs[number].cutoff == cutoff.cutoff
    return other.cutoffs[number].answer if same else "undetermined"


def _without(
    slide: Slide, bundle: Bundle, group: Group, request: ScoreRequest, *, measure: bool
) -> ControlWay:
    measured = None
    answer, problem = None, None
    try:
        tissue, regions = find_tissue(slide, control=group.mask), regions_on(slide, request)
        asked, own = replace(request, pictures=False), bundle.spec.laboratory
        sight = Sight(slide, tissue, regions, asked, bundle.scheme.marker, learnt=own)
        prediction = predict_slide(bundle, sight)
        if measure:
            measured, _ = sight.measured()
        answer = answer_of(bundle, prediction.probabilities, measured)
    except LowpowerError as error:
        problem = str(error)
    box = group.box
    return ControlWay(
        left_out=(box.x, box.y, box.width, box.height),
        area_mm2=round(group.area_mm2, 4),
        end=group.end,
        answer=answer,
        measured=_score(measured),
        problem=problem,
    )


def _score(measured: Measured | None) -> str | None:
    return None if measured is None else measured.score


def _same(whole: ControlWay, way: ControlWay) -> bool:
    """Whether nothing that is said depends on which of the two is right."""
    one, other = whole.answer, way.answer
    if one is None or other is None or whole.measured != way.measured:
        return False
    opposed = any({first.answer, _answer_at(other, number, first)} == {"yes", "no"}
                  for number, first in enumerate(one.cutoffs))  # fmt: skip
    return one.likeliest == other.likeliest and not opposed


def _sentence(ways: Sequence[ControlWay], *, agree: bool) -> str:
    whole, *rest = ways
    boxes = [Box(*way.left_out) for way in rest if way.left_out is not None]
    pieces = [f"{way.area_mm2:.2f} mm2{f' {way.end}' if way.end else ''}" for way in rest]
    one = len(rest) == 1
    told = f"tissue of {' and '.join(pieces)} may be on-slide control tissue; the slide was scored "
    told += "with and without it: " if one else "with all of it and without each piece: "
    if agree:
        answer = whole.answer
        assert answer is not None
        return f"{told}{answer.likeliest} {'both' if one else 'all'} ways, so it does not matter here."
    names = ["it"] if one else [f"the {piece}" for piece in pieces]
    without = "; ".join(f"without {name} {way.sentence}" for name, way in zip(names, rest, strict=True))
    ends = [way.end for way in rest if way.end]
    options = [f"--control {f'{end!r}' if ' ' in end else end}" for end in dict.fromkeys(ends)]
    options += [f"--control {box.x},{box.y},{box.width},{box.height}" for box in boxes]
    choice = f"{' or '.join(options)} if it is control, --control none if it is sample"
    return f"{told}with {'it' if one else 'all'} {whole.sentence}, {without}. Say which: {choice}."
