"""Tables a person reads in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from lowpower.evaluation import AnswerTest, ComparisonSet, Evaluation, Metric
    from lowpower.scoring import Batch, MeasuredSlide, ReaderAgreement, Result
    from lowpower.tissue import ControlHabit

__all__ = [
    "answer_lines",
    "comparison_table",
    "metrics_table",
    "print_agreement",
    "print_batch",
    "print_case",
    "print_habit",
    "print_reasons",
]

_OFTEN = 3
"""Rows that share a reason from which on it is told once for all."""


def print_batch(console: Console, batch: Batch[Result] | Batch[MeasuredSlide]) -> None:
    """One row a slide, then what is to be said of single slides, one line each, then the counts.

    A single scored slide gets a screen of its own instead of a row.
    """
    from lowpower.scoring import Result, habit_of

    results = [record for record in batch if isinstance(record, Result)]
    measured = [record for record in batch if not isinstance(record, Result)]
    alone = len(results) == 1 and results[0].state == "ok"
    if alone:
        print_case(console, results[0])
    elif results:
        console.print(_results_table(results, batch.names))
    if measured:
        console.print(_measurements_table(measured, batch.names))
    if not alone:
        print_reasons(console, list(batch))
    if len(batch) > 1:
        habit, doubtful = habit_of(list(batch))
        if doubtful:
            print_habit(console, habit, [Path(file).name for file in doubtful])
    for note in batch.notes:
        console.print(note, soft_wrap=True, markup=False)
    if not alone or batch.reused:
        console.print(batch.closing, soft_wrap=True, markup=False)
    if batch.agreement is not None:
        print_agreement(console, batch.agreement)


def answer_lines(answers: AnswerTest | None) -> list[str]:
    """What a model's answers are worth, a line a question."""
    if answers is None:
        return []
    lines = [f"scores: {answers.issued.sentence('issued')}."]
    lines += [f"{name}: {given.sentence('decided')}." for name, given in answers.cutoffs.items()]
    if answers.joint:
        told = [
            f"{word} {metric.value:.2f} ({metric.low:.2f} to {metric.high:.2f})"
            for word, name in (("macro AUC", "auc_macro"), ("kappa", "kappa_quadratic"))
            if (metric := answers.joint[name]).value is not None
            and metric.low is not None
            and metric.high is not None
        ]
        lines.append(f"network and measurement together, {answers.measured} slides: {', '.join(told)}.")
    return lines


def print_agreement(console: Console, agreement: ReaderAgreement) -> None:
    """Confusion of the manifest's scores and what was said, and kappa."""
    classes = agreement.scheme.classes
    table = Table("score of the manifest", *(f"said {name}" for name in classes))
    for name, row in zip(classes, agreement.confusion.tolist(), strict=True):
        table.add_row(name, *(str(count) if count else "" for count in row))
    console.print(table)
    console.print(agreement.sentence(), soft_wrap=True, markup=False)
    for sentence in agreement.unusable:
        console.print(f"label not used: {sentence}", soft_wrap=True, markup=False)


def _measurements_table(records: Sequence[MeasuredSlide], names: Sequence[str]) -> Table:
    markers = " ".join(sorted({record.marker for record in records}))
    title = f"{markers} measured. Research use only: not a medical device."
    table = Table(title=title, title_justify="left")
    table.add_column("slide", overflow="fold", min_width=12)
    for name in ("state", "score", "stained", "H", "cells"):
        table.add_column(name, no_wrap=True)
    table.add_column("nearest", overflow="fold")
    for record, name in zip(records, names, strict=True):
        told = record.measured
        deciding = told.deciding if told is not None else None
        percent = told.percent if told is not None else None
        h_score = told.h_score if told is not None else None
        table.add_row(
            escape(name),
            record.state,
            (told.score if told is not None else None) or "",
            "" if percent is None else f"{percent:.1f}%",
            "" if h_score is None else f"{h_score:.0f}",
            str(told.tumour_cells) if told is not None else "",
            "" if deciding is None else f"{deciding.nearest} at {deciding.distance:.1%}",
        )
    return table


