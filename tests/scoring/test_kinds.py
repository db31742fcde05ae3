"""A bundle of every kind scores a slide, with its map."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.scoring.kinds import KINDS, made

from lowpower.errors import BundleError, PoorQualityError, WeightsError
from lowpower.models import Bundle, load_bundle
from lowpower.scoring import Result, score
from lowpower.simulate import sample


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("kinds")
    return {kind: made(folder, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def results(bundles: dict[str, Bundle], disc: Path) -> dict[str, Result]:
    return {
        kind: score(disc, bundle, mpp=0.5, measure=False)
        for kind, bundle in bundles.items()
        if kind != "measured"
    }


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "measured"])
def test_a_bundle_of_each_kind_gives_a_result_with_its_map(results: dict[str, Result], kind: str) -> None:
    result = results[kind]
    assert result.state == "ok"
    assert sum((result.probabilities or {}).values()) == pytest.approx(1)
    picture = np.asarray(result.overlay()).astype(int)
    left, right = picture[104:1004, 16:1216], picture[104:1004, 1232:2432]
    changed = np.abs(left - right).max(2) > 6
    rows, columns = np.mgrid[:900, :1200]
    distance = np.hypot(columns - 500, rows - 450)
    assert changed[distance < 220].mean() > 0.9, "the map covers the tissue"
    assert changed[distance > 340].mean() < 0.01, "and nothing else"


def test_a_late_fusion_is_the_weighted_mean_of_its_models(results: dict[str, Result]) -> None:
    one, two, both = (results[kind].probabilities for kind in ("slide_network", "mil", "late_fusion"))
    assert one is not None
    assert two is not None
    assert both is not None
    for name, value in both.items():
        assert value == pytest.approx(0.25 * one[name] + 0.75 * two[name])


def test_a_measured_model_answers_from_the_cells(bundles: dict[str, Bundle]) -> None:
    result = score(sample(), bundles["measured"], measure=False)
    assert result.measured is not None
    assert result.measured.score == "3+"
    assert result.answer is not None
    assert (result.answer.likeliest, result.answer.by) == ("3+", "measurement")
    assert result.agreement is None, "there is no second answer beside it"
    assert result.overlay().width > 1000


def test_a_measured_model_refuses_what_cannot_be_measured(bundles: dict[str, Bundle], disc: Path) -> None:
    with pytest.raises(PoorQualityError, match="answers from the measurement"):
        score(disc, bundles["measured"], mpp=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_loads_again_and_says_what_it_is(bundles: dict[str, Bundle], kind: str) -> None:
    again = load_bundle(bundles[kind].folder)
    assert again.spec == bundles[kind].spec
    assert f"| kind | {kind.replace('_', ' ')} |" in again.card
    assert "not a medical device" in again.card
    if kind == "mil":
        assert "not in this bundle" in again.card


def test_numbers_that_were_altered_are_refused(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    for kind in ("measured", "late_fusion"):
        folder = shutil.copytree(bundles[kind].folder, tmp_path / kind)
        spec = json.loads((folder / "bundle.json").read_text())
        if kind == "measured":
            spec["measured"]["regression"]["intercepts"][0] += 1
        else:
            spec["late_fusion"]["weights"] = [0.5, 0.5]
        (folder / "bundle.json").write_text(json.dumps(spec))
        with pytest.raises(BundleError, match="altered"):
            load_bundle(folder)


def test_an_encoder_that_is_not_here_or_another_is_told_with_its_place(
    bundles: dict[str, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = shutil.copytree(bundles["mil"].folder, tmp_path / "mil")
    spec = json.loads((folder / "bundle.json").read_text())
    spec["mil"]["encoder"]["sha256"] = "0" * 64
    (folder / "bundle.json").write_text(json.dumps(spec))
    with pytest.raises(WeightsError, match="the weights here are others"):
        load_bundle(folder)
    spec["mil"]["encoder"] |= {"name": "uni2-h", "file": "pytorch_model.bin", "hub": "MahmoodLab/UNI2-h"}
    (folder / "bundle.json").write_text(json.dumps(spec))
    with pytest.raises(WeightsError, match=r"put it at .*mil/encoder/pytorch_model\.bin"):
        load_bundle(folder)


def test_a_bundle_says_one_kind(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    folder = shutil.copytree(bundles["mil"].folder, tmp_path / "mil")
    spec = json.loads((folder / "bundle.json").read_text()) | {"kind": "patch_fusion"}
    (folder / "bundle.json").write_text(json.dumps(spec))
    with pytest.raises(BundleError, match="a model of kind patch_fusion holds architecture, patch_fusion"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="kind mil"):
        _ = bundles["mil"].recipe
