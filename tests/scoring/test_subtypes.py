"""Subtypes by patient: each branch of the rule, and everything that must stay open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lowpower.errors import PredictionsError
from lowpower.scoring import PatientSubtype, subtypes_of

Ask = Callable[..., PatientSubtype]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """The subtype of one patient P; a value may be several slides, "2+;positive" is a score with its ISH."""

    def write(name: str, values: tuple[str, ...]) -> Path:
        lines = ["slide,patient,score,ish"]
        for number, value in enumerate(values):
            score, _, ish = value.partition(";")
            lines.append(f"{name}-{number}.svs,P,{score},{ish}")
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    def one(her2: object, er: object, pr: object, ki67: object = None) -> PatientSubtype:
        given = {"her2": her2, "er": er, "pr": pr} | ({} if ki67 is None else {"ki67": ki67})
        paths = {n: write(n, v if isinstance(v, tuple) else (str(v),)) for n, v in given.items()}
        (found,) = subtypes_of(**paths)
        return found

    return one


@pytest.mark.parametrize(
    ("her2", "er", "pr", "ki67", "expected"),
    [
        ("1+", "90", "60", "8", "luminal A-like"),
        ("0", "90", "60", "35", "luminal B-like HER2-negative"),
        ("0", "90", "10", "8", "luminal B-like HER2-negative"),
        ("3+", "90", "60", None, "luminal B-like HER2-positive"),
        ("2+;amplified", "0", "0", None, "HER2-positive non-luminal"),
        ("2+;negative", "0", "<1", None, "triple negative"),
        ("low", "negative", "negative", None, "triple negative"),
        ("positive", "positive", "negative", None, "luminal B-like HER2-positive"),
        ("0", "low positive", "negative", "8", "luminal B-like HER2-negative"),
        ("0", "90", "19", None, "luminal B-like HER2-negative"),
        ("0", "90", "negative", None, "luminal B-like HER2-negative"),
        ("0", "0", "60", None, "luminal B-like HER2-negative"),
    ],
)
def test_the_rule(ask: Ask, her2: str, er: str, pr: str, ki67: str | None, expected: str) -> None:
    found = ask(her2, er, pr, ki67)
    assert (found.subtype, found.missing) == (expected, "")


def test_without_ki67_luminal_stays_a_or_b(ask: Ask) -> None:
    found = ask("0", "90", "60")
    assert (found.subtype, found.missing) == ("luminal, HER2-negative (A or B)", "Ki-67: not given")


def test_without_ki67_and_a_number_for_pr_both_are_asked_for(ask: Ask) -> None:
    found = ask("0", "90", "positive")
    assert found.subtype == "luminal, HER2-negative (A or B)"
    assert found.missing == "PR: 1 to 100 % leaves luminal A or B open; Ki-67: not given"


@pytest.mark.parametrize("pr", ["positive", ("10", "40")])
def test_pr_on_both_sides_of_20_leaves_a_or_b_open(ask: Ask, pr: object) -> None:
    found = ask("0", "90", pr, "8")
    assert found.subtype == "luminal, HER2-negative (A or B)"
    assert "leaves luminal A or B open" in found.missing


@pytest.mark.parametrize(
    ("her2", "er", "pr", "missing"),
    [
        ("2+", "90", "60", "HER2: her2-0.svs is 2+ without in-situ hybridisation"),
        (("1+", "3+"), "90", "60", "HER2: slides contradict one another (her2-0.svs 1+, her2-1.svs 3+)"),
        ("0", ("0", "80"), "60", "ER: slides contradict one another"),
        (("refer", "3+"), "90", "60", "HER2: her2-0.svs was referred to a human"),
        ("0", "90", "refer", "PR: pr-0.svs was referred to a human"),
        ("0", "", "60", "ER: er-0.svs has no result"),
    ],
)
def test_what_is_open_is_not_guessed(ask: Ask, her2: object, er: object, pr: object, missing: str) -> None:
    found = ask(her2, er, pr)
    assert found.subtype == "not determined"
    assert missing in found.missing


def test_slides_that_agree_are_one_answer(ask: Ask) -> None:
    found = ask(("0", "1+"), ("50", "90"), ("30", "60"), "8")
    assert (found.subtype, found.her2, found.missing) == ("luminal A-like", "0 / 1+", "")


def test_results_of_this_package_are_joined_by_slide(tmp_path: Path) -> None:
    her2 = tmp_path / "her2.csv"
    her2.write_text(
        "file,state,reason_code,reason,marker,scheme,decision\n"
        "/a/h1.svs,ok,,,HER2,her2_three,High\n"
        "/a/h2.svs,ok,,,HER2,her2_three,Low\n"
        "/a/h3.svs,refused,no_tissue,nothing but glass,HER2,her2_three,\n"
        "/a/h4.svs,ok,,,HER2,her2_three,Low\n"
    )
    er = tmp_path / "er.csv"
    er.write_text(
        "file,state,marker,scheme,decision\n"
        + "".join(f"/b/e{n}.svs,ok,ER,er_status,positive\n" for n in (1, 2, 3, 4))
    )
    pr = tmp_path / "measurements.csv"
    pr.write_text(
        "file,state,marker,score,percent\n" + "".join(f"p{n}.svs,ok,PR,positive,64.2\n" for n in (1, 2, 3, 4))
    )
    patients = tmp_path / "cohort.csv"
    done = {"h4": "negative"}
    slides = [(f"{marker}{number}", number) for marker in "hep" for number in (1, 2, 3, 4)]
    lines = [f"x/{slide}.svs,P{number},{done.get(slide, '')}" for slide, number in slides]
    patients.write_text("\n".join(["slide,patient,ish", *lines]) + "\n")

    found = {one.patient: one for one in subtypes_of(her2, er, pr, patients=patients)}

    assert found["P1"].subtype == "luminal B-like HER2-positive"
    assert found["P2"].missing == "HER2: h2.svs is Low without in-situ hybridisation"
    assert found["P3"].missing == "HER2: h3.svs has no result (nothing but glass)"
    assert found["P4"].subtype == "luminal, HER2-negative (A or B)"


def test_a_patient_in_one_table_alone_is_a_row(tmp_path: Path) -> None:
    for name, patient in (("her2", "A"), ("er", "A"), ("pr", "B")):
        (tmp_path / f"{name}.csv").write_text(f"patient,score\n{patient},0\n")
    found = subtypes_of(*(tmp_path / f"{name}.csv" for name in ("her2", "er", "pr")))
    assert [(one.patient, one.subtype, one.missing) for one in found] == [
        ("A", "not determined", "PR: no result"),
        ("B", "not determined", "HER2: no result; ER: no result"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient,score,marker\nP,0,ER\n", "line 2 is of ER, but HER2 is expected"),
        ("patient,score\nP,5+\n", "line 2: score '5\\+' is no HER2 score"),
        ("slide,score\na.svs,0\n", "names no patient; .*with patients="),
        ("patient,status\nP,0\n", "none of the columns decision, score"),
        ("patient,score,ish\nP,2+,perhaps\n", "ish 'perhaps'"),
    ],
)
def test_wrong_tables_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "her2.csv"
    path.write_text(text)
    good = tmp_path / "er.csv"
    good.write_text("patient,score\nP,50\n")
    with pytest.raises(PredictionsError, match=message):
        subtypes_of(path, good, good)
    with pytest.raises(PredictionsError, match="no such file"):
        subtypes_of(tmp_path / "none.csv", good, good)


@pytest.mark.parametrize(
    ("scheme", "decision", "expected"),
    [
        ("ki67_status", "low", "luminal A-like"),
        ("ki67_status", "high", "luminal B-like HER2-negative"),
        ("ki67_three", "low", "luminal A-like"),
        ("ki67_three", "intermediate", "luminal, HER2-negative (A or B)"),
        ("ki67_three", "high", "luminal B-like HER2-negative"),
    ],
)
def test_a_ki67_class_counts_with_the_cutoff_of_its_scheme(
    tmp_path: Path, scheme: str, decision: str, expected: str
) -> None:
    for name, score in (("her2", "0"), ("er", "50")):
        (tmp_path / f"{name}.csv").write_text(f"patient,score\nP,{score}\n")
    results = f"patient,file,state,marker,scheme,decision\nP,k.svs,ok,Ki-67,{scheme},{decision}\n"
    (tmp_path / "ki67.csv").write_text(results)
    er = tmp_path / "er.csv"
    (found,) = subtypes_of(tmp_path / "her2.csv", er, er, tmp_path / "ki67.csv")
    assert found.subtype == expected
    assert ("leaves luminal A or B open" in found.missing) == (decision == "intermediate")


def test_ki67_is_a_percentage(tmp_path: Path) -> None:
    for name, score in (("her2", "0"), ("er", "50"), ("ki67", "high")):
        (tmp_path / f"{name}.csv").write_text(f"patient,score\nP,{score}\n")
    er = tmp_path / "er.csv"
    with pytest.raises(PredictionsError, match="Ki-67 'high' names no cut-off"):
        subtypes_of(tmp_path / "her2.csv", er, er, tmp_path / "ki67.csv")


def tables(folder: Path, *patients: str, distinct: str = "") -> list[Path]:
    """HER2, ER and PR of one patient, spelled another way in each."""
    paths = []
    for name, patient, score in zip(("HER2", "ER", "PR"), patients, ("0", "90", "60"), strict=True):
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(f"patient,score,distinct\n{patient},{score},{distinct}\n")
    return paths


def test_one_patient_spelled_in_three_ways_is_one(tmp_path: Path) -> None:
    (found,) = subtypes_of(*tables(tmp_path, "Ab-1", "ab 1", "AB_1"))
    assert (found.patient, found.her2, found.er, found.pr) == ("Ab-1", "0", "90", "60")


def test_leading_zeros_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match=r"'007' \(HER2.csv, row 2\) and '7' \(ER.csv, row 2\)"):
        subtypes_of(*tables(tmp_path, "007", "7", "7"))
    assert len(subtypes_of(*tables(tmp_path, "007", "7", "7", distinct="yes"))) == 2


def test_the_command_line_counts_each_subtype_on_a_line_of_its_own(lowpower, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows in {"her2": "A,0\nB,0\nC,2+", "er": "A,90\nB,80\nC,0", "pr": "A,60\nB,50\nC,0"}.items():
        (tmp_path / f"{name}.csv").write_text(f"patient,score\n{rows}\n")
    said = lowpower("subtype", "her2.csv", "er.csv", "pr.csv").out.splitlines()
    assert said[-2:] == [
        "2 of 3 patients: luminal, HER2-negative (A or B)",
        "1 of 3 patients: not determined",
    ]


def test_the_table_fits_a_narrow_terminal_and_what_is_missing_stands_below_it(
    lowpower, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, rows in {
        "her2": "A-1,0\nB-1,2+\nC-1,0",
        "er": "A-1,90\nB-1,0\nC-1,80",
        "pr": "A-1,60\nC-1,50",
    }.items():
        (tmp_path / f"{name}.csv").write_text(f"patient,score\n{rows}\n")
    said = lowpower("subtype", "her2.csv", "er.csv", "pr.csv").out.splitlines()
    (row,) = [line for line in said if "A-1" in line and "90" in line]
    assert "luminal, HER2-negative (A or B)" in row
    assert "Ki-67" not in next(line for line in said if "subtype" in line)
    assert "A-1, C-1: Ki-67: not given." in said
    assert "B-1: HER2: line 3 is 2+ without in-situ hybridisation; PR: no result." in said


@pytest.mark.parametrize(("word", "why"), [("high", "names no cut-off"), ("much", "is no percentage")])
def test_a_word_for_ki67_is_one_sentence(ask: Ask, word: str, why: str) -> None:
    with pytest.raises(PredictionsError, match=f"line 2: Ki-67 '{word}' {why}.*give the percentage"):
        ask("0", "90", "60", word)
