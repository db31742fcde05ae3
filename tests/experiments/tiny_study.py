"""A study of every paradigm that runs in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lowpower.experiments import Experiment, parse_experiment

NETWORK = {"backbone": "test_convnext", "width": 16, "inputs": "od", "dropout": 0.0}
PATCHES = {"size": 48, "max_patches": 6, "min_tissue": 0.3}


def arms() -> list[dict[str, Any]]:
    return [
        {
            "paradigm": "slide",
            "mpp": 8,
            "pretrained": None,
            "model": NETWORK,
            "fitting": {"epochs": 1, "crop": 64, "batch": 4, "learning_rate": 3e-3},
        },
        {"name": "stain", "paradigm": "mil", "encoder": "stain", "mpp": 2, "fitting": {"epochs": 2}},
        {
            "name": "patch",
            "paradigm": "patch",
            "mpp": 2,
            "pretrained": None,
            "fusion": "histogram",
            "model": NETWORK | {"pooling": "mean"},
            "fitting": {"epochs": 1, "per_slide": 2, "batch": 8},
        },
        {"name": "measured", "paradigm": "measured"},
        {"name": "both", "paradigm": "fusion", "of": ["slide@8", "stain"]},
    ]


STAIN = arms()[1]


def config_of(
    manifest: Path, out: Path, *, entries: list[dict[str, Any]] | None = None, **more: Any
) -> Experiment:
    return parse_experiment(
        {
            "cohort": str(manifest),
            "out": str(out),
            "cache": str(manifest.parent / "cache"),
            "accelerator": "cpu",
            "folds": {"outer": 2, "validation_share": 0.4},
            "patches": PATCHES,
            "arms": arms() if entries is None else entries,
        }
        | more
    )
