"""A mistyped name is told and leaves nothing; what a manifest names leaves a row until it is mended."""

from __future__ import annotations

import polars as pl
import pytest

from lowpower.errors import OptionError
from lowpower.scoring import score_files


@pytest.fixture
def run(bundle, disc, tmp_path):
    def run(*given):
        return score_files(given, model=bundle, mpp=0.5, measure=False, pictures=False, out=tmp_path / "out")

    return run


def rows(tmp_path) -> dict[str, str]:
    table = pl.read_csv(tmp_path / "out" / "results.csv")
    return {name.rsplit("/", 1)[-1]: state for name, state in table.select("file", "state").iter_rows()}


def test_alone_it_is_wrong_usage_and_makes_no_folder(run, tmp_path):
    with pytest.raises(OptionError, match=r"nosuch\.svs: does not exist"):
        run(tmp_path / "nosuch.svs")
    assert not (tmp_path / "out").exists()


def test_among_others_it_is_named_and_leaves_no_row(run, disc, tmp_path):
    batch = run(disc, tmp_path / "nosuch.svs")
    assert [record.state for record in batch] == ["ok", "refused"]
    assert "nosuch.svs: does not exist" in batch[1].reason
    assert "1 refused" in batch.closing
    assert rows(tmp_path) == {"disc.png": "ok"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == [
        ".lowpower",
        "disc",
    ]


@pytest.mark.parametrize("mended", ["left out", "corrected", "found"])
def test_what_a_manifest_names_is_a_row_until_it_is_mended(run, disc, tmp_path, mended):
    manifest = tmp_path / "cohort.csv"
    manifest.write_text(f"slide\n{disc}\ngone.png\n")
    assert [record.state for record in run(manifest)] == ["ok", "refused"]
    assert rows(tmp_path) == {"disc.png": "ok", "gone.png": "refused"}
    run(disc)  # another run says nothing of the manifest's row
    assert "gone.png" in rows(tmp_path)
    if mended == "left out":
        manifest.write_text(f"slide\n{disc}\n")
    elif mended == "corrected":
        (tmp_path / "found.png").write_bytes(disc.read_bytes() + b"\0")
        manifest.write_text(f"slide\n{disc}\nfound.png\n")
    else:
        (tmp_path / "gone.png").write_bytes(disc.read_bytes() + b"\0")
    assert {record.state for record in run(manifest)} == {"ok"}
    name = {"left out": [], "corrected": ["found.png"], "found": ["gone.png"]}[mended]
    assert rows(tmp_path) == {"disc.png": "ok"} | dict.fromkeys(name, "ok")
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} - {".lowpower"}
    assert folders == {"disc", *(one.removesuffix(".png") for one in name)}
