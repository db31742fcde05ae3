"""A model bundle with a missing or altered file is refused before any slide is opened."""

from __future__ import annotations

import shutil

import pytest

from lowpower.bundles import bundled_models


@pytest.fixture
def bundle(tmp_path):
    return shutil.copytree(bundled_models()["her2-sim"], tmp_path / "bundle")


def refusal(lowpower, bundle, tmp_path, code=1):
    slide = tmp_path / "any.svs"
    slide.write_bytes(b"never opened")
    finished = lowpower("score", slide, "--model", bundle, "--out", tmp_path / "out")
    assert finished.code == code
    assert finished.err.count("\n") == 1
    return finished.err


def test_a_missing_weight_file(lowpower, bundle, tmp_path):
    (bundle / "model.safetensors").unlink()
    assert "model.safetensors" in refusal(lowpower, bundle, tmp_path)


def test_an_altered_weight_file(lowpower, bundle, tmp_path):
    weights = bundle / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert "altered" in refusal(lowpower, bundle, tmp_path)


def test_a_missing_record(lowpower, bundle, tmp_path):
    (bundle / "bundle.json").unlink()  # then the folder is no bundle's: a wrong path
    assert "bundle.json" in refusal(lowpower, bundle, tmp_path, code=2)


def test_a_record_that_is_no_record(lowpower, bundle, tmp_path):
    (bundle / "bundle.json").write_text("{}")
    assert "bundle.json" in refusal(lowpower, bundle, tmp_path)
