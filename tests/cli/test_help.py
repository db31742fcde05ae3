from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

VERBS = (
    "demo",
    "init",
    "doctor",
    "check",
    "prepare",
    "train",
    "evaluate",
    "compare",
    "simulate",
    "score",
    "measure",
    "export",
    "export-model",
    "study",
    "deploy",
    "subtype",
    "view",
)


def test_help_names_every_verb_and_the_notice(lowpower):
    finished = lowpower("--help")
    assert finished.code == 0
    for verb in VERBS:
        assert verb in finished.out
    assert "esearch use only" in finished.out


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(lowpower, verb):
    finished = lowpower(verb, "--help")
    assert finished.code == 0
    assert "Usage" in finished.out


def test_wrong_usage_is_exit_code_two(lowpower):
    assert lowpower("score").code == 2
    assert lowpower("scoer", "a.svs").code == 2


def test_version(lowpower):
    finished = lowpower("--version")
    assert finished.code == 0
    assert "lowpower 0." in finished.out


@pytest.mark.parametrize("package", ["torch", "lightning", "matplotlib", "timm", "polars", "cv2"])
def test_help_imports_nothing_heavy(package):
    code = f"import sys, lowpower.cli; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_doctor_shows_versions_and_says_what_a_slide_is(lowpower, real_slides):
    finished = lowpower("doctor")
    assert finished.code == 0
    assert "fastslide" in finished.out
    finished = lowpower("doctor", real_slides / "cmu-1-small-region.svs")
    assert finished.code == 0
    assert "0.499" in finished.out
    assert "aperio.MPP" in finished.out


def test_doctor_says_which_extras_are_there_and_how_to_get_the_others(lowpower, monkeypatch):
    from importlib import metadata

    installed = metadata.version

    def without_s3fs(package):
        if package == "s3fs":
            raise metadata.PackageNotFoundError(package)
        return "1.0" if package == "onnx" else installed(package)

    monkeypatch.setattr(metadata, "version", without_s3fs)
    lines = lowpower("doctor").out.splitlines()
    (s3,) = [line for line in lines if line.startswith("extra s3 ")]
    assert "not installed, for slides and results at s3://" in s3
    assert s3.endswith("pip install '.[s3]'")
    (onnx,) = [line for line in lines if line.startswith("extra onnx ")]
    assert "there (onnx 1.0)" in onnx


def test_what_is_to_be_copied_stays_on_one_line_of_a_narrow_terminal(lowpower, tmp_path, monkeypatch):
    import hashlib

    monkeypatch.setenv("COLUMNS", "40")
    folder = tmp_path / "a folder whose name is longer than that terminal is wide"
    folder.mkdir()
    picture = folder / "field.png"
    Image.fromarray(np.full((64, 64, 3), 240, np.uint8)).save(picture)
    lines = lowpower("doctor", picture, "--mpp", "1").out.splitlines()
    assert any(line.endswith(hashlib.sha256(picture.read_bytes()).hexdigest()) for line in lines)
    assert any(line.endswith(str(picture)) for line in lines)


def test_doctor_names_the_cure_for_a_slide_without_mpp(lowpower, real_slides):
    finished = lowpower("doctor", real_slides / "tcga-cr-7395-01a-01-ts1.svs")
    assert finished.code == 1
    assert "--mpp" in finished.err
