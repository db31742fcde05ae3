from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import pytest
import yaml

from lowpower.cohort import write_manifest
from lowpower.errors import ConfigError
from lowpower.files import sha256_of
from lowpower.made_by import made_by
from lowpower.scoring import ScoreRequest, calibrate, measure_files
from lowpower.scoring._calibrate import _doubts, _Known
from lowpower.stain import INTENSE_OD, RUIFROK_H, read_laboratory
from lowpower.stain.vectors._optical_density import unit_vector

from ..stain._drawn_cells import draw_cells

DARK = (
    ("0", {}),
    ("1+", {"membrane": 0.2, "share": 0.3, "spacing_um": 18.0}),
    ("2+", {"membrane": 0.6}),
    ("3+", {"membrane": 1.3}),
)
"""A dark laboratory: its 2+ reads 3+ by the usual cut-offs."""


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dark")
    rows = []
    for number in range(2):
        for score, look in DARK:
            name = f"{score[0]}-{number}.png"
            image = draw_cells(seed=number, **({"rows": 9, "columns": 9} | look)).image
            cv2.imwrite(str(folder / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            rows.append(
                {"slide": name, "patient": f"p{len(rows)}", "marker": "HER2", "score": score, "mpp": 0.5}
            )
    return folder, rows


@pytest.fixture(scope="module")
def made(slides):
    folder, rows = slides
    write_manifest(folder / "cohort.csv", rows)
    return calibrate(folder / "cohort.csv", name="dark", out=folder / "dark.yaml"), folder


def test_a_dark_laboratory_gets_its_own_idea_of_intense(made):
    calibration, folder = made
    assert {slide.before for slide in calibration.slides if slide.known == "2+"} == {"3+"}
    assert all(slide.after == slide.known for slide in calibration.slides)
    assert calibration.laboratory.her2["intense_od"] > INTENSE_OD
    assert "8 of 8 slides the same" in calibration.laboratory.fitted.after
    assert any("are few" in note for note in calibration.notes)
    assert read_laboratory(folder / "dark.yaml", "HER2") == calibration.laboratory


def test_measuring_takes_it_and_says_so(made, tmp_path):
    calibration, folder = made
    (record,) = measure_files([folder / "2-0.png"], mpp=0.5, laboratory=calibration.laboratory, out=tmp_path)
    assert record.measured.score == "2+"
    assert record.measured.laboratory == f"dark ({calibration.laboratory.signature[:12]})"


def test_it_names_its_slides_and_what_measured_them(made, tmp_path, other_software):
    calibration, folder = made
    own = calibration.laboratory
    assert len(own.fitted.contents) == 8
    assert sha256_of(folder / "2-0.png") in own.fitted.contents
    assert own.software_version == made_by("stain")
    (tmp_path / "2-0.png").write_bytes((folder / "2-0.png").read_bytes())
    (tmp_path / "cohort.csv").write_text("slide,score,mpp\n2-0.png,2+,0.5\n")
    warned = []
    batch = measure_files(
        [tmp_path / "cohort.csv"], laboratory=own, out=tmp_path / "out", on_warning=warned.append
    )
    assert warned == []
    assert "1 slide is among those that the cut-offs of 'dark' were fitted to" in batch.notes[-1]
    other_software()
    measure_files([tmp_path / "cohort.csv"], laboratory=own, out=tmp_path / "out", on_warning=warned.append)
    assert "make them again with `lowpower calibrate`" in warned[0]


def test_a_file_of_before_keeps_its_signature(made, tmp_path):
    _, folder = made
    content = yaml.safe_load((folder / "dark.yaml").read_text())
    del content["fitted"]["contents"], content["signature"]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)  # as 0.1.0 signed it
    content["signature"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(content))
    assert read_laboratory(tmp_path / "old.yaml", "HER2").fitted.contents is None


def test_known_3_alone_tells_what_is_intense(slides, tmp_path):
    folder, rows = slides
    only = [row | {"patient": f"q{n}"} for n, row in enumerate(rows) if row["score"] == "3+"]
    copies = []
    for number in range(8):
        row = only[number % 2]
        name = f"copy-{number}.png"
        (tmp_path / name).write_bytes((folder / row["slide"]).read_bytes())
        copies.append(row | {"slide": name, "patient": f"c{number}"})
    write_manifest(tmp_path / "three.csv", copies)
    told = calibrate(tmp_path / "three.csv", out=tmp_path / "three.yaml")
    assert set(told.laboratory.her2) == {"intense_od"}
    assert told.laboratory.her2["intense_od"] > INTENSE_OD
    write_manifest(tmp_path / "zero.csv", [row | {"score": "1+"} for row in copies])
    with pytest.raises(ConfigError, match=r"every slide's score is 1\+"):
        calibrate(tmp_path / "zero.csv", out=tmp_path / "zero.yaml", on_slide=pytest.fail)
    assert not (tmp_path / "zero.yaml").exists()


def test_a_label_against_the_stain_is_named(slides):
    folder, rows = slides
    wrong = [row | ({"score": "3+"} if row["slide"] == "0-0.png" else {}) for row in rows]
    write_manifest(folder / "wrong.csv", wrong)
    told = calibrate(folder / "wrong.csv", out=folder / "wrong.yaml")
    (note,) = (note for note in told.notes if note.startswith("0-0.png"))
    assert "known as 3+, but its stain measures 0, with the cut-offs that fit best, too" in note


def test_two_laboratories_are_asked_which(slides):
    folder, rows = slides
    two = [row | {"site": "north" if number % 2 else "south"} for number, row in enumerate(rows)]
    write_manifest(folder / "two.csv", two)
    with pytest.raises(ConfigError, match=r"2 laboratories \(north, south\)"):
        calibrate(folder / "two.csv", out=folder / "two.yaml")
    with pytest.raises(ConfigError, match=r"4 HER2 slides of the site 'north' .*calibrating needs 8"):
        calibrate(folder / "two.csv", site="north", out=folder / "two.yaml")
    with pytest.raises(ConfigError, match="no HER2 slide is of the site 'west'"):
        calibrate(folder / "two.csv", site="west", out=folder / "two.yaml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"her2": {"intense_od": 0.2}}, "was altered"),
        ({"schema_version": 0}, "schema version 0"),
        ({"her2": {"unheard_of": 1.0}}, "unknown cut-off"),
        ({"marker": "ER"}, "was altered"),
        ({"more": 1}, "more"),
    ],
)
def test_a_changed_file_is_refused_in_a_sentence(made, tmp_path, change, words):
    _, folder = made
    content = yaml.safe_load((folder / "dark.yaml").read_text()) | change
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=words) as caught:
        read_laboratory(tmp_path / "changed.yaml", "HER2")
    assert "changed.yaml" in str(caught.value)


