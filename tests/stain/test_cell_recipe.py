from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors import safe_open

from lowpower.stain.cells._cell_network import trained_network
from lowpower.stain.cells._cell_runtime import drawn_maps

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


def test_slides_are_measured_with_the_weights_that_were_trained() -> None:
    folder = Path(str(resources.files("lowpower.stain")))
    session = onnxruntime.InferenceSession(folder / "cell_network.onnx", providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    weights = hashlib.sha256((folder / "cell_network.safetensors").read_bytes()).hexdigest()
    assert notes["weights_sha256"] == weights
    stains = np.random.default_rng(2).uniform(-1, 4, (3, 96, 160)).astype(np.float32)
    trained = torch.sigmoid(trained_network()(torch.from_numpy(stains)[None]))[0].numpy()
    assert np.abs(drawn_maps(stains) - trained).max() < 1e-5


def test_measuring_imports_nothing_that_trains() -> None:
    code = "import sys, lowpower as lp; lp.measure; print(sorted({'torch', 'timm'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
