"""A user's mistakes: one sentence that names the file, a state, exit code 1; the batch goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile


def records(finished):
    return [json.loads(line) for line in finished.out.splitlines()]


def assert_one_sentence(record, *words):
    reason = record["reason"]
    assert record["file"] in reason
    assert "\n" not in reason
    for word in words:
        assert word in reason.lower(), reason


@pytest.fixture
def glass(tmp_path):
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal((234, 234, 242), 0.8, (600, 600, 3)), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "glass.png"), image[..., ::-1])
    return tmp_path / "glass.png"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.svs", b"a text file, named like a slide\n" * 40, ["not"]),
        ("empty.svs", b"", ["empty"]),
        ("empty.png", b"", ["empty"]),
    ],
)
def test_what_is_no_slide_is_refused(lowpower, tmp_path, name, content, words):
    file = tmp_path / name
    file.write_bytes(content)
    finished = lowpower("score", file, "--json", "--out", tmp_path / "out", "--mpp", "0.25")
    assert finished.code == 1
    (record,) = records(finished)
    assert record["state"] == "refused"
    assert record["reason_code"] == "not_a_slide"
    assert_one_sentence(record, *words)


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_truncated_slide_never_gets_a_score(lowpower, tmp_path, tenth):
    whole = tmp_path / "whole.tif"
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(90, 230, (64, 64, 3), dtype=np.uint8), (1024, 1024))
    tifffile.imwrite(
        whole,
        image,
        tile=(256, 256),
        compression="jpeg",
        photometric="rgb",
        resolution=(40000, 40000),
        resolutionunit=3,
    )
    data = whole.read_bytes()
    cut = tmp_path / "cut.tif"
    cut.write_bytes(data[: len(data) * tenth // 10])
    finished = lowpower("score", cut, "--json", "--out", tmp_path / "out")
    assert finished.code == 1
    (record,) = records(finished)
    assert record["state"] in ("refused", "failed")
    assert record["reason_code"] in ("not_a_slide", "damaged")
    assert_one_sentence(record)


@pytest.mark.parametrize(("mpp", "code"), [(None, "missing_mpp"), ("50", "invalid_mpp")])
def test_microns_per_pixel_must_be_given_and_plausible(lowpower, tmp_path, glass, mpp, code):
    manifest = tmp_path / "cohort.csv"
    manifest.write_text(f"slide,mpp\n{glass},{mpp or ''}\n")
    finished = lowpower("score", manifest, "--json", "--out", tmp_path / "out")
    assert finished.code == 1
    (record,) = records(finished)
    assert (record["state"], record["reason_code"]) == ("refused", code)
    assert_one_sentence(record, "--mpp")


def test_a_resolution_the_model_was_not_made_for_is_refused(lowpower, tmp_path, glass):
    (record,) = records(lowpower("score", glass, "--json", "--out", tmp_path / "out", "--mpp", "15"))
    assert (record["state"], record["reason_code"]) == ("refused", "mpp_out_of_range")
    assert_one_sentence(record, "15 um/px")


def test_a_slide_without_tissue_is_refused_with_numbers(lowpower, tmp_path, glass):
    finished = lowpower("score", glass, "--json", "--out", tmp_path / "out", "--mpp", "0.5")
    assert finished.code == 1
    (record,) = records(finished)
    assert (record["state"], record["reason_code"]) == ("refused", "no_tissue")
    assert_one_sentence(record, "no tissue found")
    assert any(character.isdigit() for character in record["reason"].split("no tissue found", 1)[1])


def test_haematoxylin_and_eosin_is_refused_unless_forced(lowpower, tmp_path, real_slides):
    slide = real_slides / "cmu-1-small-region.svs"
    (record,) = records(lowpower("score", slide, "--json", "--out", tmp_path / "out"))
    assert (record["state"], record["reason_code"]) == ("refused", "unexpected_stain")
    assert_one_sentence(record, "--force")
    finished = lowpower("score", slide, "--json", "--out", tmp_path / "out", "--force")
    (record,) = records(finished)
    assert record["state"] == "ok"
    assert record["forced"] is True
    assert "h&e" in record["reason"].lower()


def test_a_model_that_does_not_exist_is_named_with_what_does(lowpower, tmp_path, glass):
    finished = lowpower("score", glass, "--mpp", "0.5", "--model", "her2-sin", "--out", tmp_path / "out")
    assert finished.code == 2
    assert "her2-sim" in finished.err
    assert finished.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_to_write(lowpower, tmp_path, glass):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    finished = lowpower("score", glass, "--mpp", "0.5", "--out", locked / "out")
    assert finished.code == 1
    assert "no permission" in finished.err


def test_an_output_folder_below_a_file_is_one_sentence(lowpower, tmp_path, glass):
    finished = lowpower("score", glass, "--mpp", "0.5", "--out", glass / "out")
    assert finished.code == 1
    assert "--out" in finished.err
    assert finished.err.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_a_full_disk_is_one_sentence(lowpower, tmp_path, glass, monkeypatch):
    """The operating system's own answer (ENOSPC from /dev/full), met while a result is written."""
    real_write = Path.write_bytes

    def write_bytes(self, data):
        if self.name.endswith(".part.json"):
            with open("/dev/full", "wb", buffering=0) as full:
                return full.write(data)
        return real_write(self, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    finished = lowpower("score", glass, "--mpp", "0.5", "--out", tmp_path / "out")
    assert finished.code == 1
    assert "disk is full" in finished.err
    assert list((tmp_path / "out").rglob("*.part*")) == []


def test_a_truly_full_disk_is_one_sentence_and_keeps_what_was_there(tmp_path, glass):
    """A file system of 60 kB, filled up, in a mount namespace of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=64k none '{disk}'"
    try:
        subprocess.run([*namespace, mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system of one's own can be mounted here ({error})")
    script = (
        f"{mount}; echo earlier > '{disk}/earlier.txt'; dd if=/dev/zero of='{disk}/filler' 2>/dev/null; "
        f"'{sys.executable}' -m lowpower score '{glass}' --mpp 0.5 --out '{disk}/out'; echo code $?; "
        f"cat '{disk}/earlier.txt'; find '{disk}' -name '*.part*'"
    )
    finished = subprocess.run([*namespace, script], capture_output=True, text=True, check=False)
    assert finished.stdout.split()[-3:] == ["code", "1", "earlier"]
    assert "disk is full" in finished.stderr
    assert finished.stderr.count("\n") == 1
