from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image


def test_a_folder_that_holds_no_results_is_said_in_a_sentence(lowpower, tmp_path):
    finished = lowpower("view", tmp_path, "--no-browser")
    assert finished.code == 1
    assert "lowpower score" in finished.err
    finished = lowpower("view", tmp_path / "nowhere")
    assert finished.code == 2
    assert "does not exist; name the folder" in finished.err


def test_a_folder_of_slides_is_told_the_commands_that_score_and_show_it(lowpower, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my slides").mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.full((8, 8, 3), 240, np.uint8)).save(tmp_path / "my slides" / f"{name}.png")
    finished = lowpower("export", "reviews", "my slides")
    assert finished.code == 1
    assert finished.err == (
        "lowpower: my slides: holds 2 slides that are not scored here; first: lowpower score 'my slides' "
        "--out 'my slides-results', then: lowpower view 'my slides-results'\n"
    )


@pytest.mark.parametrize("loading", ["typer", "lowpower.serve", "webbrowser"])
def test_an_interrupt_while_something_still_loads_is_one_sentence(tmp_path, loading):
    code = f"""
import sys
class Stop:
    def find_spec(self, name, *_):
        if name == {loading!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from lowpower.cli import main
sys.argv = ["lowpower", "view", {str(tmp_path)!r}, "--no-browser"]
main()
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 130
    assert finished.stderr.startswith("lowpower: interrupted")
    assert finished.stderr.count("\n") == 1


def test_reviews_are_exported_folder_by_folder(lowpower, tmp_path):
    finished = lowpower("export", "reviews", tmp_path, tmp_path)
    assert finished.code == 1
    assert "folder by folder" in finished.err
    finished = lowpower("export", "reviews", tmp_path)
    assert finished.code == 1
    assert "holds no results" in finished.err
