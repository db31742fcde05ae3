"""The bundled model on real tissue: seven cores of another organ, which measure nothing about accuracy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

import lowpower as lp
from lowpower.errors import NoTissueError

POSITIVE = ("2_0123a214", "2_da5928b4")
NEGATIVE = ("0_9b0f64d1", "0_ccb66c10", "1_154ae963", "1_fb95908d", "2_726fa489")


def core_file(folder: Path, name: str) -> Path:
    return next(folder.glob(f"{name}*.jpg"))


@pytest.fixture(scope="module")
def scored(real_cores):
    """Every core, scored once for all tests. The stain of all is measured in `tests/stain`, here of one."""
    model = lp.load_model("her2-sim")
    return {
        name: lp.score(core_file(real_cores, name), model, mpp=0.25, measure=name == NEGATIVE[0])
        for name in POSITIVE + NEGATIVE
    }


@pytest.mark.slow
def test_positive_cores_score_higher_than_every_negative(scored):
    expected = {name: result.expected_score for name, result in scored.items()}
    assert scored[NEGATIVE[0]].measured is not None
    assert min(expected[name] for name in POSITIVE) > max(expected[name] for name in NEGATIVE)


@pytest.mark.slow
def test_the_network_map_of_every_core_is_valid_geojson(scored):
    for result in scored.values():
        made = result.attached()
        features = [*made.network, *made.defects]
        shapes = [shapely.from_geojson(json.dumps(feature)) for feature in features]
        assert shapes
        assert shapely.is_valid(np.array(shapes, object)).all()
        assert len({feature["id"] for feature in features}) == len(features)


def test_the_blank_core_is_refused_by_name(real_cores):
    with pytest.raises(NoTissueError, match="blank_99b35026"):
        lp.score(core_file(real_cores, "blank"), "her2-sim", mpp=0.25)
