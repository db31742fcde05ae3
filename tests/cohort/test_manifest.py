from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lowpower.cohort import HER2_SCORES, Cohort, read_cohort, write_manifest
from lowpower.errors import CohortError

MakeCohort = Callable[..., Cohort]

HEADER = "slide,patient,marker,score\n"


def write(folder: Path, text: str, name: str = "cohort.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CohortError) as caught:
        read_cohort(path)
    return str(caught.value)


def test_read_gives_canonical_values_and_absolute_paths(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "slide,patient,marker,score,ish,mpp,site,mask,control\n"
        "a/one.svs, P1 ,her-2,1,,0.25,Oslo,m.png,left\n"
        "/abs/two.svs,P2,HER2,2+,Amplified,,,,c.geojson\n",
    )

    cohort = read_cohort(path)

    first, second = cohort.table.iter_rows(named=True)
    assert first["slide"] == str(tmp_path / "a/one.svs")
    assert first["slide_name"] == "a/one.svs"
    assert first["mask"] == str(tmp_path / "m.png")
    assert (first["control"], second["control"]) == ("left", str(tmp_path / "c.geojson"))
    assert (first["patient"], first["marker"], first["score"], first["ish"]) == (
        "P1",
        "HER2",
        "1+",
        "unknown",
    )
    assert first["mpp"] == 0.25
    assert (first["scanner"], first["block"]) == (None, None)
    assert second["slide"] == "/abs/two.svs"
    assert (second["score"], second["ish"], second["mpp"]) == ("2+", "positive", None)
    assert len(cohort) == 2


@pytest.mark.parametrize("spelling", [spelling for all_ in HER2_SCORES.values() for spelling in all_])
def test_every_documented_spelling_reads(make_cohort: MakeCohort, spelling: str) -> None:
    score = make_cohort([{"patient": "P", "score": spelling.upper()}]).table["score"][0]

    assert spelling in HER2_SCORES[score]


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "cohort.parquet"
    pl.DataFrame(
        {"slide": ["a.tif"], "patient": [17], "marker": ["HER2"], "score": [2.0], "mpp": [0.5]}
    ).write_parquet(path)

    row = read_cohort(path).table.row(0, named=True)

    assert (row["patient"], row["score"], row["mpp"]) == ("17", "2+", 0.5)


def test_byte_order_mark_and_windows_line_ends_are_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "cohort.csv"
    path.write_bytes("\ufeffslide,patient,marker,score\r\na.tif,Ä,HER2,0\r\n".encode())

    assert read_cohort(path).table["patient"][0] == "Ä"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (HEADER, "no slides"),
        ("slide,pateint,marker,score\na,b,HER2,0\n", "unknown column 'pateint'; did you mean 'patient'"),
        ("slide,marker,score\na,HER2,0\n", "missing column 'patient'"),
        ("Slide,patient,marker,score\na,b,HER2,0\n", "did you mean 'slide'"),
        ("slide,patient,marker,score,age\na,b,HER2,0,3\n", "unknown column 'age'"),
        ("slide;patient;marker;score\na;b;HER2;0\n", "semicolons"),
        ("slide\tpatient\tmarker\tscore\n", "tabs"),
        ("slide,patient,marker,score,score\na,b,HER2,0,0\n", "'score' appears twice"),
        (HEADER + "a,b,HER2,4+\n", "row 1, a: score '4\\+' is no HER2 score"),
        (HEADER + "a,b,HER2\n", "row 1, a: score is empty"),
        (HEADER + "a,b,HER2,\n", "row 1, a: score is empty"),
        (HEADER + ",b,HER2,0\n", "row 1: slide is empty"),
        (HEADER + "a,b,HER2,0,,,\n", "cannot be read as a table"),
        (HEADER + "a,b,p53,10\n", "marker 'p53' is not one of HER2, ER, PR, Ki-67"),
        (HEADER + "a,b,HER2,0\na,b,HER2,0\n", "listed in rows 1, 2"),
        (HEADER + "a,b,ER,0.8\nc,d,ER,0.1\n", "write percentages"),
        (HEADER + "a,b,Ki67,0.2\nc,d,MIB-1,0.1\n", "every Ki-67 score is at most 1"),
        ("slide,patient,marker,score,ish\na,b,HER2,2+,maybe\n", "ish 'maybe'"),
        ('slide,patient,marker,score,mpp\na,b,HER2,0,"0,25"\n', "write 0.25"),
        ("slide,patient,marker,score,mpp\na,b,HER2,0,0\n", "must be above 0"),
        ("slide,patient,marker,score,mpp\na,b,HER2,0,nan\n", "must be above 0"),
        ("slide,patient,marker,score,mpp\na,b,HER2,0,x\n", "not a number"),
    ],
)
def test_read_refuses_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(CohortError, match=said) as caught:
        read_cohort(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_read_refuses_what_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("slide,patient,marker,score\na,Ä,HER2,0\n".encode("latin-1"))
    (tmp_path / "no.parquet").write_bytes(b"PAR?")

    assert "no such file" in refusal(tmp_path / "absent.csv")
    assert "is a folder" in refusal(tmp_path)
    assert "UTF-8" in refusal(tmp_path / "latin.csv")
    assert "cannot be read as a table" in refusal(tmp_path / "no.parquet")


def test_read_shows_five_problems_and_counts_the_rest(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, HEADER + "".join(f"s{n},p,HER2,9\n" for n in range(8))))

    assert message.count("no HER2 score") == 5
    assert "And 3 more; `lowpower check` lists all." in message


