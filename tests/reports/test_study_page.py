"""The study's report, on made-up results: its numbers are the evaluation's, its answer no stronger."""

from __future__ import annotations

import base64
import csv
import dataclasses
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lowpower.evaluation import compare_predictions, evaluate_predictions, named_metrics
from lowpower.experiments import StudyResults
from lowpower.experiments.collect._findings import find
from lowpower.experiments.collect._subgroups import group_table
from lowpower.reports import write_study_report
from lowpower.reports._study_answer import answer
from lowpower.reports._study_figures import pareto_front, series_of

_SPEC = importlib.util.spec_from_file_location("made_study", Path(__file__).with_name("made_study.py"))
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
made: Callable[..., StudyResults] = _MODULE.made
ARMS = _MODULE.ARMS


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyResults, str]:
    """A study with every paradigm and a failed arm, reported."""
    results = made(tmp_path_factory.mktemp("study"), arms=(*ARMS[:2], ARMS[5], ARMS[7]), slides=80)
    return results, write_study_report(results, resamples=100).read_text(encoding="utf-8")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_page_is_one_file_and_says_what_it_is(study: tuple[StudyResults, str]) -> None:
    _, html = study
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert "Research use only: not a medical device." in html
    assert "All slides here are simulated." in html
    assert "calibrated on its own validation slides" in html


def test_numbers_are_those_of_the_evaluation(study: tuple[StudyResults, str]) -> None:
    results, html = study
    table = {row["arm"]: row for row in rows_of(results.folder / "arms.csv")}
    for name in ("slide@16", "slide@8", "abmil@0.5"):
        metrics = named_metrics(evaluate_predictions(results.of_arm(name), "her2_four", resamples=100))
        for key in ("auc_macro", "f1_weighted", "kappa_quadratic", "ppa[3+ | rest]", "npa[0 | >=1+]", "ece"):
            metric = metrics[key]
            assert float(table[name][key]) == metric.value
            assert float(table[name][f"{key}_low"]) == metric.low
            cell = rf"{metric.value:.2f}<br><span class=\"soft small\">{metric.low:.2f} to {metric.high:.2f}<"
            assert re.search(cell, html)
    reference = next(row["arm"] for row in table.values() if row["reference"] == "true")
    pair = compare_predictions(
        results.of_arm(reference), results.of_arm("abmil@0.5"), "her2_four", resamples=100
    )
    test = next(
        row
        for row in rows_of(results.folder / "tests.csv")
        if (row["model"], row["measure"]) == ("abmil@0.5", "auc_macro")
    )
    assert float(test["difference"]) == pair.metrics["auc_macro"].difference
    assert float(test["p"]) == pair.metrics["auc_macro"].p
    assert f"{pair.metrics['auc_macro'].difference:+.3f}" in html


def test_a_failed_arm_is_shown_as_failed_with_its_reason(study: tuple[StudyResults, str]) -> None:
    results, html = study
    assert re.search(
        r"patch@0\.5<.*?failed</span> <span class=\"small\">folds 0, 1, 2, 3, 4: pretrained", html, re.S
    )
    failed = next(row for row in rows_of(results.folder / "arms.csv") if row["arm"] == "patch@0.5")
    assert (failed["state"], failed["auc_macro"]) == ("failed", "")


def test_figures_are_files_and_inside(study: tuple[StudyResults, str]) -> None:
    results, html = study
    for name in ("auc", "resolution", "cost", "confusion", "reliability", "risk_coverage"):
        svg = (results.folder / "figures" / f"{name}.svg").read_bytes()
        assert base64.b64encode(svg).decode() in html
        for ending in ("png", "csv"):
            assert (results.folder / "figures" / f"{name}.{ending}").stat().st_size > 50


def test_the_same_study_gives_the_same_page(study: tuple[StudyResults, str]) -> None:
    results, html = study
    assert write_study_report(results, resamples=100).read_text(encoding="utf-8") == html