def print_habit(console: Console, habit: ControlHabit | None, doubtful: Sequence[str]) -> None:
    """Where control tissue usually lies, and the slides for which that should be said."""
    if habit is None or not (habit.found or habit.doubtful):
        return
    where = f", {habit.there} of them {habit.end}" if habit.end is not None else ""
    if habit.found:
        on = "1 slide" if habit.found == 1 else f"{habit.found} slides"
        console.print(f"control tissue: found on {on}{where}.", soft_wrap=True)
    if habit.doubtful:
        console.print(habit.sentence(), soft_wrap=True)
        console.print(f"doubtful: {', '.join(escape(name) for name in doubtful)}", soft_wrap=True)


def print_reasons(console: Console, records: Sequence[Result | MeasuredSlide]) -> None:
    """One line for each record with a reason, naming its file."""
    from lowpower.errors import one_line

    for record in records:
        if record.reason:
            file = one_line(record.file)
            line = record.reason if file in record.reason else f"{file}: {record.reason}"
            console.print(line, soft_wrap=True, markup=False)


def _results_table(results: Sequence[Result], names: Sequence[str]) -> Table:
    table = Table(title="Research use only: not a medical device.", title_justify="left")
    table.add_column("slide", overflow="fold", min_width=16)
    for name in ("", "likeliest", "measured"):
        table.add_column(name, no_wrap=True)
    questions = _questions(results)
    for question in questions:
        table.add_column(f"{question.replace('at least ', '>=')}?", no_wrap=True)
    for result, name in zip(results, names, strict=True):
        table.add_row(
            escape(name),
            result.outcome,
            (result.decision or "") if result.answer is None else _likeliest(result.answer.probabilities),
            "" if result.measured is None else result.measured.score or "none",
            *_answers(result, questions),
        )
    return table


def _questions(results: Sequence[Result]) -> list[str]:
    """What is asked at the cut-offs, without what is only measured."""
    cutoffs = [cutoff for result in results if result.answer for cutoff in result.answer.cutoffs]
    return list(dict.fromkeys(c.question for c in cutoffs if c.probability is not None))


def _answers(result: Result, questions: Sequence[str]) -> list[str]:
    """Yes, no or "?" for each question."""
    given = {c.question: c.answer for c in result.answer.cutoffs} if result.answer else {}
    return [given.get(question, "").replace("undetermined", "?") for question in questions]


def _likeliest(probabilities: Mapping[str, float]) -> str:
    name = max(probabilities, key=lambda key: probabilities[key])
    return f"{name} ({probabilities[name]:.2f})"


