from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

Drawn = tuple[NDArray[np.int64], NDArray[np.float64]]


@pytest.fixture
def draw() -> Callable[..., Drawn]:
    """Labels and probabilities of a classifier of middling skill, some probabilities tied."""

    def make(
        n: int = 200, classes: int = 4, seed: int = 0, skill: float = 1.5, sharpen: float = 1.0
    ) -> Drawn:
        rng = np.random.default_rng(seed)
        labels = rng.choice(classes, n, p=np.arange(classes, 0, -1) / (classes * (classes + 1) / 2))
        logits = rng.normal(size=(n, classes)).round(1)
        logits[np.arange(n), labels] += skill
        raised = np.exp(logits * sharpen)
        return labels, raised / raised.sum(1, keepdims=True)

    return make


@pytest.fixture
def predictions(draw: Callable[..., Drawn]) -> Callable[..., pl.DataFrame]:
    """A table of predictions; `per_patient` slides a patient."""

    def make(
        n: int = 200, classes: int = 4, seed: int = 0, per_patient: int = 1, **kind: float
    ) -> pl.DataFrame:
        labels, probabilities = draw(n, classes, seed, **kind)
        return pl.DataFrame(
            {
                "slide": [f"{seed}-{row}" for row in range(n)],
                "patient": [f"{seed}-P{row // per_patient}" for row in range(n)],
                "label": labels,
                **{f"p_{label}": probabilities[:, label] for label in range(classes)},
            }
        )

    return make
