"""The report of a study: one self-contained HTML file, arms.csv, tests.csv, groups.csv and figures/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import lowpower
from lowpower.cohort import Cohort, read_cohort
from lowpower.errors import LowpowerError
from lowpower.evaluation import MIN_PATIENTS, QUICK_RESAMPLES, RESAMPLES, Evaluation
from lowpower.experiments import GROUP_PATIENTS, StudyFindings, StudyResults, disagreements, find, group_table
from lowpower.files import make_folder, write_text
from lowpower.models import software_versions
from lowpower.reports._model_figures import plot_confusions, plot_forest, plot_reliabilities, plot_risks
from lowpower.reports._page_parts import jpeg_of, svg_of
from lowpower.reports._study_answer import answer
from lowpower.reports._study_figures import PARADIGMS, pareto_front, plot_cost, plot_resolution
from lowpower.reports._study_tables import (
    arm_rows,
    arm_table,
    cost_rows,
    fold_rows,
    group_rows,
    shown_in_groups,
)
from lowpower.reports._table_cells import ALPHA, paired_rows, paired_titles
from lowpower.scoring import page_environment
from lowpower.slides import open_slide

__all__ = ["write_study_report"]

_SIDE = 340


@dataclass(frozen=True, slots=True)
class _Thumbnail:
    """A picture as a data URI, or why there is none."""

    picture: str = ""
    reason: str = ""


def write_study_report(results: StudyResults, *, resamples: int = RESAMPLES, seed: int = 0) -> Path:
    """Write `<folder>/report.html` with arms.csv, tests.csv, groups.csv and figures/ beside it.

    Metrics are pooled over the outer folds: each slide is predicted once, when it was test, by that fold's
    model with that fold's calibration.

    Args:
        results: The study.
        resamples: Bootstrap resamples of patients.
        seed: Of the resampling.

    Returns:
        report.html.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder = make_folder(results.folder)
    found = find(results, resamples=resamples, seed=seed)
    front = pareto_front(found.finished)
    shown = shown_in_groups(found)
    groups = group_table(results, resamples=min(resamples, QUICK_RESAMPLES), seed=seed)
    write_text(folder / "arms.csv", arm_table(found, front).write_csv())
    write_text(folder / "groups.csv", groups.write_csv())
    tests = found.comparison.table().write_csv() if found.comparison is not None else "against,model\n"
    write_text(folder / "tests.csv", tests)
    titles, arms = arm_rows(found)
    slides = disagreements(results, [arm.record.name for arm in found.finished], found.scheme)
    cohort = _cohort(results) if slides else None
    html = (
        page_environment("lowpower.reports")
        .get_template("study.html")
        .render(
            config=results.config,
            scheme=found.scheme,
            answer=answer(found),
            found=found,
            simulated=any("simulated" in note.lower() for note in results.notes),
            columns=titles,
            seeded=any(arm.seeds for arm in found.arms),
            models=arms,
            figures=_figures(found, make_folder(folder / "figures")),
            costs=cost_rows(found, front),
            tests=paired_rows(found.comparison) if found.comparison is not None else [],
            tested=paired_titles(found.comparison) if found.comparison is not None else [],
            confidence=0.95,
            alpha=ALPHA,
            groups=group_rows(groups, shown),
            group_arms=shown,
            group_patients=GROUP_PATIENTS,
            min_patients=MIN_PATIENTS,
            disagreements=[(slide, _thumbnail(cohort, slide.row)) for slide in slides],
            notes=_notes(results, found),
            folds=fold_rows(results),
            settings=[(arm.record.name, arm.record.settings) for arm in found.arms],
            paradigms=PARADIGMS,
            versions=software_versions() | {"lowpower": lowpower.__version__},
            resamples=resamples,
            seed=seed,
        )
    )
    write_text(folder / "report.html", html)
    return folder / "report.html"


def _figures(found: StudyFindings, folder: Path) -> dict[str, str]:
    """Every figure as a data URI by name; none where no arm finished."""
    evaluations: dict[str, Evaluation] = {
        arm.record.name: arm.evaluation for arm in found.finished if arm.evaluation is not None
    }
    if not evaluations:
        return {}
    reference = found.reference.name if found.reference is not None else ""
    macro = {name: one.metrics["auc_macro"] for name, one in evaluations.items()}
    drawn = {
        "forest": plot_forest(macro, folder / "auc.png", "macro AUC", reference),
        "resolution": plot_resolution(found.arms, folder / "resolution.png"),
        "confusion": plot_confusions(evaluations, folder / "confusion.png"),
        "reliability": plot_reliabilities(evaluations, folder / "reliability.png"),
        "risk": plot_risks(evaluations, folder / "risk_coverage.png"),
    }
    if any(arm.cost is not None for arm in found.finished):
        drawn["cost"] = plot_cost(found.arms, folder / "cost.png")
    return {name: svg_of(path.with_suffix(".svg")) for name, path in drawn.items()}


def _cohort(results: StudyResults) -> Cohort | None:
    """The manifest, for pictures alone: a report can be written where the slides are not."""
    try:
        return read_cohort(results.config.cohort)
    except LowpowerError:
        return None


def _notes(results: StudyResults, found: StudyFindings) -> list[str]:
    notes = list(results.notes)
    if results.left_out.height:
        number = results.left_out["row"].n_unique()
        notes.append(f"{number} slides are missing from at least one arm; results/left_out.csv names them.")
    if found.comparison is not None:
        notes += [f"{note}." for note in found.comparison.notes]
    for arm in found.finished:
        assert arm.evaluation is not None
        notes += [f"{arm.record.name}: {note}." for note in arm.evaluation.notes]
    return list(dict.fromkeys(notes))


def _thumbnail(cohort: Cohort | None, row: int) -> _Thumbnail:
    """The whole slide of a row of the manifest, its longer side a few hundred pixels."""
    if cohort is None or not 0 <= row < len(cohort):
        return _Thumbnail(reason="the cohort of this study cannot be read here")
    path, mpp = cohort.table["slide"][row], cohort.table["mpp"][row]
    try:
        with open_slide(path, mpp) as slide:
            seen = slide.overview(max(slide.mpp, slide.mpp * max(slide.size) / _SIDE))
    except LowpowerError as error:
        return _Thumbnail(reason=str(error))
    return _Thumbnail(jpeg_of(Image.fromarray(seen)))