def print_case(console: Console, result: Result) -> None:
    """One slide in one screen: decision, network, measurement, whether they agree, quality, model."""
    from lowpower.scoring import share_name

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    told, agreement = result.measured, result.agreement
    table.add_row("slide", escape(Path(result.file).name))
    table.add_row("answer", f"[bold]{escape(result.headline)}[/bold]")
    for number, reason in enumerate(result.reasons):
        table.add_row("" if number else "because", escape(reason))
    for number, cutoff in enumerate(result.answer.cutoffs if result.answer else ()):
        table.add_row("" if number else "cut-offs", escape(cutoff.sentence))
    if result.answer is not None and result.beside_network:
        both = ", ".join(f"{name}: {share:.2f}" for name, share in result.answer.probabilities.items())
        table.add_row("answer's", f"{both} (by {result.answer.by})")
    if result.answer is not None:
        table.add_row("promise", escape(result.answer.promise))
    shares = ", ".join(f"{name}: {share:.2f}" for name, share in (result.probabilities or {}).items())
    kept = "" if result.prediction_set is None else f"; not excluded: {', '.join(result.prediction_set)}"
    table.add_row("network", f"{shares}{kept}")
    if result.measured_sentence:
        table.add_row("measured", escape(result.measured_sentence.removeprefix("Measured ")))
    if told is not None and told.shares is not None:
        classes = ", ".join(
            f"{share_name(told.marker, name)} {share:.1%}" for name, share in told.shares.items()
        )
        table.add_row("cells", f"{told.tumour_cells} tumour-like: {classes}")
        table.add_row("H-score", f"{told.h_score:.0f} of 300")
    if told is not None and told.deciding is not None:
        near = told.deciding
        table.add_row("decides", f"{near.what} {near.share:.1%}, cut-off {near.cutoff:.0%}; {near.change}")
    if agreement is not None:
        level = "" if agreement.level == "not measured" else f"{agreement.level}: "  # the sentence says it
        table.add_row("agreement", f"{level}{escape(agreement.sentence)}")
    if result.qc is not None:
        table.add_row("tissue", f"{result.qc.area_mm2:.1f} mm2; {escape(result.qc.stain)}")
    if result.model is not None:
        name = f"{result.model.name} {result.model.version}"
        table.add_row("model", escape(f"{name}: {result.model.trained_on}"))
    table.add_row("time", f"{result.seconds:.1f} s")
    console.print("Research use only: not a medical device.", style="italic")
    console.print(table)


def metrics_table(evaluation: Evaluation) -> Table:
    """Metrics with their intervals."""
    from lowpower.reports import METRIC_NAMES, say

    share = f"{evaluation.confidence:.0%}"
    table = Table(
        "metric",
        f"value ({share} interval)",
        title=f"{evaluation.slides} slides of {evaluation.patients} patients. {evaluation.research_use}",
        title_justify="left",
    )
    rows = {METRIC_NAMES.get(name, name): metric for name, metric in evaluation.metrics.items()}
    for name, cutoff in evaluation.cutoffs.items():
        rows[f"positive percent agreement at {name}"] = cutoff.ppa
        rows[f"negative percent agreement at {name}"] = cutoff.npa
    counts = Counter(metric.note for metric in rows.values() if metric.value is not None and metric.note)
    often = [note for note, count in counts.items() if count >= _OFTEN and note.startswith("no interval")]
    for name, metric in rows.items():
        table.add_row(name, f"{metric.value:.3f}" if metric.note in often else say(metric, 3))
    if often:  # said once, not in every row
        table.caption = f"Without brackets: {'; '.join(often)}."
        table.caption_justify = "left"
    return table


def comparison_table(evaluations: Mapping[str, Evaluation], comparison: ComparisonSet) -> Table:
    """One row a model: the summary metrics, and the corrected tests against the first."""
    from lowpower.reports import p_sentence

    first = evaluations[comparison.reference]
    table = Table(
        title=f"{first.slides} slides of {first.patients} patients, against {comparison.reference}; "
        f"p corrected by Holm. {comparison.research_use}",
        title_justify="left",
    )
    for name in ("model", "macro AUC", "accuracy", "kappa", "AUC apart", "p", "p, accuracy"):
        table.add_column(name, overflow="fold")  # whole words in a narrow terminal, too
    for name, evaluation in evaluations.items():
        values = [_short(evaluation.metrics[key]) for key in ("auc_macro", "accuracy", "kappa_quadratic")]
        tests = [comparison.test_of(name, "permutation", measure) for measure in ("auc_macro", "accuracy")]
        difference = tests[0].difference if tests[0] else None
        ps = [p_sentence(t.p_holm).removeprefix("p = ") if t and t.p_holm is not None else "" for t in tests]
        table.add_row(name, *values, "" if difference is None else f"{difference:+.3f}", *ps)
    return table


def _short(metric: Metric) -> str:
    """A metric, and below it its interval; why there is none stands in report.html."""
    if metric.value is None:
        return "undefined"
    interval = "" if metric.low is None or metric.high is None else f"\n{metric.low:.3f} to {metric.high:.3f}"
    return f"{metric.value:.3f}{interval}"
