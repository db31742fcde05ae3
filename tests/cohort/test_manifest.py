from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowpower.cohort import HER2_SCORES, Cohort, canonical_patient, read_cohort, write_manifest
from lowpower.cohort._patients import unify_patients
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
        ("slide\tpatient\tmarker\tscore\n", "no slides"),
        ("slide,patient,marker,score,score\na,b,HER2,0,0\n", "'score' appears twice"),
        (HEADER + "a,b,HER2,4+\n", "row 2, a: score '4\\+' is no HER2 score"),
        (HEADER + "a,b,HER2\n", "row 2, a: score is empty"),
        (HEADER + "a,b,HER2,\n", "row 2, a: score is empty"),
        (HEADER + ",b,HER2,0\n", "row 2: slide is empty"),
        (HEADER + "a,b,HER2,0\n\nc,d,HER2,0,more\n", "row 4 has 5 cells and the header 4"),
        (HEADER + "a,b,HER2,NULL\n", r"row 2, a: score is missing \(NULL\)"),
        (HEADER + "a,b,HER2,0\nc,N/A,HER2,0\n", r"row 3, c: patient is missing \(N/A\)"),
        ("slide,patient,,score\na,b,HER2,0\n", "missing column 'marker'"),
        (HEADER + "a,b,p53,10\n", "marker 'p53' is not one of HER2, ER, PR, Ki-67"),
        (HEADER + "a,b,HER2,0\na,b,HER2,0\n", "listed in rows 2, 3"),
        (HEADER + "a,b,ER,0.8\nc,d,ER,0.1\n", "write percentages"),
        (HEADER + "a,b,Ki67,0.2\nc,d,MIB-1,0.1\n", "every Ki-67 score is at most 1"),
        ("slide,patient,marker,score,ish\na,b,HER2,2+,maybe\n", "ish 'maybe'"),
        ("slide,patient,marker,score,mpp\na,b,HER2,0,0\n", "must be above 0"),
        ("slide,patient,marker,score,mpp\na,b,HER2,0,-1\n", "must be above 0"),
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

    with pytest.raises(CohortError, match="row 3: score 'negative' says too little"):
        cohort.labels("her2_four")


TABLE = "slide,patient,marker,score\na.tif,007,HER2,2 +\nb.tif,8,her 2,+1\n"


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        TABLE.replace(",", ";").encode(),
        TABLE.replace(",", "\t").encode("utf-16"),
        TABLE.replace("\n", "\r").encode(),
        b"sep=;\r\n" + TABLE.replace(",", ";").replace("\n", "\r\n").encode(),
        TABLE.replace("\n", ",,\n").encode() + b",,,,,\n,,,,,\n",
        TABLE.replace("slide,patient,marker,score", "Slide,PATIENT,Marker,SCORE").encode("utf-8-sig"),
        TABLE.replace("score\n", "score,age\n").replace("+\n", "+,3\n").encode(),
        b"\n\n" + TABLE.encode(),
    ],
)
def test_a_table_reads_however_a_spreadsheet_saved_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cohort.csv").write_bytes(data)

    table = read_cohort(tmp_path / "cohort.csv").table

    assert table["patient"].to_list() == ["007", "8"]
    assert table["score"].to_list() == ["2+", "1+"]
    assert table["marker"].to_list() == ["HER2", "HER2"]


def test_a_workbook_reads_and_its_rows_are_the_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (
        ["slide", "patient", "marker", "score"],
        ["a.tif", 7.0, "HER2", 2],
        [],
        ["b.tif", 8, "HER2", 9],
    ):
        book.active.append(row)
    book.save(tmp_path / "cohort.xlsx")

    assert "row 4, b.tif: score '9' is no HER2 score" in refusal(tmp_path / "cohort.xlsx")
    (tmp_path / "no.xlsx").write_text("slide,patient")
    assert "is no XLSX file" in refusal(tmp_path / "no.xlsx")


def test_other_columns_are_passed_over_with_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, "slide,patient,marker,score,contrl,age\na,b,HER2,0,left,3\n")

    notes = read_cohort(path).notes

    assert notes == (
        "column 'contrl' is not read; did you mean 'control'?",
        "column 'age' is not read.",
    )


@pytest.mark.parametrize("word", ["NULL", "null", "NaN", "NA", "n/a", "", "None", "#N/A"])
def test_a_missing_value_is_never_score_0(tmp_path: Path, word: str) -> None:
    assert "row 2, a: score is" in refusal(write(tmp_path, HEADER + f"a,b,HER2,{word}\n"))


def test_null_and_ultralow_in_so_many_words(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(
        [{"patient": p, "score": s} for p, s in (("A", "0 (null)"), ("B", "ultralow"), ("C", "3"))]
    )

    assert cohort.labels("her2_five")["class"].to_list() == ["null", "ultralow", "3+"]
    assert cohort.labels("her2_four")["class"].to_list() == ["0", "0", "3+"]
    with pytest.raises(CohortError, match="says too little"):
        make_cohort([{"patient": "A", "score": "0"}]).labels("her2_five")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P 1", "p-1"),
        ("7.0", "7"),
        ("\uff30\uff11", "P1"),
        ("M\u00fcller", "Mu\u0308ller"),
        ("A\u200b1", "a1"),
        ("a_b/c", "A B-C"),
    ],
)
def test_one_person_has_one_identity(make_cohort: MakeCohort, one: str, other: str) -> None:
    assert canonical_patient(one) == canonical_patient(other)
    cohort = make_cohort([{"patient": name, "score": "0"} for name in (one, other)])
    assert cohort.table["patient"].n_unique() == 1
    assert "are taken for one person" in cohort.notes[0]