def test_groups_have_their_metrics_and_small_ones_no_intervals(study: tuple[StudyResults, str]) -> None:
    results, html = study
    groups = rows_of(results.folder / "groups.csv")
    small = [row for row in groups if row["group"] == "B"]
    assert small
    for row in small:
        assert 0 <= int(row["right"]) <= int(row["slides"])
        assert "fewer than 20 patients" in row["note"]
        for name in ("accuracy", "auc_macro", "kappa_quadratic"):
            assert (row[f"{name}_low"], row[f"{name}_high"]) == ("", "")
    large = [row for row in groups if row["group"] == "A"]
    table = results.of_arm("slide@8").filter(pl.col("scanner") == "A")
    metrics = evaluate_predictions(table, "her2_four", resamples=100).metrics
    row = next(row for row in large if row["arm"] == "slide@8")
    for name in ("accuracy", "auc_macro", "kappa_quadratic"):
        assert all(row[f"{name}_low"] for row in large)
        assert float(row[name]) == metrics[name].value
        assert float(row[f"{name}_low"]) == metrics[name].low
        assert f"{metrics[name].low:.2f} to {metrics[name].high:.2f}" in html


def test_a_group_without_a_class_has_no_auc_and_says_why(study: tuple[StudyResults, str]) -> None:
    results, _ = study
    part = results.predictions.filter((pl.col("site") != "site-1") | (pl.col("label") < 3))
    rows = group_table(StudyResults(**{**vars(results), "predictions": part}), resamples=20).filter(
        pl.col("group") == "site-1"
    )
    assert rows["auc_macro"].null_count() == rows.height > 0
    assert rows["kappa_quadratic"].null_count() == 0
    assert all("no slide of class 3+" in note for note in rows["note"])


def test_the_reference_is_chosen_on_validation(tmp_path: Path) -> None:
    arms = ARMS[:3]
    results = made(tmp_path, arms=arms, failed=None)
    found = find(results, resamples=20)
    assert found.reference.name == "slide@4"
    assert "validation AUC" in found.reference.why
    blind = find(made(tmp_path, arms=arms, failed=None, validation=False), resamples=20)
    assert blind.reference.name == "slide@16"
    assert "coarsest" in blind.reference.why


def test_the_configuration_may_name_the_reference(tmp_path: Path) -> None:
    results = made(tmp_path, arms=ARMS[:3], failed=None)
    named = results.config.model_copy(update={"reference": "slide@8"})
    found = find(
        StudyResults(**{**vars(results), "config": named}),
        resamples=20,
    )
    assert (found.reference.name, found.reference.why) == ("slide@8", "named by the configuration")


@pytest.mark.parametrize("scheme", ["her2_three", "er_status"])
def test_every_scheme_reports(tmp_path: Path, scheme: str) -> None:
    results = made(tmp_path, scheme, arms=(ARMS[1], ARMS[5]), failed=None, slides=60)
    html = write_study_report(results, resamples=30).read_text(encoding="utf-8")
    for cutoff in find(results, resamples=20).scheme.cutoffs:
        assert cutoff.name.replace(">", "&gt;") in html


def test_too_small_a_cohort_prints_no_interval_and_says_so(tmp_path: Path) -> None:
    results = made(tmp_path, arms=(ARMS[1], ARMS[5]), failed=None, slides=16, folds=2)
    html = write_study_report(results, resamples=30).read_text(encoding="utf-8")
    assert "the cohort is too small for intervals and tests" in html
    assert "8 patients are too few for intervals" in html
    assert not re.search(r"\d\.\d\d to \d\.\d\d<", html)


def test_a_single_fold_and_a_partial_arm(tmp_path: Path) -> None:
    results = made(tmp_path, arms=(ARMS[1], ARMS[5]), failed=None, folds=1, slides=48)
    assert "1 outer folds" in write_study_report(results, resamples=30).read_text(encoding="utf-8")
    results = made(tmp_path, arms=(ARMS[1], ARMS[5]), failed=None, partial="abmil@0.5")
    html = write_study_report(results, resamples=30).read_text(encoding="utf-8")
    assert "Failed: fold 0: pretrained" in html
    assert "abmil@0.5 is compared over the 96 slides that both predicted." in html


