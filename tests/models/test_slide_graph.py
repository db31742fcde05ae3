from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lowpower.errors import BundleError
from lowpower.models import _predict, load_bundle, predict
from lowpower.models._predict import layout, spans
from lowpower.units import Box, Mpp
from lowpower.views import View


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(load_bundle("her2-sim").folder, tmp_path / "copied"))


def view(height: int, width: int) -> View:
    rng = np.random.default_rng(height)
    image = rng.integers(120, 256, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), np.bool_)
    mask[height // 5 : -height // 6, width // 4 :] = True
    white = np.array([241, 240, 236], np.float32)
    return View(image, mask, Mpp(4.0), Box(0, 0, width * 8, height * 8), white)


@pytest.mark.parametrize("size", [(130, 77), (200, 900)])
def test_the_graphs_say_what_the_network_says(size: tuple[int, int]) -> None:
    bundle = load_bundle("her2-sim")
    assert bundle.graph is not None
    one = predict(bundle, [view(*size)])[0]
    other = predict(dataclasses.replace(bundle, graph=None, loaded=bundle.module), [view(*size)])[0]
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    assert one.logits == pytest.approx(other.logits, abs=1e-4)
    assert one.local_scores.shape == other.local_scores.shape
    assert np.abs(one.local_scores - other.local_scores).max() < 1e-4


def test_small_tiles_say_what_one_large_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle("her2-sim")
    large = view(1100, 1000)
    one = predict(bundle, [large])[0]
    monkeypatch.setattr(_predict, "_TILE_PIXELS", 256)
    for name in ("_NEAR_PIXELS", "_FAR_PIXELS"):
        monkeypatch.setattr(_predict, name, 150_000)
    many = predict(bundle, [large])[0]
    assert many.logits == pytest.approx(one.logits, abs=1e-4)
    assert np.abs(many.local_scores - one.local_scores).max() < 1e-4


@pytest.mark.parametrize("name", ["near.onnx", "far.onnx", "cells.onnx", "answer.onnx"])
def test_an_altered_graph_is_refused(copied: Path, name: str) -> None:
    path = copied / name
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BundleError, match=f"{name}: is missing or was altered; get the bundle again"):
        load_bundle(copied)
    path.unlink()
    with pytest.raises(BundleError, match="is missing or was altered"):
        load_bundle(copied)


def test_graphs_of_other_weights_are_passed_over(copied: Path) -> None:
    path = copied / "graphs.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weights_sha256": "0" * 64}))
    bundle = load_bundle(copied)
    assert bundle.graph is None
    assert bundle.loaded is not None
    path.write_text("{}")
    with pytest.raises(BundleError, match=r"graphs\.json: cannot be used"):
        load_bundle(copied)


def test_the_bundled_model_scores_without_pytorch() -> None:
    code = (
        "import sys, lowpower as lp; lp.score; lp.measure; bundle = lp.load_model('her2-sim');"
        "import numpy as np; from lowpower.models import predict; from lowpower.views import View;"
        "image = np.full((64, 96, 3), 200, np.uint8);"
        "view = View(image, image[..., 0] > 0, 4.0, lp.Box(0, 0, 96, 64), np.full(3, 240, np.float32));"
        "predict(bundle, [view]); print(sorted({'torch', 'timm', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("height", "width"), [(32, 64), (1344, 1344), (1600, 1568), (2688, 2688), (960, 7008)]
)
def test_a_view_is_cut_so_that_little_is_looked_at_twice(height: int, width: int) -> None:
    halo = 448
    down, across = layout(height, width, 32, halo, 1_600_000)
    for tiles, length in ((down, height), (across, width)):
        assert [tile[0] for tile in tiles] == [0, *(tile[1] for tile in tiles[:-1])]
        assert tiles[-1][1] == length
        for start, stop, above, below in tiles:
            assert above == max(0, start - halo)
            assert below == min(length, stop + halo)
            assert start % 32 == 0
    sizes = [[below - above for *_, above, below in tiles] for tiles in (down, across)]
    squares = [[below - above for *_, above, below in spans(side, 32, halo)] for side in (height, width)]
    largest = max(1_600_000, max(squares[0]) * max(squares[1]))
    assert max(sizes[0]) * max(sizes[1]) <= largest
    assert sum(sizes[0]) * sum(sizes[1]) <= sum(squares[0]) * sum(squares[1])
    if height * width <= 1_600_000:
        assert len(down) == len(across) == 1