@pytest.mark.parametrize(("one", "other"), [("007", "7"), ("P-1", "P1"), ("P01", "P1"), ("7.0", "007")])
def test_one_person_or_two_is_asked(tmp_path: Path, one: str, other: str) -> None:
    text = f"slide,patient,marker,score,distinct\na,{one},HER2,0,\nb,{other},HER2,0,"

    assert "(row 2) and" in refusal(write(tmp_path, text + "\n"))
    assert read_cohort(write(tmp_path, text + "yes\n")).table["patient"].n_unique() == 2


@given(st.sampled_from(["1.0", "2.0", "100", "A"]), st.sampled_from(["10", "20", "1", "AA"]))
def test_different_people_stay_different(one: str, other: str) -> None:
    rows: list[dict[str, object]] = [
        {"patient": name, "manifest_row": n, "slide_name": None} for n, name in ((2, one), (3, other))
    ]
    notes, problems = unify_patients(rows)
    assert problems == []
    assert (notes == []) == (canonical_patient(one) != canonical_patient(other))


@given(st.text(max_size=12))
def test_an_identity_is_its_own_identity(text: str) -> None:
    once = canonical_patient(text)
    assert canonical_patient(once) == once


def workbook(path, *sheets):
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    book.save(path)


NAMES = ["slide", "patient", "marker", "score"]


def test_the_sheet_that_is_a_manifest_is_read(tmp_path):
    workbook(tmp_path / "c.xlsx", [["notes of the study"]], [NAMES, ["a.tif", 7, "HER2", 3]])
    assert read_cohort(tmp_path / "c.xlsx").table["patient"].to_list() == ["7"]


def test_a_date_that_a_spreadsheet_made_of_a_name_is_asked_about(tmp_path):
    workbook(tmp_path / "c.xlsx", [NAMES, ["a.tif", datetime.date(2024, 2, 1), "HER2", "1+"]])
    assert "row 2: patient is a date (2024-02-01)" in refusal(tmp_path / "c.xlsx")


def test_a_title_above_the_header_is_told(tmp_path):
    workbook(tmp_path / "c.xlsx", [["My cohort"], NAMES, ["a.tif", 7, "HER2", "1+"]])
    assert "row 2 has 4 cells and the header 1" in refusal(tmp_path / "c.xlsx")
    assert "let the header stand first (it is row 1)" in refusal(tmp_path / "c.xlsx")


def test_a_path_written_on_windows_is_found(tmp_path):
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "a.tif").write_bytes(b"x")
    (tmp_path / "c.csv").write_text("slide,patient,marker,score\nslides\\a.tif,P1,HER2,1+\n")
    (path,) = read_cohort(tmp_path / "c.csv").table["slide"]
    assert path == str(tmp_path / "slides" / "a.tif")


@pytest.mark.parametrize(
    ("text", "patients", "notes"),
    [
        ("SEP=\t\nslide\tpatient\tmarker\tscore\na\tb\tHER2\t0\n", ["b"], ()),
        (",slide,patient,marker,score\n0,a,b,HER2,0\n1,c,d,HER2,0\n", ["b", "d"], ("column 1 has no name",)),
        (",,,,\n,slide,patient,marker,score\n,a,b,HER2,0\n", ["b"], ()),
        ('slide,patient,marker,score\na,="007",HER2,0\n', ["007"], ()),
    ],
)
def test_what_other_programs_write_around_a_table(
    tmp_path: Path, text: str, patients: list[str], notes: tuple[str, ...]
) -> None:
    cohort = read_cohort(write(tmp_path, text))
    assert cohort.table["patient"].to_list() == patients
    assert len(cohort.notes) == len(notes)
    assert all(note in said for note, said in zip(notes, cohort.notes, strict=True))


def test_a_decimal_comma_is_a_point(tmp_path: Path) -> None:
    path = write(tmp_path, "slide;patient;marker;score\na;b;ER;12,5\nc;d;ER;80,0 %\ne;f;HER2;2,0\n")
    assert read_cohort(path).table["score"].to_list() == ["12.5", "80", "2+"]


@pytest.mark.parametrize("more", [0, 200_000])
def test_a_quote_that_is_not_closed_is_named(tmp_path: Path, more: int) -> None:
    told = refusal(write(tmp_path, HEADER + '"a,b,HER2,0\n' + "c,d,HER2,0\n" * (more // 10 + 1)))
    assert "look for a quote that is not closed" in told
    assert "\n" not in told


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    assert "row 2, a b: score is empty" in refusal(write(tmp_path, HEADER + '"a\nb",c,HER2,\n'))


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_workbook_under_a_text_name_is_told(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "cohort.csv").write_bytes(start + b"slide,patient")
    assert "spreadsheet program's own file" in refusal(tmp_path / "cohort.csv")


def test_a_sheet_is_read_as_it_shows_its_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["slide", "patient", "marker", "score"])
    book.active.append(["old.svs", "x", "HER2", "0"])
    book.active.sheet_state = "hidden"
    sheet = book.create_sheet("cohort")
    for row in (["slide", "patient", "marker", "score"], ["a.svs", 7, "ER", 0.8], ["b.svs", 8, "ER", 0.05]):
        sheet.append([None, None, *row])  # a table may begin further right
    for row in (2, 3):
        sheet.cell(row, 4).number_format, sheet.cell(row, 6).number_format = "000", "0%"
    book.active = 1
    book.save(tmp_path / "cohort.xlsx")
    cohort = read_cohort(tmp_path / "cohort.xlsx")
    assert cohort.table["patient"].to_list() == ["007", "008"]
    assert cohort.table["score"].to_list() == ["80", "5"]
    assert cohort.notes == ("sheet 'Sheet' has a column slide too and is not read; a manifest is one sheet.",)
