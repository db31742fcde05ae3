from __future__ import annotations

import importlib.util
import json
import sys
from importlib import resources
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from safetensors import safe_open

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    sys.path.insert(0, str(RECIPES))
    spec = importlib.util.spec_from_file_location("cell_fields", RECIPES / "cell_fields.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(RECIPES))
    return module


def test_the_weights_name_the_recipe_that_made_them(recipe: ModuleType) -> None:
    path = Path(str(resources.files("lowpower.stain"))) / "cell_network.safetensors"
    with safe_open(path, "np") as weights:
        notes = weights.metadata()
    assert notes["made_by"] == "recipes/build_cell_network.py"
    assert notes["data"] == "simulated"
    assert json.loads(notes["cohorts"]) == json.loads(json.dumps(recipe.COHORTS))


@pytest.mark.parametrize("cohort", [0, 3])
def test_what_training_sees(recipe: ModuleType, cohort: int) -> None:
    fields = recipe.fields_of_slide(recipe.COHORTS[cohort], 0)
    assert 1 <= len(fields) <= recipe.FIELDS_PER_SLIDE
    one, again = (recipe.draw_example(fields[0], np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.stains, again.stains)
    half = recipe.SIDE // 2
    assert one.stains.shape == (3, recipe.SIDE, recipe.SIDE)
    assert one.maps.shape == (4, half, half)
    assert one.known.shape == (half, half)
    assert one.maps.min() >= 0
    assert one.maps.max() <= 1
    # A nuclear marker stains no membrane.
    assert cohort == 0 or one.maps[3].max() == 0
    # Centres lie on nuclei.
    centres = one.maps[:2].max(axis=0) > 0.9
    assert centres.any()
    assert one.maps[2][centres].mean() > 0.6
