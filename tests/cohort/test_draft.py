"""A manifest drafted from a folder: patient and marker by the shown rule, never a score."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lowpower.cohort import draft_manifest, read_cohort, write_manifest
from lowpower.errors import CohortError, ConfigError


@pytest.fixture
def folder(tmp_path):
    def make(*names: str):
        for name in names:
            path = tmp_path / "slides" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 240, np.uint8)).save(path)
        return tmp_path / "slides"

    return make


@pytest.mark.parametrize(
    ("name", "patient", "marker"),
    [
        ("case-17_HER2.png", "case-17", "HER2"),
        ("HER2 case 17.png", "case 17", "HER2"),
        ("17-a_ki-67_x.png", "17-a_x", "Ki-67"),
        ("P03.ER.png", "P03", "ER"),
        ("HERBERT.png", "HERBERT", ""),
        ("both_ER_PR.png", "both", ""),
        ("TCGA-CR-7395-01A-01-TS1.png", "TCGA-CR-7395", ""),
        ("S19-1234-B2 HER2.png", "S19-1234", "HER2"),
        ("case-17_slide_3_ER.png", "case-17", "ER"),
        ("case-17.block-c.PR.png", "case-17", "PR"),
        ("case-A_HER2.png", "case-A", "HER2"),
        ("17A_HER2.png", "17A", "HER2"),
    ],
)
def test_patient_and_marker_come_from_the_name(folder, tmp_path, name, patient, marker):
    (row,) = draft_manifest(folder(name), tmp_path / "cohort.csv").rows
    assert (row["patient"], row["marker"], row["score"]) == (patient, marker, "")
    assert row["slide"] == f"slides/{name}"


def test_blocks_of_one_patient_are_one_patient(folder, tmp_path):
    slides = folder("P-01-A_HER2.png", "P-01-B_HER2.png", "P-02-A_HER2.png", "P-03_HER2.png")
    draft = draft_manifest(slides, tmp_path / "cohort.csv")
    assert [(row["patient"], row.get("block")) for row in draft.rows] == [
        ("P-01", "A"),
        ("P-01", "B"),
        ("P-02", "A"),
        ("P-03", None),
    ]
    assert "without a block's letter" in draft.rule
    assert any("patient P-01 has 2 slides" in note for note in draft.notes)


def test_a_last_number_is_asked_about(folder, tmp_path):
    draft = draft_manifest(folder("S19-77-1.png", "S19-77-2.png", "S19-78.png"), tmp_path / "cohort.csv")
    assert [row["patient"] for row in draft.rows] == ["S19-77-1", "S19-77-2", "S19-78"]
    assert any("2 names are S19-77 and a number" in note and "--patient" in note for note in draft.notes)
    told = draft_manifest(tmp_path / "slides", tmp_path / "cohort.csv", patient=r"S\d+-\d+")
    assert not any("and a number" in note for note in told.notes)


def test_a_folder_may_name_patient_and_marker(folder, tmp_path):
    slides = folder("P1/her2/a.png", "P2/er/b.png")
    draft = draft_manifest(slides, tmp_path / "cohort.csv", patient="^([^/]+)/")
    assert [(row["patient"], row["marker"]) for row in draft.rows] == [("P1", "HER2"), ("P2", "ER")]


def test_what_a_person_should_look_at_is_noted(folder, tmp_path):
    slides = folder("a.png", "b.png")
    (slides / "c.svs").write_bytes(b"\x00" * 64)
    notes = " ".join(draft_manifest(slides, tmp_path / "cohort.csv", patient="(z)?").notes)
    for word in ("no patient", "no marker", "no um/px", "does not open"):
        assert word in notes


def test_a_draft_reads_once_its_scores_are_filled_in(folder, tmp_path):
    manifest = tmp_path / "cohort.csv"
    draft = draft_manifest(folder("a_HER2.png", "b_HER2.png"), manifest)
    write_manifest(manifest, draft.rows)
    with pytest.raises(CohortError, match="score"):
        read_cohort(manifest)
    write_manifest(manifest, [row | {"score": "1+", "mpp": "0.5"} for row in draft.rows])
    assert read_cohort(manifest).table["patient"].to_list() == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"patient": "("}, "regular expression"), ({"marker": "HER9"}, "HER9"), ({"pattern": "*.svs"}, "svs")],
)
def test_what_cannot_be_used_is_said(folder, tmp_path, options, words):
    with pytest.raises(ConfigError, match=words):
        draft_manifest(folder("a.png"), tmp_path / "cohort.csv", **options)
