"""Comparing tables of predictions made elsewhere: the same slides, the first table the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

import lowpower
from lowpower.errors import PredictionsError
from lowpower.evaluation import (
    PER_SLIDE,
    RESAMPLES,
    ComparisonSet,
    Evaluation,
    GivenPredictions,
    PairedTest,
    TestName,
    arms_of,
    compare_with_reference,
    evaluate_predictions,
    metric_table,
    one_spelling,
    read_given,
    shared_slides,
)
from lowpower.files import make_folder, write_text
from lowpower.reports._model_figures import plot_confusions, plot_forest, plot_reliabilities
from lowpower.reports._page_parts import embedded
from lowpower.reports._table_cells import ALPHA, model_rows, p_sentence, paired_rows, paired_titles
from lowpower.scoring import page_environment

__all__ = ["CompareOutcome", "compare_tables", "verdict_of"]


@dataclass(frozen=True, eq=False)
class CompareOutcome:
    """What several tables of predictions of the same slides are worth beside each other.

    Attributes:
        evaluations: Metrics with intervals by model, over the slides compared.
        comparison: Differences and tests against the first.
        verdict: What the tests allow to say, one sentence.
        report: report.html; metrics.csv, tests.csv, comparison.json and the figures lie beside it.
    """

    evaluations: dict[str, Evaluation]
    comparison: ComparisonSet
    verdict: str
    report: Path


def compare_tables(
    paths: Sequence[str | Path],
    scheme: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    arms: Sequence[str] = (),
    shared: bool = False,
    out: str | Path = "lowpower-comparison",
    seed: int = 0,
    resamples: int = RESAMPLES,
    tests: Sequence[TestName] = (),
) -> CompareOutcome:
    """Compare CSVs of probabilities with the first of them.

    Args:
        paths: At least two tables, as `lowpower.evaluation.read_given` takes them; or a study's one table.
        scheme: Label scheme; None takes the one whose class names are columns.
        columns: The files' own column names by the names expected.
        arms: Of a study's table, those to compare, the reference first; all of them if empty.
        shared: Leave out slides that not every table holds.
        out: Folder.
        seed: Of the resampling.
        resamples: Bootstrap resamples of patients, and swaps of the permutation test.
        tests: Named tests beside the permutation test, which the verdict is taken from.

    Raises:
        PredictionsError: a table cannot be used, or slides, patients or labels differ.
        OutputError: the folder cannot be written.
    """
    given = _read(paths, scheme, columns, arms)
    first = next(iter(given.values()))
    tables = shared_slides(_with_patients(given), keep_shared=shared)
    comparison = compare_with_reference(
        tables,
        first.scheme,
        next(iter(tables)),
        seed=seed,
        resamples=resamples,
        tests=("permutation", *tests),
    )
    evaluations = {
        name: evaluate_predictions(table, first.scheme, seed=seed, resamples=resamples)
        for name, table in tables.items()
    }
    notes = _notes(given, tables, evaluations, comparison)
    comparison = comparison.model_copy(update={"notes": notes})
    folder = make_folder(out)
    _write_numbers(folder, evaluations, comparison)
    outcome = CompareOutcome(evaluations, comparison, verdict_of(comparison), folder / "report.html")
    _write_page(outcome, given, seed=seed, resamples=resamples)
    return outcome


def _read(
    paths: Sequence[str | Path],
    scheme: str | None,
    columns: Mapping[str, str] | None,
    arms: Sequence[str],
) -> dict[str, GivenPredictions]:
    """The tables by name, or the arms of one study's table, all of one scheme."""
    if arms and len(paths) != 1:
        raise PredictionsError("--arm chooses among the arms of one study's table; name that table alone.")
    if len(paths) == 1:
        arms = arms or arms_of(paths[0])
        if len(set(arms)) < 2:
            raise PredictionsError(
                f"{paths[0]}: is one model; a comparison needs two tables of predictions or more, or a "
                "study's table with several arms."
            )
        given = {arm: read_given(paths[0], scheme, columns, arm) for arm in arms}
    else:
        read = one_spelling([read_given(path, scheme, columns) for path in paths])
        given = dict(zip(_names(paths), read, strict=True))
    first, *others = given.values()
    for other in others:
        if other.scheme.name != first.scheme.name:
            raise PredictionsError(
                f"{first.path} holds {first.scheme.name} and {other.path} {other.scheme.name}; compare "
                "models of the same scheme."
            )
    return given


def _notes(
    given: Mapping[str, GivenPredictions],
    tables: Mapping[str, pl.DataFrame],
    evaluations: Mapping[str, Evaluation],
    comparison: ComparisonSet,
) -> list[str]:
    """What a reader must know, each once."""
    first, slides = next(iter(given.values())), next(iter(tables.values())).height
    notes = [note for one in given.values() for note in one.notes if note != PER_SLIDE]
    if not any(one.has_patients for one in given.values()):
        notes += first.notes
    notes += [
        f"{name}: {one.table.height - slides} of {one.table.height} slides left out, not in every table"
        for name, one in given.items()
        if one.table.height > slides
    ]
    notes += [*evaluations[comparison.reference].notes, *comparison.notes]
    return list(dict.fromkeys(notes))


