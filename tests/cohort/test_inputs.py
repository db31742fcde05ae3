"""Files, folders, patterns and manifests become one list of slides."""

from __future__ import annotations

import pytest

from lowpower.cohort import SlideInput, slide_inputs
from lowpower.errors import CohortError, ConfigError, OptionError


@pytest.fixture
def slides(tmp_path):
    for name in ("b.svs", "a.svs", "more/c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(inputs):
    return [one.path.name for one in inputs]


def test_files_folders_and_patterns_each_slide_once(slides):
    assert names(slide_inputs([slides / "b.svs", slides, slides / "a.svs"])) == ["b.svs", "a.svs", "c.tif"]
    assert names(slide_inputs([f"{slides}/*.svs"])) == ["a.svs", "b.svs"]
    assert names(slide_inputs([f"{slides}/**/*.tif"])) == ["c.tif"]
    assert names(slide_inputs([slides], "*.tif")) == ["c.tif"]


def test_a_name_with_brackets_that_exists_is_no_pattern(tmp_path):
    (tmp_path / "case [1].svs").write_bytes(b"x")
    assert names(slide_inputs([tmp_path / "case [1].svs"])) == ["case [1].svs"]


def test_what_is_not_there_is_wrong_usage_where_nothing_else_is(tmp_path, slides):
    (tmp_path / "empty").mkdir()
    given = [tmp_path / "absent.svs", tmp_path / "empty"]
    with pytest.raises(OptionError, match=r"absent\.svs: does not exist.*empty: is empty.*DICOM.*svs"):
        slide_inputs(given)
    found = slide_inputs([*given, slides / "a.svs"])
    assert [one.path for one in found] == [*given, slides / "a.svs"]
    assert [one.absent is None for one in found] == [False, False, True]


def test_a_manifest_that_is_not_there_is_no_slide(tmp_path, slides):
    with pytest.raises(OptionError, match=r"cohort\.csv: no such manifest"):
        slide_inputs([slides / "a.svs", tmp_path / "cohort.csv"])


@pytest.mark.parametrize("name", ["cohort.xls", "cohort.ods", "cohort.json", "slides.txt"])
def test_a_table_of_another_kind_is_no_slide(slides, name):
    (slides / name).write_bytes(b"x")
    with pytest.raises(OptionError, match=r"if it is a manifest, save it as CSV, TSV, XLSX or Parquet"):
        slide_inputs([slides / name])


def test_what_a_manifest_names_stays_though_it_is_not_there(tmp_path):
    (tmp_path / "cohort.csv").write_text("slide\ngone.svs\n")
    (one,) = slide_inputs([tmp_path / "cohort.csv"])
    assert one.absent is None
    assert one.manifest == tmp_path / "cohort.csv"


def test_a_pattern_without_a_match_is_an_error(slides):
    with pytest.raises(ConfigError, match="no file matches"):
        slide_inputs([f"{slides}/*.ndpi"])
    with pytest.raises(ConfigError, match="nothing named like"):
        slide_inputs([slides], "*.ndpi")


def test_a_manifest_says_what_it_knows_of_each_slide(slides):
    manifest = slides / "cohort.csv"
    manifest.write_text(
        "slide,mpp,control,mask,marker,score,ish\na.svs,0.25,left,m.png,HER2,2+,negative\nb.svs,,,,,,\n"
    )
    first, second = slide_inputs([manifest])
    assert first == SlideInput(
        slides / "a.svs", 0.25, "left", str(slides / "m.png"), "HER2", "2+", "negative"
    )
    assert second == SlideInput(slides / "b.svs", ish="unknown")
    # Beside a bare name the row of the manifest stands.
    assert slide_inputs([slides / "a.svs", manifest])[0] == first


def test_a_manifest_for_scoring_needs_slides_and_nothing_else(slides):
    manifest = slides / "list.csv"
    manifest.write_text("slide\na.svs\n")
    assert names(slide_inputs([manifest])) == ["a.svs"]
    manifest.write_text("file\na.svs\n")
    with pytest.raises(CohortError, match="slide"):
        slide_inputs([manifest])
    manifest.write_text("slide,marker,score\na.svs,HER2,7\n")
    with pytest.raises(CohortError, match="'7'"):
        slide_inputs([manifest])
