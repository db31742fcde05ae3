"""One request for every way to ask: options are its attributes; a folder gives each slide its file."""

from __future__ import annotations

import dataclasses
import json
from typing import get_type_hints

import pytest

from lowpower.scoring import ScoreRequest, score
from lowpower.scoring.requests._request import ScoreOptions, asked


def test_keyword_options_are_the_attributes_of_the_request():
    attributes = get_type_hints(ScoreRequest)
    del attributes["model"]  # has a place of its own in every call
    assert get_type_hints(ScoreOptions) == attributes


def test_what_is_said_beside_a_request_goes_before_it():
    request = asked(ScoreRequest("a", mpp=0.5, force=True), None, mpp=0.25)
    assert request == ScoreRequest("a", mpp=0.25, force=True)
    assert asked(request, "b").model == "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.mpp = 1.0


def test_a_folder_gives_each_slide_the_file_of_its_name(tmp_path):
    (tmp_path / "case.png").touch()
    request = ScoreRequest(control=tmp_path, mask=tmp_path, regions=tmp_path / "one.geojson")
    this = request.for_slide("slides/case.svs")
    assert (this.control, this.mask) == (tmp_path / "case.png",) * 2
    assert this.regions == tmp_path / "one.geojson"
    assert ScoreRequest(control="left").for_slide("case.svs").control == "left"


def test_a_mask_says_where_the_tissue_is(bundle, disc, tmp_path):
    ring = [[0, 0], [500, 0], [500, 900], [0, 900], [0, 0]]
    mask = tmp_path / "mask.geojson"
    mask.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    request = ScoreRequest(bundle, mpp=0.5, measure=False, pictures=False)
    assert score(disc, request=request, mask=mask).qc.area_mm2 == pytest.approx(500 * 900 * 0.25e-6)