def test_another_markers_or_networks_file_is_refused_before_any_work(made, tmp_path):
    calibration, folder = made
    with pytest.raises(ConfigError, match="stained for ER"):
        read_laboratory(folder / "dark.yaml", "ER")
    options = ScoreRequest(marker="ER", laboratory=calibration.laboratory)
    with pytest.raises(ConfigError, match="stained for ER"):
        measure_files([tmp_path / "absent.svs"], options, out=tmp_path / "out")
    other = calibration.laboratory.model_copy(update={"cell_network": "0" * 64})
    with pytest.raises(ConfigError, match="another cell network"):
        measure_files([tmp_path / "absent.svs"], ScoreRequest(laboratory=other), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_clouds_of_stains_are_two_laboratories():
    rng = np.random.default_rng(0)
    blue = [unit_vector(np.array(RUIFROK_H) + rng.normal(0, 0.01, 3)) for _ in range(12)]
    pink = [unit_vector(np.array([0.5, 0.8, 0.3]) + rng.normal(0, 0.01, 3)) for _ in range(8)]

    def known(vectors):
        return [
            _Known(f"{n}.svs", f"p{n}", n % 3, None, None, vector, "") for n, vector in enumerate(vectors)
        ]

    assert _doubts(known([*blue, *blue]), told=False) == []
    with pytest.raises(ConfigError, match=r"two clouds .* 8\)|two clouds .* other 8"):
        _doubts(known([*blue, *pink]), told=False)
    assert _doubts(known([*blue, *pink]), told=True) == []


def test_too_few_that_could_be_measured_names_the_first_that_could_not(tmp_path):
    rows = []
    for number in range(8):
        (tmp_path / f"{number}.tif").write_text("no slide")
        score = ("1+", "3+")[number % 2]
        rows.append({"slide": f"{number}.tif", "patient": f"p{number}", "score": score, "marker": "HER2"})
    write_manifest(tmp_path / "cohort.csv", rows)
    with pytest.raises(ConfigError, match=r"0 slides could be measured, 8 could not be \(0.tif: .*needs 8"):
        calibrate(tmp_path / "cohort.csv", out=tmp_path / "own.yaml")
