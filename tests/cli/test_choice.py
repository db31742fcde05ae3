"""Files that hold more than one picture of the slide: what is read is said, and can be chosen."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """Three focal planes; the first and last hold glass alone."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    planes = np.full((3, 512, 512, 3), 240, np.uint8)
    planes[1, 100:400, 100:400] = rng.integers(90, 200, (300, 300, 3))
    tifffile.imwrite(
        "stack.ome.tif", planes, tile=(256, 256), photometric="rgb",
        metadata={"axes": "ZYXS", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0},
    )  # fmt: skip
    return "stack.ome.tif"


def test_doctor_lists_planes_and_every_source_of_um_per_px(lowpower, stack):
    said = lowpower("doctor", stack).out
    assert "3; 2 is read, choose with --plane" in said
    assert "ome.PhysicalSizeX" in said
    assert "3; 3 is read" in lowpower("doctor", stack, "--plane", "3").out


def test_doctor_shows_what_it_can_and_then_the_problem(lowpower, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("bare.tif", np.full((300, 200, 3), 200, np.uint8), photometric="rgb")
    finished = lowpower("doctor", "bare.tif")
    assert finished.code == 1
    assert "200 x 300 px" in finished.out
    assert "no microns per pixel" in finished.err
    assert "option" not in finished.out
    (tmp_path / "half.tif").write_bytes((tmp_path / "bare.tif").read_bytes()[:50_000])
    finished = lowpower("doctor", "half.tif")
    assert finished.code == 1
    assert "50,000" in finished.out
    assert "half.tif" in finished.err


def test_doctor_tells_of_every_file_though_one_is_a_text(lowpower, stack, tmp_path):
    (tmp_path / "notes.txt").write_text("remember")
    finished = lowpower("doctor", "notes.txt", stack)
    assert finished.code == 1
    assert "notes.txt: is no slide" in finished.err
    assert "stack.ome.tif" in finished.out
    assert lowpower("doctor", "notes.txt").code == 2


def test_the_plane_that_was_read_is_in_the_record(lowpower, stack):
    finished = lowpower("measure", stack, "--out", "out", "--json")
    told = json.loads(finished.out.splitlines()[0])
    flags = {flag["code"]: flag["message"] for flag in (told["qc"] or {"flags": ()})["flags"]}
    assert "the middle one, 2, is read" in flags["file"]
    finished = lowpower("measure", stack, "--out", "out", "--plane", "1", "--json")
    told = json.loads(finished.out.splitlines()[0])
    assert told["asked"]["plane"] == 1
    assert "no tissue" in told["reason"]


def test_a_plane_that_is_not_there_is_refused(lowpower, stack):
    finished = lowpower("score", stack, "--plane", "9", "--out", "out", "--no-measure")
    assert finished.code == 1
    assert "plane" in finished.err + finished.out
