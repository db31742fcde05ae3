"""A tiny, untrained bundle of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from lowpower.cohort import SCHEMES
from lowpower.models import (
    BagNetwork,
    Bundle,
    BundleSpec,
    EncoderRef,
    LateFusion,
    MeasuredModel,
    MilModel,
    ModelSpec,
    PatchModel,
    SlideNetwork,
    create_aggregator,
    fit_histogram_fusion,
    fit_share_regression,
    load_bundle,
    save_bundle,
)
from lowpower.stain import cell_network_identity
from lowpower.views import LowResRecipe, PatchQC, PatchRecipe

NETWORK = ModelSpec(backbone="test_convnext", strides=(8,), width=16)
PATCHES = PatchRecipe(mpp=1.0, size=64)
KINDS = ("slide_network", "mil", "patch_fusion", "measured", "late_fusion")


def spec_of(name: str, scheme: str = "her2_four", **sections: Any) -> BundleSpec:
    said = SCHEMES[scheme]
    content = {
        "name": name,
        "trained_on": "Nothing: weights are random.",
        "scheme": said.name,
        "marker": said.marker,
        "classes": said.classes,
        "slide_mpp_range": (0.1, 1.1),
        "temperature": 1.5,
        "cohort_fingerprint": "none",
        "weights_dtype": "float32",
    }
    return BundleSpec.model_validate(content | sections)


def made(folder: Path, kind: str) -> Bundle:
    """The bundle of a kind, in its own folder below `folder`."""
    torch.manual_seed(1)
    place = folder / kind
    if kind == "slide_network":
        spec = spec_of(kind, architecture=NETWORK, recipe=LowResRecipe(mpp=4.0))
        return save_bundle(place, SlideNetwork(NETWORK, 4), spec)
    if kind == "mil":
        encoder = EncoderRef.of("stain", None)
        model = MilModel(encoder=encoder, aggregator="abmil", patches=PATCHES, qc=PatchQC())
        aggregator = create_aggregator("abmil", encoder.dim, 4, "corn")
        network = BagNetwork(aggregator, torch.zeros(encoder.dim), torch.ones(encoder.dim), 1.0)
        return save_bundle(place, network, spec_of(kind, kind=kind, mil=model))
    rng = np.random.default_rng(0)
    if kind == "patch_fusion":
        seen = [rng.dirichlet(np.ones(4) + 5 * np.eye(4)[label], 20) for label in (0, 1, 2, 3) * 3]
        fusion = fit_histogram_fusion(seen, np.array([0, 1, 2, 3] * 3), 4)
        model = PatchModel(patches=PATCHES, fusion="histogram", histogram=fusion)
        spec = spec_of(kind, kind=kind, architecture=NETWORK, patch_fusion=model)
        return save_bundle(place, SlideNetwork(NETWORK, 4), spec)
    if kind == "measured":
        labels = np.arange(40) % 4
        inputs = [rng.dirichlet(1 + 12 * np.eye(4)[label]) for label in labels]
        values = [(*shares, shares @ np.arange(4) / 3, 0.1, 0.1, 0.1) for shares in inputs]
        fitted = fit_share_regression(values, labels, 4)
        model = MeasuredModel(regression=fitted, cell_network=cell_network_identity().sha256)
        return save_bundle(place, None, spec_of(kind, kind=kind, measured=model))
    members = [made(place / "members", name) for name in ("slide_network", "mil")]
    fusion = LateFusion(
        members=tuple(member.name for member in members),
        weights=(0.25, 0.75),
        sha256=tuple(member.spec.weights_sha256 for member in members),
    )
    save_bundle(place, None, spec_of(kind, kind=kind, late_fusion=fusion, temperature=1.0))
    return load_bundle(place)
