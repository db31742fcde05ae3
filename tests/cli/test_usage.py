"""A value that cannot be ends a verb before it opens or writes anything: one sentence, exit code 2."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.main import get_command

from lowpower.cli._app import app
from lowpower.errors import OptionError
from lowpower.scoring import measure_files, score, score_files

OVER_SLIDES = ("score", "measure", "doctor", "check")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with a file that would be refused if anything opened it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "field.png").write_bytes(b"no picture")
    return tmp_path


def refuses(lowpower, place, *arguments):
    finished = lowpower(*arguments)
    assert finished.code == 2
    assert finished.out == ""
    assert finished.err.startswith("lowpower: ")
    assert finished.err.count("\n") == 1
    assert "no picture" not in finished.err
    assert [path.name for path in place.iterdir()] == ["field.png"]
    return finished.err


@pytest.mark.parametrize("verb", OVER_SLIDES)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0,25", "write 0.25, with a point"),
        ("much", "takes a number, not 'much'"),
        ("-1", "0.05 to 20 um/px, not -1"),
        ("0", "not 0;"),
        ("50", "not 50;"),
        ("nan", "not nan;"),
        ("inf", "not inf;"),
    ],
)
def test_microns_per_pixel(lowpower, place, verb, value, words):
    said = refuses(lowpower, place, verb, "field.png", "--mpp", value)
    assert "--mpp" in said
    assert words in said


@pytest.mark.parametrize("verb", ["score", "measure"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("middle", "auto, none, an end (left"),
        ("lfet", "did you mean left?"),
        ("10,10,5", "X,Y,WIDTH,HEIGHT"),
        ("0,0,0,9", "X,Y,WIDTH,HEIGHT"),
        ("nosuch.geojson", "GeoJSON or PNG"),
    ],
)
def test_control_names_what_it_takes(lowpower, place, verb, value, words):
    assert words in refuses(lowpower, place, verb, "field.png", "--control", value)


@pytest.mark.parametrize("verb", ["score", "measure", "doctor"])
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--plane", "0", "from 1"),
        ("--plane", "1.5", "whole number"),
        ("--scene", " ", "name or number"),
        ("--scenne", "2", "--scene"),
    ],
)
def test_scene_and_plane(lowpower, place, verb, option, value, words):
    assert words in refuses(lowpower, place, verb, "field.png", option, value)


@pytest.mark.parametrize(("verb", "theirs"), [("measure", "result.json"), ("score", "measurement.json")])
def test_a_folder_of_the_other_verbs_results_is_wrong_usage(lowpower, place, verb, theirs):
    (place / "out" / "field").mkdir(parents=True)
    (place / "out" / "field" / theirs).write_text("{}")
    finished = lowpower(verb, "field.png", "--mpp", "1", "--out", "out")
    assert finished.code == 2
    assert "out: holds results of `lowpower" in finished.err


@pytest.mark.parametrize("verb", ["score", "measure"])
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--mask", "--mask 'nosuch' does not exist"),
        ("--regions", "--regions 'nosuch' does not exist"),
        ("--laboratory", "lowpower calibrate"),
        ("--cells", "'tumour', 'all'"),
    ],
)
def test_files_that_are_not_there_and_unknown_words(lowpower, place, verb, option, words):
    assert words in refuses(lowpower, place, verb, "field.png", option, "nosuch")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("measure", "field.png", "--marker", "HER9"), "HER2, ER, PR, Ki-67"),
        (("simulate", "--workers", "-1"), "1 or more, not -1"),
        (("simulate", "--patients", "0"), "1 or more, not 0"),
        (("simulate", "--seed", "-1"), "0 or more, not -1"),
        (("demo", "--patients", "3"), "16 or more"),
        (("demo", "--seed", "-1"), "0 or more"),
        (("prepare", "field.png", "--workers", "0"), "1 or more"),
        (("study", "field.png", "--workers", "0"), "1 or more"),
        (("view", ".", "--port", "99999"), "65535 or less"),
        (("view", "field.png"), "is a file"),
        (("view", "nosuch"), "does not exist"),
        (("deploy", ".", "--fold", "first"), "number from 0 on, or all"),
        (("export", ".", "--to", "word"), "dicom-sr"),
        (("export", ".", "--format", "pdf"), "no such option: --format; did you mean --to (see"),
        (("measure", "field.png", "--format", "pdf"), "no such option: --format"),
        (("score", "field.png", "--mdoel", "her2-sim"), "no such option: --mdoel; did you mean --model (see"),
        (("score", "field.png", "--mode", "her2-sim"), "no such option: --mode; did you mean --model (see"),
        (("init", ".", "--marker", "HER9", "--out", "new"), "HER9"),
        (("init", ".", "--patient", "(", "--out", "new"), "regular expression"),
        (("init", "nosuch", "--out", "new"), "does not exist"),
        (("evaluate", "field.png", "--column", "slide"), "NAME=YOURS"),
        (("evaluate", "field.png", "--scheme", "her2_six"), "her2_four"),
        (("compare", "a.csv", "b.csv", "--scheme", "her2_six"), "her2_four"),
        (("calibrate", "field.png", "--marker", "HER9"), "HER2, ER, PR, Ki-67"),
        (("scroe", "field.png"), "Did you mean 'score'"),
    ],
)
def test_every_verb(lowpower, place, arguments, words):
    assert words in refuses(lowpower, place, *arguments)


def test_a_missing_argument_is_answered_with_an_example_that_can_be_typed(lowpower, place):
    """What stands below the sentence, and in the help, is a command of that verb without a mistake in it."""
    asked = 0
    for verb, command in get_command(app).commands.items():
        example = command.epilog.removeprefix("For example: ")
        head, name, *words = example.split()
        assert (head, name) == ("lowpower", verb)
        command.make_context(verb, words)  # every word is one that the verb takes
        assert example in " ".join(lowpower(verb, "--help").out.split())
        if any(one.param_type_name == "argument" and one.required for one in command.params):
            finished = lowpower(verb)
            assert finished.code == 2
            sentence, shown = finished.err.splitlines()
            assert sentence.startswith("lowpower: missing argument")
            assert shown == f"For example: {example}"
            asked += 1
    assert asked > 10
    assert [path.name for path in place.iterdir()] == ["field.png"]


@pytest.mark.parametrize("spelled", ["her2", "HER-2", "er", "PgR", "ki67", "Ki-67", "MIB-1"])
def test_a_marker_is_taken_as_manifests_may_spell_it(spelled):
    from lowpower.cohort import canonical_marker

    context = get_command(app).commands["measure"].make_context("measure", ["a.svs", "--marker", spelled])
    assert context.params["marker"] == canonical_marker(spelled)


def test_the_help_is_called_as_elsewhere(lowpower):
    assert lowpower("-h").out == lowpower("--help").out != ""
    assert lowpower("check", "-h").out == lowpower("check", "--help").out != ""


def test_no_option_takes_a_number_in_silence(lowpower, place):
    """Every option of every verb that takes a number says so of a word."""
    tried = 0
    for verb, command in get_command(app).commands.items():
        for parameter in command.params:
            kind = getattr(parameter, "display_type_rich", None)
            if parameter.param_type_name == "option" and kind is not None and kind(None) == "NUMBER":
                given = (
                    ["field.png"] if any(one.param_type_name == "argument" for one in command.params) else []
                )
                said = refuses(lowpower, place, verb, *given, parameter.opts[0], "three")
                assert "number" in said
                tried += 1
    assert tried > 10


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"mpp": -1.0}, "mpp="),
        ({"control": "middle"}, "control="),
        ({"plane": 0}, "plane="),
        ({"workers": 0}, "workers="),
        ({"cells": "none"}, "cells="),
        ({"mask": "nosuch.png"}, "mask="),
    ],
)
def test_in_python_the_argument_is_named(place, option, words):
    for call in (score, score_files, measure_files):
        given = "field.png" if call is score else ["field.png"]
        with pytest.raises(OptionError, match=words):
            call(given, **option)
    assert [path.name for path in place.iterdir()] == ["field.png"]


@pytest.mark.parametrize("verb", ["score", "measure", "check", "doctor"])
def test_a_mistyped_name_alone_is_wrong_usage(lowpower, place, verb):
    assert "nosuch.svs: does not exist" in refuses(lowpower, place, verb, "nosuch.svs")
    assert "nosuch.csv: no such" in refuses(lowpower, place, verb, "nosuch.csv")
    assert "no file matches" in refuses(lowpower, place, verb, "*.svs")


def test_a_folder_without_slides_says_what_was_looked_for(lowpower, place):
    (place / "field.png").unlink()
    finished = lowpower("score", ".")
    assert finished.code == 2
    assert "is empty: in this folder and below DICOM files were looked for" in finished.err
    assert "svs" in finished.err
    (place / "notes.txt").write_text("x")
    finished = lowpower("measure", ".")
    assert finished.code == 2
    assert "holds 1 file, and none is a slide" in finished.err
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("verb", ["score", "measure"])
def test_out_that_is_a_file_says_so(lowpower, place, verb):
    Image.fromarray(np.full((64, 64, 3), 240, np.uint8)).save(place / "field.png")
    for out in ("field.png", "field.png/below"):
        finished = lowpower(verb, "field.png", "--mpp", "1", "--out", out)
        assert finished.code == 1
        assert finished.err.endswith("field.png: is a file; give a folder with --out.\n")
        assert finished.err.count("\n") == 1


def test_um_per_px_that_contradicts_the_file_is_a_warning_before_the_run(lowpower, place):
    glass = np.full((512, 512, 3), 240, np.uint8)
    tifffile.imwrite("a.tif", glass, photometric="rgb", resolution=(20000, 20000), resolutionunit=3)
    finished = lowpower("measure", "a.tif", "--mpp", "0.25", "--out", "out")
    first = finished.err.splitlines()[0]
    assert first.startswith("warning: a.tif: 0.25 um/px was given and is taken, but the file says 0.5")
    assert "leave out --mpp" in first
    assert "warning" not in lowpower("measure", "a.tif", "--mpp", "0.49", "--out", "out").err
    assert "0.25 um/px was given" in lowpower("doctor", "a.tif", "--mpp", "0.25").out
