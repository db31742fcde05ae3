"""The answer of a study in two or three sentences: what the tests allow to say, and nothing stronger."""

from __future__ import annotations

from lowpower.evaluation import PairedTest
from lowpower.experiments import ArmFindings, StudyFindings
from lowpower.reports._table_cells import ALPHA, p_sentence

__all__ = ["answer", "seconds"]


def answer(found: StudyFindings) -> list[str]:
    """Sentences, the most important first."""
    if found.reference is None:
        return ["No arm finished on any fold, so there is nothing to compare; the reasons are below."]
    reference = found.arm(found.reference.name)
    opening = f"The low-resolution arm {reference.record.name} ({reference.record.mpp:g} um/px) reaches"
    assert reference.evaluation is not None  # it is chosen among finished arms
    auc = reference.evaluation.metrics["auc_macro"]
    if auc.value is None:
        return [f"{reference.record.name} has no macro AUC ({auc.note}); see the tables."]
    if auc.low is None or auc.high is None:
        sentences = [f"{opening} macro AUC {auc.value:.2f}, without an interval: {auc.note}."]
    else:
        sentences = [f"{opening} macro AUC {auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})."]
    sentences += _against_finer(found, reference)
    cost = _cost(found, reference)
    return [*sentences, cost] if cost else sentences


def _finer(found: StudyFindings, reference: ArmFindings) -> list[ArmFindings]:
    return [arm for arm in found.finished if arm.record.mpp < reference.record.mpp]


def _against_finer(found: StudyFindings, reference: ArmFindings) -> list[str]:
    finer = _finer(found, reference)
    if found.comparison is None or not finer:
        return ["No arm at finer resolution finished, so nothing is said of what resolution adds."]
    tests = [
        found.comparison.test_of(arm.record.name, "permutation", "auc_macro")
        for arm in finer
        if arm.record.name in found.comparison.comparisons
    ]
    known = [test for test in tests if test is not None and test.p_holm is not None]
    if not known:
        return [
            f"With {found.patients} patients no arm can be told from another: "
            "the cohort is too small for intervals and tests."
        ]
    told = [test for test in known if test.p_holm is not None and test.p_holm < ALPHA]
    better = sorted(
        (test for test in told if (test.difference or 0) > 0), key=lambda test: -(test.difference or 0)
    )
    if better:
        return [_better(better[0], len(better), len(known)), *_at_cutoffs(found, known, better=True)]
    none = "The one arm at finer resolution is not"
    if len(known) > 1:
        none = f"None of the {len(known)} arms at finer resolution is"
    worse = sum((test.difference or 0) < 0 for test in told)
    sentence = f"{none} better in macro AUC by a Holm-corrected test"
    if worse:
        sentence += f" ({worse} {'is' if worse == 1 else 'are'} worse)"
    room = max((test.high for test in known if test.high is not None), default=0.0)
    if room > 0:
        sentence += (
            f"; with {found.patients} patients a gain of up to {room:.2f} cannot be excluded, so this is no "
            "proof of equality"
        )
    return [f"{sentence}.", *_at_cutoffs(found, known, better=False)]


def _better(test: PairedTest, number: int, among: int) -> str:
    p = p_sentence(test.p_holm if test.p_holm is not None else 1.0)
    opening = f"{test.model} is better"
    if number > 1:
        opening = f"Of {among} arms at finer resolution {number} are better, most of all {test.model}"
    return (
        f"{opening}: {test.value:.2f}, a difference of {test.difference:+.3f} "
        f"({test.low:+.3f} to {test.high:+.3f}; Holm-corrected {p})."
    )


def _at_cutoffs(found: StudyFindings, known: list[PairedTest], *, better: bool) -> list[str]:
    """What finer arms gain at the cut-offs that decide treatment, and in accuracy."""
    assert found.comparison is not None  # there are tests
    asked = [(f"at {cutoff.name}", f"auc[{cutoff.name}]") for cutoff in found.scheme.cutoffs]
    gains, none = [], []
    for where, measure in [*asked, ("in accuracy", "accuracy")]:
        tests = [found.comparison.test_of(test.model, "permutation", measure) for test in known]
        best = max((test for test in tests if test is not None and _gains(test)), key=_change, default=None)
        if best is None:
            none.append(where)
            continue
        p = p_sentence(best.p_holm if best.p_holm is not None else 1.0)
        gains.append(f"{where} {best.model} is better ({best.value:.2f} against {best.reference:.2f}, {p})")
    places = " or ".join(filter(None, (", ".join(none[:-1]), none[-1] if none else "")))
    sentences = [f"{text[0].upper()}{text[1:]}." for text in ["; ".join(gains)] if text]
    if none:
        start = "No finer arm is told apart" if gains or better else "Nor is any"
        sentences.append(f"{start} {places} (Holm-corrected).")
    return sentences


def _change(test: PairedTest) -> float:
    return test.difference or 0.0


def _gains(test: PairedTest) -> bool:
    return test.p_holm is not None and test.p_holm < ALPHA and (test.difference or 0) > 0


def _cost(found: StudyFindings, reference: ArmFindings) -> str:
    finer = [arm for arm in _finer(found, reference) if arm.cost is not None]
    if reference.cost is None:
        return ""
    mine = f"{reference.record.name} costs {seconds(reference.cost.seconds)} a slide"
    if not finer:
        return f"{mine}."
    others = sorted(arm.cost.seconds for arm in finer if arm.cost is not None)
    span = seconds(others[0]) if len(others) == 1 else f"{seconds(others[0])} to {seconds(others[-1])}"
    return f"{mine}, the finer arm{'s' if len(others) > 1 else ''} {span}."


def seconds(value: float) -> str:
    """Seconds in two digits."""
    return f"{value:.2g} s" if value < 99.5 else f"{value:.0f} s"
