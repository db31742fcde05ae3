"""`evaluate` and `compare` on tables of predictions made elsewhere."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import polars as pl
import pytest

from lowpower.evaluation import evaluate_predictions, read_predictions

CLASSES = ("0", "1+", "2+", "3+")


@pytest.fixture
def table(tmp_path):
    """Writes a CSV of a made-up model; a larger `skill` is a better model of the same slides."""

    def write(name: str, skill: float = 1.5, n: int = 60, patients: bool = True, noise: int = 1):
        labels = np.random.default_rng(0).permutation(np.arange(n) % 4)
        logits = np.random.default_rng(noise).normal(size=(n, 4))
        logits[np.arange(n), labels] += skill
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        data = {"slide": [f"s{i}" for i in range(n)]}
        data |= {"patient": [f"P{i // 2}" for i in range(n)]} if patients else {}
        data |= {"label": [CLASSES[label] for label in labels]}
        data |= {f"p_{name}": shares[:, i] for i, name in enumerate(CLASSES)}
        pl.DataFrame(data).write_csv(tmp_path / f"{name}.csv")
        return tmp_path / f"{name}.csv"

    return write


def test_evaluate_a_table(lowpower, table, tmp_path):
    path = table("elsewhere")
    finished = lowpower("evaluate", path, "--out", tmp_path / "out", "--json")

    assert finished.code == 0
    expected = evaluate_predictions(read_predictions(path), "her2_four")
    found = json.loads(finished.out)
    assert found["metrics"]["auc_macro"] == expected.metrics["auc_macro"].model_dump()
    html = (tmp_path / "out" / "report.html").read_text()
    auc = expected.metrics["auc_macro"]
    assert f"{auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})" in html
    assert "Research use only" in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    with (tmp_path / "out" / "metrics.csv").open() as stream:
        rows = {row["metric"]: row for row in csv.DictReader(stream)}
    assert float(rows["ppa[3+ | rest]"]["value"]) == expected.cutoffs["3+ | rest"].ppa.value


def test_evaluate_says_what_it_cannot_know(lowpower, table, tmp_path):
    finished = lowpower("evaluate", table("p", n=8, patients=False), "--out", tmp_path / "out")
    assert finished.code == 0
    assert "intervals are per slide" in finished.out
    assert "8 patients are too few for intervals" in finished.out
    rows, _, below = " ".join(finished.out.split()).partition("Without brackets: ")
    assert below.startswith("no interval: 8 patients, fewer than 10.")  # once, not in every row
    assert rows.count("no interval: 8 patients") <= 1  # where more than that is to be said
    html = (tmp_path / "out" / "report.html").read_text()
    assert "resampling slides" in html
    assert not re.search(r"\(0\.\d\d to 0\.\d\d\)", html)


def test_wrong_tables_are_one_sentence(lowpower, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("slide,label,p_0,p_1+,p_2+,p_3+\na,0,0.5,0.1,0.1,0.1\n")
    finished = lowpower("evaluate", path)
    assert finished.code == 1
    assert "'a'" in finished.err
    assert "not to 1" in finished.err
    assert lowpower("evaluate", path, "--column", "slide").code == 2
    path.write_text("slide,patient,marker,score\na,P,HER2,0\n")  # a cohort, where predictions belong
    said = lowpower("evaluate", path).err
    assert "(slide, patient, marker, score) hold no probabilities by class, such as p_0" in said
    assert lowpower("evaluate", tmp_path, "--scheme", "her2_four").code == 2


def test_a_table_is_moved_to_the_prevalence_given(lowpower, table, tmp_path):
    path, out = table("p"), tmp_path / "out"
    plain = json.loads(lowpower("evaluate", path, "--out", out, "--json").out)
    shares = "0=0.7,1+=0.1,2+=0.1,3+=0.1"
    finished = lowpower("evaluate", path, "--out", out, "--json", "--prevalence", shares)
    assert finished.code == 0
    moved = json.loads(finished.out)
    assert sum(row[0] for row in moved["confusion"]) > sum(row[0] for row in plain["confusion"])
    assert "moved to a prevalence of 0 70.0%" in finished.err
    given = ("--prevalence", shares, "--assumed-prevalence", shares)
    same = json.loads(lowpower("evaluate", path, "--out", out, "--json", *given).out)
    assert same["confusion"] == plain["confusion"]
    refused = lowpower("evaluate", path, "--out", out, "--prevalence", "0=1")
    assert refused.code == 1
    assert "'1+' is missing" in refused.err
    assert lowpower("evaluate", path, "--assumed-prevalence", shares).code == 1


def test_compare(lowpower, table, tmp_path):
    paths = [table("reference"), table("same", noise=2), table("worse", 0.2)]
    finished = lowpower("compare", *paths, "--out", tmp_path / "out", "--json")

    assert finished.code == 0
    found = json.loads(finished.out)
    assert (found["reference"], list(found["comparisons"])) == ("reference", ["same", "worse"])
    assert "worse is worse than reference in macro AUC" in finished.err
    assert "same cannot be told from reference" in finished.err
    assert "no proof that they are equal" in finished.err
    for heading in ("macro AUC", "AUC apart", "p, accuracy"):
        assert set(heading.split()) <= set(re.split(r"[^\w,]+", finished.err)), heading  # no word is cut
    html = (tmp_path / "out" / "report.html").read_text()
    with (tmp_path / "out" / "tests.csv").open() as stream:
        tests = list(csv.DictReader(stream))
    assert len(tests) == 14
    assert {test["test"] for test in tests} == {"permutation"}
    for test in tests:
        assert f"{float(test['difference']):+.3f}" in html
    evaluation = evaluate_predictions(read_predictions(paths[2]), "her2_four")
    metric = evaluation.cutoffs["0 | >=1+"].npa
    assert f'{metric.value:.2f}<br><span class="soft small">{metric.low:.2f} to {metric.high:.2f}' in html


def test_other_tests_are_named(lowpower, table, tmp_path):
    given = ("--test", "mcnemar", "--test", "delong", "--out", tmp_path / "out", "--json")
    finished = lowpower("compare", table("a"), table("b", 1.0), *given)
    assert finished.code == 0
    found = json.loads(finished.out)
    assert [test["test"] for test in found["tests"]] == 7 * ["permutation"] + ["mcnemar"] + 4 * ["delong"]
    assert "accuracy, McNemar" in (tmp_path / "out" / "report.html").read_text()
    assert lowpower("compare", table("a"), table("b", 1.0), "--test", "t").code == 2


def test_compare_goes_on_over_shared_slides_only_when_asked(lowpower, table, tmp_path):
    first, second = table("a"), table("b", 1.0)
    second.write_text("\n".join(second.read_text().splitlines()[:-7]) + "\n")
    finished = lowpower("compare", first, second, "--out", tmp_path / "out")
    assert finished.code == 1
    assert "a 60, b 53, 53 shared" in finished.err
    finished = lowpower("compare", first, second, "--out", tmp_path / "out", "--shared")
    assert finished.code == 0
    assert "a: 7 of 60 slides left out" in finished.out


def test_compare_takes_patients_from_the_table_that_has_them(lowpower, table, tmp_path):
    finished = lowpower(
        "compare", table("a", patients=False), table("b", 1.0), "--out", tmp_path / "out", "--json"
    )
    assert finished.code == 0
    assert json.loads(finished.out)["comparisons"]["b"]["patients"] == 30


def test_compare_refuses_other_labels_and_a_single_table(lowpower, table, tmp_path):
    first, second = table("a"), table("b")
    lines = second.read_text().splitlines()
    slide, patient, label, *rest = lines[1].split(",")
    other = CLASSES[(CLASSES.index(label) + 1) % 4]
    second.write_text("\n".join([lines[0], ",".join([slide, patient, other, *rest]), *lines[2:]]))
    finished = lowpower("compare", first, second, "--out", tmp_path / "out")
    assert finished.code == 1
    assert "another label" in finished.err
    assert lowpower("compare", first).code == 1
    assert lowpower("compare", first, first).code == 1


def test_a_study_s_table_feeds_evaluate_and_compare(lowpower, table, tmp_path):
    arms = [
        pl.read_csv(table(name, skill), infer_schema=False).with_columns(arm=pl.lit(name))
        for name, skill in (("slide@4", 1.5), ("mil@0.5", 1.0))
    ]
    study = tmp_path / "predictions.csv"
    pl.concat(arms).write_csv(study)
    finished = lowpower("evaluate", study, "--arm", "mil@0.5", "--out", tmp_path / "one")
    assert finished.code == 0
    assert "say which with --arm" in lowpower("evaluate", study, "--out", tmp_path / "none").err
    finished = lowpower("compare", study, "--out", tmp_path / "out", "--json")
    assert finished.code == 0
    assert list(json.loads(finished.out)["comparisons"]) == ["mil@0.5"]
    finished = lowpower(
        "compare", study, "--arm", "mil@0.5", "--arm", "slide@4", "--out", tmp_path / "b", "--json"
    )
    assert list(json.loads(finished.out)["comparisons"]) == ["slide@4"]