def _write_numbers(folder: Path, evaluations: Mapping[str, Evaluation], comparison: ComparisonSet) -> None:
    """comparison.json, metrics.csv and tests.csv."""
    comparison.save(folder / "comparison.json")
    metrics = [metric_table(one).insert_column(0, pl.lit(n).alias("model")) for n, one in evaluations.items()]
    write_text(folder / "metrics.csv", pl.concat(metrics).write_csv())
    write_text(folder / "tests.csv", comparison.table().write_csv())


def _figures(evaluations: Mapping[str, Evaluation], reference: str, folder: Path) -> list[tuple[str, Path]]:
    """Title and file of each figure."""
    macro = {name: one.metrics["auc_macro"] for name, one in evaluations.items()}
    return [
        ("Macro AUC with its interval", plot_forest(macro, folder / "auc.png", "macro AUC", reference)),
        ("Confusion matrices", plot_confusions(evaluations, folder / "confusion.png")),
        ("Are the probabilities true?", plot_reliabilities(evaluations, folder / "reliability.png")),
    ]


def _write_page(
    outcome: CompareOutcome, given: Mapping[str, GivenPredictions], *, seed: int, resamples: int
) -> None:
    """report.html and its figures."""
    evaluations, comparison = outcome.evaluations, outcome.comparison
    scheme, about = next(iter(given.values())).scheme, evaluations[comparison.reference]
    titles, rows = model_rows(evaluations, scheme)
    figures = _figures(evaluations, comparison.reference, outcome.report.parent)
    html = (
        page_environment("lowpower.reports")
        .get_template("compare.html")
        .render(
            names=list(evaluations),
            verdict=outcome.verdict,
            scheme=scheme,
            slides=about.slides,
            patients=about.patients,
            has_patients=any(one.has_patients for one in given.values()),
            columns=titles,
            models=rows,
            tests=paired_rows(comparison),
            tested=paired_titles(comparison),
            confidence=about.confidence,
            alpha=ALPHA,
            notes=comparison.notes,
            figures=[(title, embedded(Image.open(picture))) for title, picture in figures],
            files=[(name, one.path) for name, one in given.items()],
            resamples=resamples,
            seed=seed,
            version=lowpower.__version__,
        )
    )
    write_text(outcome.report, html)


def verdict_of(comparison: ComparisonSet) -> str:
    """What Holm-corrected tests of the macro AUC allow to say, and nothing stronger."""
    reference = comparison.reference
    tests = [test for test in comparison.tests if (test.test, test.measure) == ("permutation", "auc_macro")]
    known = [test for test in tests if test.p_holm is not None]
    if not known:
        return f"No test against {reference} is possible: too few patients, or a class is missing."
    told = [test for test in known if test.p_holm is not None and test.p_holm < ALPHA]
    parts = [_told(test, reference) for test in told]
    rest = ", ".join(test.model for test in known if test not in told)
    if rest:
        patients = next(iter(comparison.comparisons.values())).patients
        parts.append(
            f"{rest} cannot be told from {reference} in macro AUC with {patients} patients, which is no "
            "proof that they are equal"
        )
    return "; ".join(parts) + "."


def _told(test: PairedTest, reference: str) -> str:
    difference, p = test.difference or 0.0, p_sentence(test.p_holm if test.p_holm is not None else 1.0)
    return (
        f"{test.model} is {'better' if difference > 0 else 'worse'} than {reference} in macro AUC "
        f"({difference:+.3f}, {test.low:+.3f} to {test.high:+.3f}; Holm-corrected {p})"
    )


def _names(paths: Sequence[str | Path]) -> list[str]:
    """File names without ending; where two are alike, with their folder."""
    stems = [Path(path).stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    longer = [f"{Path(path).parent.name}/{stem}" for path, stem in zip(paths, stems, strict=True)]
    if len(set(longer)) == len(longer):
        return longer
    raise PredictionsError(f"{paths[0]}: is named more than once; give different files.")


def _with_patients(given: Mapping[str, GivenPredictions]) -> dict[str, pl.DataFrame]:
    """The tables; one without patients takes those of a table that has them, slide by slide."""
    known = [one.table.select("slide", "patient") for one in given.values() if one.has_patients]
    if not known:
        return {name: one.table for name, one in given.items()}
    patient_of = pl.concat(known).unique("slide", keep="first", maintain_order=True)
    return {
        name: one.table
        if one.has_patients
        else one.table.drop("patient").join(patient_of, on="slide", how="left", maintain_order="left")
        for name, one in given.items()
    }
