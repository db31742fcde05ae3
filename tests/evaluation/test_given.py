"""Predictions made elsewhere: other people's columns, and every way they can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lowpower.cohort import SCHEMES
from lowpower.errors import PredictionsError
from lowpower.evaluation import arms_of, evaluate_predictions, one_spelling, read_given

Table = Callable[..., pl.DataFrame]
FOUR = SCHEMES["her2_four"].classes


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "p.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def named(table: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """The same table in another laboratory's words."""
    columns = {f"p_{index}": f"{prefix}{name}" for index, name in enumerate(FOUR)}
    classes = pl.col("label").map_elements(lambda label: FOUR[label], return_dtype=pl.String)
    return table.with_columns(classes).rename(columns)


@pytest.mark.parametrize("prefix", ["p_", ""])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_by_class_name_give_the_same_numbers(
    predictions: Table, tmp_path: Path, prefix: str, separator: str
) -> None:
    table = predictions(60, per_patient=2)
    path = tmp_path / "elsewhere.csv"
    named(table, prefix).write_csv(path, separator=separator, include_bom=True)

    given = read_given(path)

    assert (given.scheme.name, given.has_patients, given.notes) == ("her2_four", True, ())
    mine = evaluate_predictions(table, "her2_four", resamples=50)
    assert evaluate_predictions(given.table, given.scheme, resamples=50) == mine


def test_indexed_columns_need_the_scheme(predictions: Table, tmp_path: Path) -> None:
    table = predictions(30)
    table.write_csv(tmp_path / "p.csv")

    with pytest.raises(PredictionsError, match=r"scheme= \(her2_four"):
        read_given(tmp_path / "p.csv")

    assert read_given(tmp_path / "p.csv", "her2_four").table.equals(table)


@pytest.mark.parametrize("record", ["study.json", "config.json"])
def test_a_table_of_a_run_or_study_has_its_scheme_above_it(
    predictions: Table, tmp_path: Path, record: str
) -> None:
    path = tmp_path / "results" / "predictions.csv"
    path.parent.mkdir()
    predictions(30).write_csv(path)
    (tmp_path / record).write_text('{"scheme": "her2_four"}')
    assert read_given(path).scheme.name == "her2_four"
    (tmp_path / record).write_text('{"scheme": "her2_three"}')  # of other columns
    with pytest.raises(PredictionsError, match="scheme="):
        read_given(path)


def test_columns_may_have_other_names(predictions: Table, tmp_path: Path) -> None:
    table = predictions(30).rename({"slide": "image_id", "label": "y_true", "p_0": "prob0"})
    table.write_csv(tmp_path / "p.csv")
    columns = {"slide": "image_id", "label": "y_true", "p_0": "prob0"}

    given = read_given(tmp_path / "p.csv", "her2_four", columns)

    assert given.table.equals(predictions(30))
    with pytest.raises(PredictionsError, match="no column 'image' to serve as slide"):
        read_given(tmp_path / "p.csv", "her2_four", columns | {"slide": "image"})


def test_without_patients_intervals_are_per_slide_and_it_is_said(predictions: Table, tmp_path: Path) -> None:
    predictions(40).drop("patient").write_csv(tmp_path / "p.csv")

    given = read_given(tmp_path / "p.csv", "her2_four")

    assert not given.has_patients
    assert given.table["patient"].equals(given.table["slide"], check_names=False)
    assert "intervals are per slide" in given.notes[0]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [("negative,low positive,positive", "er_status"), ("0,Low,High", "her2_three")],
)
def test_the_scheme_is_the_one_whose_classes_are_columns(
    written: Callable[..., Path], classes: str, expected: str
) -> None:
    path = written(f"slide,label,{classes}\na,1,0.2,0.5,0.3\n")
    assert read_given(path).scheme.name == expected