def test_two_plain_er_percentages_are_no_fractions(make_cohort: MakeCohort) -> None:
    rows = [{"patient": "A", "marker": "ER", "score": "0.5"}, {"patient": "B", "marker": "ER", "score": "80"}]

    assert make_cohort(rows).table["score"].to_list() == ["0.5", "80"]


def test_write_refuses_unknown_columns(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="did you mean 'score'"):
        write_manifest(tmp_path / "c.csv", [{"slide": "a", "scores": 1}])


def test_write_and_read_agree(tmp_path: Path) -> None:
    row = {
        "slide": "a b,c.tif",
        "patient": 'P"1',
        "marker": "HER2",
        "score": "1+",
        "mpp": 0.2738,
        "site": "Ås",
    }

    read = read_cohort(write_manifest(tmp_path / "c.csv", [row])).table.row(0, named=True)

    assert read["slide_name"] == row["slide"]
    assert {name: read[name] for name in ("patient", "score", "mpp", "site")} == {
        name: row[name] for name in ("patient", "score", "mpp", "site")
    }


def test_fingerprint_follows_labels_not_folders(tmp_path: Path) -> None:
    text = HEADER + "a.tif,P1,HER2,0\nb.tif,P2,HER2,3+\n"
    (tmp_path / "elsewhere").mkdir()
    here, there = write(tmp_path, text), write(tmp_path / "elsewhere", text)
    respelled = write(tmp_path, text.replace("3+", "+++"), "respelled.csv")
    changed = write(tmp_path, text.replace("3+", "2+"), "changed.csv")

    prints = [read_cohort(path).fingerprint for path in (here, there, respelled, changed)]

    assert prints[0] == prints[1] == prints[2] != prints[3]


def test_labels_take_the_scheme_s_marker_only(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(
        [
            {"patient": "A", "score": "2+"},
            {"patient": "A", "marker": "ER", "score": "90"},
            {"patient": "B", "score": "3+"},
        ]
    )

    labels = cohort.labels("her2_three")

    assert labels["row"].to_list() == [0, 2]
    assert labels["class"].to_list() == ["Low", "High"]
    assert labels["flag"].to_list() == ["2+ without ISH", None]
    with pytest.raises(CohortError, match="no row has the marker PR"):
        cohort.labels("pr_status")


def test_labels_name_the_row_that_says_too_little(make_cohort: MakeCohort) -> None:
    cohort = make_cohort([{"patient": "A", "score": "1+"}, {"patient": "B", "score": "negative"}])

    with pytest.raises(CohortError, match="row 2: score 'negative' says too little"):
        cohort.labels("her2_four")
