"""A bundle with untrained weights, and a field of view with a stained disc on tinted glass."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lowpower.cohort import SCHEMES
from lowpower.models import Bundle, BundleSpec, ConformalLimits, ModelSpec, build_network, save_bundle
from lowpower.views import LowResRecipe

GLASS = (236, 235, 243)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Bundle:
    torch.manual_seed(0)
    scheme = SCHEMES["her2_four"]
    network = build_network(ModelSpec(backbone="test_convnext", strides=(16,)), len(scheme.classes))
    spec = BundleSpec(
        name="untrained",
        trained_on="Nothing: weights are random.",
        architecture=network.spec,
        scheme=scheme.name,
        marker=scheme.marker,
        classes=scheme.classes,
        recipe=LowResRecipe(mpp=4.0),
        slide_mpp_range=(0.1, 1.1),
        abstention=ConformalLimits(
            coverage=0.9, class_conditional=False, min_probability=(0.01, 0.01, 0.01, 0.01), n=(5, 5, 5, 5)
        ),
        cohort_fingerprint="none",
    )
    return save_bundle(tmp_path_factory.mktemp("bundle"), network, spec)


@pytest.fixture(scope="session")
def disc(tmp_path_factory) -> Path:
    """A PNG of 1,200 x 900 px: a brown, textured disc of radius 300 px, centred at (500, 450)."""
    rng = np.random.default_rng(1)
    image = np.empty((900, 1200, 3), np.float32)
    image[:] = GLASS
    texture = cv2.GaussianBlur(rng.random((900, 1200), np.float32), (0, 0), 2.0)
    texture = (texture - texture.min()) / np.ptp(texture)
    rows, columns = np.mgrid[:900, :1200]
    inside = (columns - 500) ** 2 + (rows - 450) ** 2 < 300**2
    brown = np.array((150, 105, 80), np.float32) + 60 * texture[..., None]
    image[inside] = brown[inside]
    image += rng.normal(0, 0.7, image.shape)
    path = tmp_path_factory.mktemp("slides") / "disc.png"
    cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
    return path