HEADER = "slide,patient,label,p_0,p_1+,p_2+,p_3+\n"
ROW = "a,P1,0,0.7,0.1,0.1,0.1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slide,label,negative,positive\na,0,0.5,0.5\n", "fit her2_status and pr_status"),
        ("slide,patient,p_0,p_1+,p_2+,p_3+\na,P,1,0,0,0\n", "has no column label"),
        ("Slide,label,p_0,p_1+,p_2+,p_3+\na,0,1,0,0,0\n", r"no column slide \(did you mean 'Slide'"),
        (HEADER, "no rows"),
        (HEADER + "a,P1,0,0.7,0.1,0.1,0.3\n", r"slide 'a' \(0.7, 0.1, 0.1, 0.3\) sum to 1.2"),
        (HEADER + "a,P1,0,70,10,10,10\n", "divide by 100"),
        (HEADER + "a,P1,0,1.2,-0.2,0,0\n", "negative"),
        (HEADER + "a,P1,4+,0.7,0.1,0.1,0.1\n", "label '4\\+' is no class of her2_four"),
        (HEADER + "a,P1,0,0.7,nan,0.2,0.1\n", r"slide 'a' has 'nan' as p_1\+"),
        (HEADER + "a,P1,0,0.7,,0.2,0.1\n", r"slide 'a' has 'nothing' as p_1\+"),
        (HEADER + 'a,P1,0,"0,7",0.1,0.1,0.1\n', "'0,7' as p_0, which is no number"),
        (HEADER + ROW + ROW, "slide 'a' occurs more than once"),
        (HEADER + ROW + "b,,0,0.7,0.1,0.1,0.1\n", "line 3 has no patient"),
    ],
)
def test_what_is_wrong_is_named(written: Callable[..., Path], text: str, message: str) -> None:
    path = written(text)
    with pytest.raises(PredictionsError, match=message) as caught:
        read_given(path)
    assert str(path) in str(caught.value)


def test_a_missing_probability_column_is_named(written: Callable[..., Path]) -> None:
    path = written("slide,label,p_0,p_1+,p_2+,P3\na,0,1,0,0,0\n")
    with pytest.raises(PredictionsError, match=r"no probability column 'p_3\+'"):
        read_given(path, "her2_four")


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="no such file"):
        read_given(tmp_path / "none.csv")
    with pytest.raises(PredictionsError, match="is a folder"):
        read_given(tmp_path)
    path = tmp_path / "a.csv"
    path.write_text(HEADER + ROW)
    with pytest.raises(PredictionsError, match="her2_fore"):
        read_given(path, "her2_fore")


def test_a_study_s_table_is_read_an_arm_at_a_time(tmp_path: Path) -> None:
    odds = ["0,0.9,0.1", "1,0.2,0.8"]
    rows = [f"{arm},s{i},p{i},{odds[i % 2]}" for arm in "ab" for i in range(4)]
    table = tmp_path / "predictions.csv"
    table.write_text("\n".join(["arm,slide,patient,label,p_0,p_1", *rows]))
    assert arms_of(table) == ("a", "b")
    assert read_given(table, "pr_status", arm="b").table.height == 4
    with pytest.raises(PredictionsError, match=r"2 arms \(a, b\); say which with arm="):
        read_given(table, "pr_status")
    with pytest.raises(PredictionsError, match="no arm 'c'"):
        read_given(table, "pr_status", arm="c")


def rows_of(*patients: str, distinct: str = "") -> str:
    lines = [f"s{n},{patient},0,0.7,0.1,0.1,0.1,{distinct}" for n, patient in enumerate(patients)]
    return "\n".join(["slide,patient,label,p_0,p_1+,p_2+,p_3+,distinct", *lines]) + "\n"


def test_a_patient_spelled_in_two_ways_is_one_and_it_is_said(written: Callable[..., Path]) -> None:
    given = read_given(written(rows_of("Ab-1", "ab 1", "c")))
    assert given.table["patient"].to_list() == ["Ab-1", "Ab-1", "c"]
    assert given.notes == ("patients 'Ab-1' (row 2) and 'ab 1' (row 3) are taken for one person",)


def test_leading_zeros_are_asked_about(written: Callable[..., Path]) -> None:
    with pytest.raises(PredictionsError, match=r"p.csv: patients '007' \(row 2\) and '7' \(row 4\) differ"):
        read_given(written(rows_of("007", "8", "7")))
    given = read_given(written(rows_of("007", "8", "7", distinct="yes")))
    assert given.table["patient"].n_unique() == 3


def test_tables_are_compared_under_one_spelling(written: Callable[..., Path]) -> None:
    first, second = (
        read_given(written(rows_of("Ab-1", "c"))),
        read_given(written(rows_of("AB 1", "c"), "q.csv")),
    )
    one, other = one_spelling([first, second])
    assert one.table["patient"].equals(other.table["patient"])
    third = read_given(written(rows_of("Ab1", "c"), "r.csv"))
    with pytest.raises(PredictionsError, match=r"'Ab-1' \(p.csv, row 2\) and 'Ab1' \(r.csv, row 2\)"):
        one_spelling([first, third])
