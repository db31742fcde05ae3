from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from tests.training.toys import toy_view

from lowpower.bundles import _bundle_find as finding
from lowpower.bundles import bundled_models
from lowpower.cohort import SCHEMES
from lowpower.errors import BundleError
from lowpower.models import (
    Bundle,
    BundleMetric,
    BundleSpec,
    ConformalLimits,
    ModelSpec,
    SlideNetwork,
    load_bundle,
    predict,
    save_bundle,
    software_versions,
)
from lowpower.views import LowResRecipe

TINY = ModelSpec(backbone="test_convnext", strides=(8,), width=16)


def spec_of(**changes: object) -> BundleSpec:
    scheme = SCHEMES["her2_four"]
    content: dict[str, object] = {
        "name": "toy",
        "trained_on": "nothing at all",
        "architecture": TINY,
        "scheme": scheme.name,
        "marker": scheme.marker,
        "classes": scheme.classes,
        "recipe": LowResRecipe(),
        "slide_mpp_range": (0.2, 0.6),
        "temperature": 1.7,
        "abstention": ConformalLimits(
            coverage=0.9, class_conditional=False, min_probability=(0.2,) * 4, n=(5, 5, 5, 5), note=""
        ),
        "cohort_fingerprint": "0" * 64,
        "metrics": {"macro AUC": BundleMetric(value=0.9, low=0.8, high=0.95, n=40)},
        "software": software_versions(),
    }
    return BundleSpec.model_validate(content | changes)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return save_bundle(tmp_path / "toy", SlideNetwork(TINY, 4), spec_of(), notes="## Notes\n\nA toy.")


def test_round_trip(bundle: Bundle) -> None:
    again = load_bundle(bundle.folder)
    assert again.spec == bundle.spec
    assert again.name == "toy"
    assert again.scheme is SCHEMES["her2_four"]
    assert (again.recipe, again.temperature, again.abstention) == (
        bundle.recipe,
        1.7,
        bundle.spec.abstention,
    )
    view = toy_view(2)
    one, two = predict(bundle, [view])[0], predict(again, [view])[0]
    assert np.array_equal(one.probabilities, two.probabilities)
    assert sorted(path.name for path in bundle.folder.iterdir()) == [
        "README.md",
        "bundle.json",
        "model.safetensors",
    ]


def test_temperature_is_applied(bundle: Bundle) -> None:
    view = toy_view(2)
    calibrated = predict(bundle, [view])[0]
    bare = predict(bundle.network, [view])[0]
    powered = bare.probabilities ** (1 / 1.7)
    assert np.allclose(calibrated.probabilities, powered / powered.sum())
    assert np.array_equal(calibrated.logits, bare.logits)


def test_float32_storage_is_exact_and_float16_is_close(tmp_path: Path) -> None:
    network = SlideNetwork(TINY, 4).eval()
    view = toy_view(1)
    (wanted,) = predict(network, [view])
    exact = save_bundle(tmp_path / "a", network, spec_of(weights_dtype="float32", temperature=1.0))
    half = save_bundle(tmp_path / "b", network, spec_of(weights_dtype="float16", temperature=1.0))
    assert np.array_equal(predict(exact, [view])[0].probabilities, wanted.probabilities)
    assert np.abs(predict(half, [view])[0].probabilities - wanted.probabilities).max() < 2e-3
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (exact.folder, half.folder)]
    assert sizes[1] < 0.6 * sizes[0]


def test_the_card_says_what_matters(bundle: Bundle) -> None:
    for words in (
        "Research use only",
        "nothing at all",
        "0.2 to 0.6 um/px",
        "0.900 (0.800 to 0.950)",
        "A toy.",
    ):
        assert words in bundle.card
    (bundle.folder / "README.md").unlink()
    assert "Research use only" in load_bundle(bundle.folder).card


def altered_weights(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["head.linear.bias"] += 1
    save_file(state, folder / "model.safetensors")


def other_architecture(folder: Path) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    content["architecture"]["width"] = 24
    (folder / "bundle.json").write_text(json.dumps(content))


def unknown_key(folder: Path) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(content | {"colour": "blue"}))


def other_classes(folder: Path) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    content["classes"] = ["a", "b", "c", "d"]
    (folder / "bundle.json").write_text(json.dumps(content))


CORRUPTIONS = {
    "weights missing": (lambda folder: (folder / "model.safetensors").unlink(), "weight file is missing"),
    "weights truncated": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"12345678"),
        "weights were altered",
    ),
    "weights altered": (altered_weights, "weights were altered"),
    "json missing": (lambda folder: (folder / "bundle.json").unlink(), "is missing"),
    "json truncated": (lambda folder: (folder / "bundle.json").write_text('{"name": "x'), "cannot be used"),
    "json empty": (lambda folder: (folder / "bundle.json").write_text(""), "cannot be used"),
    "unknown key": (unknown_key, "colour"),
    "other classes": (other_classes, "classes"),
    "other architecture": (other_architecture, "do not fit the architecture"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupted_bundles_are_refused_in_one_sentence(bundle: Bundle, name: str) -> None:
    damage, words = CORRUPTIONS[name]
    damage(bundle.folder)
    with pytest.raises(BundleError, match=words) as caught:
        load_bundle(bundle.folder)
    assert str(bundle.folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_get_the_nearest(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "bundled_models", lambda: {"her2-sim": bundle.folder})
    assert load_bundle("her2-sim").spec == bundle.spec
    with pytest.raises(BundleError, match=r"did you mean her2-sim\?.*bundled models: her2-sim"):
        load_bundle("her2-simm")
    with pytest.raises(BundleError, match="no model 'xyz'"):
        load_bundle("xyz")


def test_a_runs_folder_leads_to_its_bundle(bundle: Bundle, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(bundle.folder, run / "bundle")
    assert load_bundle(run).folder == run / "bundle"
    assert load_bundle(run / "bundle" / "bundle.json").spec == bundle.spec
    shutil.copytree(bundle.folder, run / "bundles" / "other")
    with pytest.raises(BundleError, match=r"holds 2 bundles.*other"):
        load_bundle(run)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"no folder in .*empty holds one"):
        load_bundle(tmp_path / "empty")


def test_bundled_models_all_load() -> None:
    for name, folder in bundled_models().items():
        loaded = load_bundle(name)
        assert (loaded.name, loaded.folder) == (name, folder)


def test_a_network_must_fit_its_classes(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="3 classes"):
        save_bundle(tmp_path, SlideNetwork(TINY, 3), spec_of())


def test_inconsistent_specs_are_refused() -> None:
    for changes in (
        {"slide_mpp_range": (0.6, 0.2)},
        {"scheme": "her2_five"},
        {"marker": "ER"},
        {"temperature": 0.0},
        {"name": "../elsewhere"},
        {"classes": ("0", "1+")},
    ):
        with pytest.raises(ValidationError):
            spec_of(**changes)


def test_the_fingerprint_follows_what_decides_a_result() -> None:
    assert spec_of().fingerprint() == spec_of(description="other words").fingerprint()
    assert spec_of().fingerprint() != spec_of(temperature=1.0).fingerprint()
