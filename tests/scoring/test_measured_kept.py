"""A run without measurement never throws an earlier one away."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from lowpower.scoring import score_files


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    from tests.stain._drawn_cells import draw_cells

    slide = tmp_path_factory.mktemp("cells") / "cells.png"
    Image.fromarray(draw_cells(membrane=0.8).image).save(slide)
    return slide


def test_the_fuller_record_is_kept_and_said_to_be(bundle, cells, tmp_path):
    options = {"model": bundle, "mpp": 0.5, "out": tmp_path}
    (first,) = score_files([cells], **options)
    assert first.measured is not None
    held = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "cells").iterdir())
    batch = score_files([cells], **options, measure=False)
    assert batch.reused == 1
    assert batch[0].measured == first.measured
    assert any("keeps its measurement" in note for note in batch.notes)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "cells").iterdir()) == held


def test_with_other_options_it_is_set_aside(bundle, cells, tmp_path):
    score_files([cells], model=bundle, mpp=0.5, out=tmp_path)
    batch = score_files([cells], model=bundle, mpp=0.5, out=tmp_path, measure=False, force=True)
    assert (batch.reused, batch[0].measured) == (0, None)
    (note,) = [note for note in batch.notes if "set-aside-1" in note]
    assert "with a measurement, is kept in" in note
    aside = tmp_path / "set-aside-1" / "cells"
    assert json.loads((aside / "result.json").read_text())["measured"] is not None
    assert (aside / "cells.parquet").exists()
    assert not (tmp_path / "cells" / "cells.parquet").exists()


def test_an_answer_that_gives_way_is_kept_where_that_is_asked(bundle, cells, tmp_path):
    options = {"model": bundle, "mpp": 0.5, "out": tmp_path, "keep_earlier": True}
    score_files([cells], **options)
    held = {path.name: path.read_bytes() for path in (tmp_path / "cells").iterdir()}
    assert score_files([cells], **options).reused == 1  # nothing gave way
    refused = score_files([cells], **options, force=True, control="0,0,9000,9000")[0]
    assert (refused.state, "earlier result" in refused.reason) == ("refused", True)
    assert not (tmp_path / "set-aside-1").exists()
    batch = score_files([cells], **options, force=True)
    (note,) = [note for note in batch.notes if "set-aside-1" in note]
    assert "its earlier result is kept in" in note
    kept = tmp_path / "set-aside-1" / "cells"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == held
    assert json.loads((tmp_path / "cells" / "result.json").read_text())["asked"]["force"] is True
    assert [path.name for path in tmp_path.glob("*/result.json")] == ["result.json"]  # one answer a slide


def test_without_measurement_nothing_is_claimed_of_one(bundle, cells, tmp_path):
    for _ in range(2):
        batch = score_files([cells], model=bundle, mpp=0.5, out=tmp_path, measure=False)
    assert (batch.reused, batch.notes) == (1, ())
