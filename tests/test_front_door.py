"""What a user of Python meets first: paths are taken, things show themselves, messages speak Python."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import lowpower as lp
from lowpower.errors import ConfigError, MissingMppError, OutputError, spoken_as_options

RESULTS = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A PNG of a stained disc."""
    rng = np.random.default_rng(3)
    image = np.full((400, 400, 3), (236.0, 235.0, 243.0))
    texture = cv2.GaussianBlur(rng.random((400, 400)), (0, 0), 2)
    rows, columns = np.mgrid[:400, :400]
    inside = np.hypot(columns - 200, rows - 200) < 130
    image[inside] = (np.array((150.0, 105.0, 80.0)) + 400 * (texture[..., None] - 0.5))[inside]
    path = tmp_path_factory.mktemp("field") / "field.png"
    cv2.imwrite(str(path), np.clip(image + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)[..., ::-1])
    return path


def test_every_name_of_the_front_door_is_there():
    for name in lp.__all__:
        assert getattr(lp, name) is not None


def test_tissue_and_measurement_take_paths_as_score_does(field):
    tissue = lp.find_tissue(field, mpp=0.5)
    with lp.open_slide(field, mpp=0.5) as slide:
        assert np.array_equal(lp.find_tissue(slide).mask, tissue.mask)
        assert lp.measure(field, mpp=0.5).sentence() == lp.measure(slide).sentence()
        with pytest.raises(ConfigError, match=r"open at 0\.5"):
            lp.find_tissue(slide, mpp=0.25)


def test_things_show_themselves_and_print_in_a_few_lines(field):
    with lp.open_slide(field, mpp=0.5) as slide:
        picture = slide.thumbnail(100)
        assert max(picture.size) == 100
        tissue, measured = lp.find_tissue(slide), lp.measure(slide)
        shown = [slide, tissue, measured]
        pages = [one._repr_html_() for one in shown]
    assert all(page.startswith("<div><b>") for page in pages)
    assert all("data:image/png;base64," in page for page in pages[:2])
    assert all(len(text(one)) < 500 for one in shown for text in (str, repr))
    assert "research use only" in str(measured).lower()
    overlay = np.asarray(tissue.overlay()).astype(int)
    changed = np.abs(overlay - tissue.picture).max(axis=2) > 40
    assert 0 < changed.mean() < 0.05  # an outline, not a filled area


def test_a_result_shows_itself_and_its_cells_are_like_a_measurements(sample_cache, tmp_path):
    (result,) = lp.score_files([lp.sample()], out=tmp_path)
    measured = lp.measure(lp.sample(), tissue=lp.find_tissue(lp.sample()))
    assert "data:image/png;base64," in result._repr_html_()
    assert len(repr(result)) < 1000
    # One was read back from its folder, the other is fresh.
    assert result.cells.table().equals(measured.cells.table())
    assert isinstance(result.cells.table(), pl.DataFrame)
    # docs/results.md lists exactly what is written.
    rows = re.findall(r"^\| `([^`]+)` \|.*\| (score|measure|both) \|$", RESULTS, re.MULTILINE)
    documented = {name.rstrip("/") for name, by in rows if by != "measure"}
    slide = tmp_path / "simulated-her2"
    written = {f"SLIDE/{file.name}" for file in slide.iterdir()} | {
        file.name for file in tmp_path.iterdir() if file != slide
    }
    assert documented - written <= {"SLIDE/error.txt", "SLIDE/quality.geojson"}
    assert written <= documented


def test_the_sample_is_made_once(sample_cache):
    first = lp.sample()
    made = first.stat().st_mtime_ns
    assert lp.sample() == first
    assert first.stat().st_mtime_ns == made
    assert first.is_relative_to(sample_cache)


def test_messages_speak_of_arguments_in_python_and_of_options_on_the_command_line(field):
    with pytest.raises(MissingMppError) as raised:
        lp.open_slide(field)
    assert "mpp=0.25" in str(raised.value)
    assert "--" not in str(raised.value)
    with spoken_as_options():
        assert "--mpp 0.25" in str(raised.value)


@pytest.mark.parametrize(
    ("option", "argument"),
    [
        ("choose another folder with --out.", "choose another folder with out=."),
        ("go on with --force.", "go on with force=True."),
        ("say --control none if", "say control='none' if"),
        ("say --control 'top left' if", "say control='top left' if"),
        ("with --region-class", "with region_class="),
        ("of `lowpower measure`; say --out", "of `lowpower measure`; say out="),
        (
            "moved: lowpower evaluate runs/a --cohort B.csv.",
            "moved: lowpower evaluate runs/a --cohort B.csv.",
        ),
        ("run: pip install --no-deps .", "run: pip install --no-deps ."),
        ("a - b -- c --- d e--f", "a - b -- c --- d e--f"),
    ],
)
def test_options_become_arguments(option, argument):
    assert str(OutputError(option)) == argument
