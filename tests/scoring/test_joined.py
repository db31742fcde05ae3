"""The network's answer beside the measured stain: when they agree, what is shown, what refers."""

from __future__ import annotations

import copy
import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch

import lowpower as lp
from lowpower.cohort import SCHEMES
from lowpower.scoring import Measured, Result, score, score_files
from lowpower.scoring.records._agreement_record import agreement_of
from lowpower.stain import RUIFROK_DAB, RUIFROK_H, to_rgb


def measured(score_, marker="HER2", notes=()):
    kinds = {"tumour": 99}
    return Measured(
        marker=marker, score=score_, sentence="as measured.", tumour_cells=99, cells=kinds, notes=notes
    )


@pytest.fixture(scope="module")
def cells_png(tmp_path_factory):
    """A field of 400 x 400 um: a sheet of cells with intense, complete membranes on tinted glass."""
    side = 800
    blue, brown = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    blue[196:604, 196:604] = 0.06
    for number in range(196):
        place = (214 + number % 14 * 28, 214 + number // 14 * 28)
        cv2.circle(blue, place, 9, 0.4, -1, cv2.LINE_AA)
        cv2.circle(brown, place, 12, 1.0, 2, cv2.LINE_AA)
    od = cv2.GaussianBlur(blue, (0, 0), 0.8)[..., None] * RUIFROK_H
    od = od + cv2.GaussianBlur(brown, (0, 0), 0.7)[..., None] * RUIFROK_DAB
    image = to_rgb(od, np.array([236.0, 235.0, 244.0])) + np.random.default_rng(0).normal(
        0, 1, (side, side, 3)
    )
    path = tmp_path_factory.mktemp("cells") / "cells.png"
    cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
    return path


@pytest.fixture(scope="module")
def joined(bundle, cells_png):
    return score(cells_png, bundle, mpp=0.5)


class TestAgreement:
    @pytest.mark.parametrize(
        ("scheme", "network", "score_", "level"),
        [
            ("her2_four", "2+", "2+", "agree"),
            ("her2_four", "2+", "3+", "adjacent"),
            ("her2_four", "0", "2+", "disagree"),
            ("her2_three", "Low", "1+", "agree"),
            ("her2_three", "High", "2+", "agree"),
            ("her2_three", "Low", "2+", "agree"),
            ("her2_three", "0", "2+", "adjacent"),
            ("her2_three", "0", "3+", "disagree"),
            ("her2_status", "negative", "3+", "disagree"),
            ("her2_status", "positive", "2+", "agree"),
            ("her2_five", "ultralow", "1+", "adjacent"),
            ("her2_five", "ultralow", "3+", "disagree"),
        ],
    )
    def test_her2(self, scheme, network, score_, level):
        told = agreement_of(SCHEMES[scheme], network, (network,), measured(score_))
        assert told.level == level
        assert told.refers == (level == "disagree")
        assert network in told.sentence
        assert score_ in told.sentence

    @pytest.mark.parametrize("group", ["null", "ultralow"])
    def test_a_measured_0_says_which_of_the_two_it_is(self, group):
        told = measured("0").model_copy(update={"group": group})
        for network in ("null", "ultralow"):
            level = "agree" if network == group else "adjacent"
            assert agreement_of(SCHEMES["her2_five"], network, (network,), told).level == level

    @pytest.mark.parametrize(
        ("scheme", "network", "score_", "level"),
        [
            ("er_status", "positive", "positive", "agree"),
            ("er_status", "low positive", "positive", "adjacent"),
            ("er_status", "negative", "positive", "disagree"),
            ("pr_status", "negative", "positive", "disagree"),
        ],
    )
    def test_receptors(self, scheme, network, score_, level):
        marker = SCHEMES[scheme].marker
        assert agreement_of(SCHEMES[scheme], network, None, measured(score_, marker)).level == level

    @pytest.mark.parametrize(
        ("scheme", "network", "percent", "level", "said"),
        [
            ("ki67_status", "low", 19.98, "agree", "measured 20.0 % (low)"),
            ("ki67_status", "low", 35.0, "disagree", "measured 35.0 % (high): opposite"),
            ("ki67_three", "low", 12.0, "adjacent", "measured 12.0 % (intermediate): one class apart"),
        ],
    )
    def test_ki67_is_held_against_its_percentage(self, scheme, network, percent, level, said):
        index = measured(None, "Ki-67").model_copy(update={"percent": percent})
        told = agreement_of(SCHEMES[scheme], network, None, index)
        assert told.level == level
        assert said in told.sentence

    def test_a_disagreement_inside_the_conformal_set_does_not_refer_again(self):
        told = agreement_of(SCHEMES["her2_four"], "0", ("0", "1+", "2+"), measured("2+"))
        assert (told.level, told.refers) == ("disagree", False)

    def test_without_a_rule_a_disagreement_refers(self):
        assert agreement_of(SCHEMES["her2_four"], "0", None, measured("3+")).refers

    def test_what_could_not_be_measured_is_said(self):
        told = agreement_of(SCHEMES["her2_four"], "0", ("0",), measured(None, notes=("too coarse.",)))
        assert (told.level, told.refers) == ("not measured", False)
        assert told.sentence == "No score was measured beside the network's."  # why is among the reasons


def test_every_result_carries_the_measurement(joined):
    assert joined.measured.score == "3+"
    assert joined.measured.deciding.share > 0.5
    assert joined.agreement.level in ("agree", "adjacent", "disagree")
    assert "easured 3+" in str(joined)
    assert joined.timings["measurement"] > 0
    assert Result.model_validate_json(joined.model_dump_json()).model_dump() == joined.model_dump()
    row = joined.summary_row()
    assert row["measured_score"] == "3+"
    assert row["agreement"] == joined.agreement.level
    assert len(joined.cells) == sum(joined.measured.cells.values())
    assert joined.cells_overlay().width > 1500


def test_the_same_as_measuring_alone(joined, cells_png):
    with lp.open_slide(cells_png, mpp=0.5) as slide:
        alone = lp.measure(slide, marker="HER2")
    assert alone.h_score == joined.measured.h_score
    assert alone.tumour_cells == joined.measured.tumour_cells


def test_what_the_network_excludes_and_the_stain_shows_refers(bundle, cells_png):
    """Biased towards 0 with a set of 0 alone, the network is contradicted by intense membranes."""
    sure = bundle.spec.abstention.model_copy(update={"min_probability": (0.0, 1.1, 1.1, 1.1)})
    spec = bundle.spec.model_copy(update={"abstention": sure})
    biased = dataclasses.replace(bundle, spec=spec, loaded=_always_zero(bundle.network), graph=None)
    result = score(cells_png, biased, mpp=0.5)
    assert result.prediction_set == ("0",)
    assert result.agreement.level == "disagree"
    assert result.decision == "refer"
    assert result.reason_code == "refer"
    assert any("excludes what the stain shows" in reason for reason in result.reasons)
    alone = score(cells_png, biased, mpp=0.5, measure=False)
    assert alone.decision == "0"


def _always_zero(network):
    biased = copy.deepcopy(network)
    with torch.no_grad():
        for name, parameter in biased.named_parameters():
            if name.startswith("head") and name.endswith("bias"):
                parameter.fill_(-40)
    return biased


def test_switched_off_nothing_is_measured(bundle, cells_png):
    result = score(cells_png, bundle, mpp=0.5, measure=False)
    assert result.measured is None
    assert result.agreement.level == "not measured"
    assert "measurement" not in result.timings
    assert result.cells is None
    with pytest.raises(ValueError, match="measure=True"):
        result.cells_overlay()


def test_a_batch_writes_what_was_measured_and_goes_on(bundle, cells_png, tmp_path):
    (first,) = score_files([cells_png], model=bundle, mpp=0.5, out=tmp_path, measure=False)
    assert first.measured is None
    assert not (tmp_path / "cells" / "cells.png").exists()
    (second,) = score_files([cells_png], model=bundle, mpp=0.5, out=tmp_path)
    made = "overlay.png cells.png cells.parquet cells.geojson tissue.geojson network.geojson"
    for name in made.split():
        assert (tmp_path / "cells" / name).exists(), name
    assert second.cells.table().height == sum(second.measured.cells.values())
    written = (tmp_path / "cells" / "result.json").stat().st_mtime_ns
    (third,) = score_files([cells_png], model=bundle, mpp=0.5, out=tmp_path)
    assert (tmp_path / "cells" / "result.json").stat().st_mtime_ns == written
    assert third.model_dump() == second.model_dump()
    assert third.overlay().size == second.overlay().size
    network = json.loads((tmp_path / "cells" / "network.geojson").read_text())["features"]
    assert network
    assert all(feature["properties"]["classification"]["name"].startswith("Network ") for feature in network)
    page = (tmp_path / "report.html").read_text()
    assert "measured 3+" in page
    assert second.agreement.sentence in page
