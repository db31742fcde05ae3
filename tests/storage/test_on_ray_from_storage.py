"""Slides in a bucket, worked on by a Ray cluster: fetched by the worker, results put there by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lowpower.engine import run_on
from lowpower.scoring import score_files


@pytest.mark.slow
def test_a_worker_fetches_its_slides_and_puts_its_results(s3: Any, make_slide: Any, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    for number, name in enumerate("ab"):
        s3.put_file(str(make_slide(tmp_path / "x.tif", seed=number)), f"slides/in/{name}.tif")
    told = {"measure": False, "force": True}
    here = score_files(["s3://slides/in/"], out="s3://slides/here", **told)
    with run_on("ray"):
        there = score_files(["s3://slides/in/"], out="s3://slides/there", **told)
    assert [record.outcome for record in there] == [record.outcome for record in here]
    clocks = ("seconds", "timings", "finished", "scored_at")
    for name in "ab":
        one, other = (
            json.loads(s3.cat_file(f"slides/{out}/{name}/result.json")) for out in ("here", "there")
        )
        assert {k: v for k, v in one.items() if k not in clocks} == {
            k: v for k, v in other.items() if k not in clocks
        }
    pictures = {path.rpartition("/there/")[2] for path in s3.find("slides/there") if path.endswith(".png")}
    assert pictures == {
        path.rpartition("/here/")[2] for path in s3.find("slides/here") if path.endswith(".png")
    }