def test_nothing_finished_is_said(tmp_path: Path) -> None:
    results = made(tmp_path, arms=ARMS[1:2], failed="slide@8")
    html = write_study_report(results, resamples=30).read_text(encoding="utf-8")
    assert "No arm finished on any fold" in html


def test_the_answer_is_no_stronger_than_the_tests(tmp_path: Path) -> None:
    strong = find(made(tmp_path, arms=(ARMS[0], ARMS[5]), failed=None), resamples=400)
    text = " ".join(answer(strong))
    assert "abmil@0.5 is better: " in text
    assert strong.comparison.test_of("abmil@0.5", "permutation", "auc_macro").p_holm < 0.05

    weak = find(made(tmp_path, arms=(ARMS[1], ARMS[4]), failed=None, slides=48), resamples=400)
    text = " ".join(answer(weak))
    test = weak.comparison.test_of("abmil@1", "permutation", "auc_macro")
    assert test.p_holm >= 0.05
    assert "is not better in macro AUC by a Holm-corrected test" in text
    assert f"a gain of up to {test.high:.2f} cannot be excluded" in text
    assert "costs 0.3 s a slide, the finer arm 4 s" in text

    alone = find(made(tmp_path, arms=ARMS[1:2], failed=None), resamples=20)
    assert "nothing is said of what resolution adds" in " ".join(answer(alone))


def test_seeds_of_an_arm_are_one_arm_with_their_spread(tmp_path: Path) -> None:
    results = made(tmp_path, arms=(ARMS[0], ARMS[1], ARMS[2], ARMS[5]), failed=None, slides=80)
    names = {"slide@8": 0, "slide@4": 1}  # as if these differed by seed alone
    arms = tuple(
        arm.model_copy(update={"settings": {"name": arm.name, "paradigm": "slide", "seed": names[arm.name]}})
        if arm.name in names
        else arm
        for arm in results.arms
    )
    results = dataclasses.replace(results, arms=arms)
    html = write_study_report(results, resamples=100).read_text(encoding="utf-8")
    table = {row["arm"]: row for row in rows_of(results.folder / "arms.csv")}
    assert list(table) == ["slide@16", "slide@8", "abmil@0.5"]
    values = [
        evaluate_predictions(results.of_arm(name), "her2_four", resamples=1).metrics["auc_macro"].value
        for name in names
    ]
    assert table["slide@8"]["seeds"] == "2"
    assert float(table["slide@8"]["auc_macro_seed_low"]) == min(values)
    assert float(table["slide@8"]["auc_macro_seed_high"]) == max(values)
    assert table["slide@16"]["seeds"] == ""
    assert f"2 seeds: {min(values):.2f} to {max(values):.2f}" in html
    assert "trainings that differ by seed alone" in html
    assert {row["model"] for row in rows_of(results.folder / "tests.csv")} <= set(table)


def test_the_pareto_front_and_costs(tmp_path: Path) -> None:
    results = made(tmp_path, arms=(ARMS[0], ARMS[1], ARMS[3], ARMS[5]), failed=None)
    found = find(results, resamples=20)
    values = {arm.record.name: arm.evaluation.metrics["auc_macro"].value for arm in found.arms}
    assert values["abmil@2"] < values["slide@8"]
    assert pareto_front(found.arms) == ["slide@16", "slide@8", "abmil@0.5"]
    cost = found.arm("slide@8").cost
    assert (cost.seconds, cost.cpu_seconds) == pytest.approx((0.3, 0.48))
    assert (cost.added_mb, cost.peak_mb) == (260, 700)
    assert cost.mb_stored == pytest.approx(5 * 1e5 / 120 / 1e6)
    assert cost.training_minutes == pytest.approx(5 * 60 * 0.3 / 60)
    assert [[arm.record.mpp for arm in group] for group in series_of(found.arms).values()] == [
        [16, 8],
        [2, 0.5],
    ]
    unknown = results.costs.with_columns(bytes_read=pl.lit(None, pl.Int64))
    assert (
        find(StudyResults(**{**vars(results), "costs": unknown}), resamples=20).arms[0].cost.mb_read is None
    )
