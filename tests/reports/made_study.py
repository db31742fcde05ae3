"""A made-up study, clearly made up: predictions of invented skill, no slide behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from lowpower.cohort import scheme_of
from lowpower.experiments import ArmRecord, Experiment, StudyResults

ARMS = (
    ("slide@16", "slide", 16.0, 0.9, 0.1),
    ("slide@8", "slide", 8.0, 1.5, 0.3),
    ("slide@4", "slide", 4.0, 1.6, 0.9),
    ("abmil@2", "mil", 2.0, 1.2, 1.5),
    ("abmil@1", "mil", 1.0, 1.6, 4.0),
    ("abmil@0.5", "mil", 0.5, 2.6, 14.0),
    ("patch@1", "patch", 1.0, 1.1, 5.0),
    ("patch@0.5", "patch", 0.5, 1.2, 16.0),
    ("slide@8+abmil@0.5", "fusion", 0.5, 2.8, 14.5),
    ("measured", "measured", 0.5, 1.0, 8.0),
)


def made(
    folder: Path,
    scheme: str = "her2_four",
    *,
    slides: int = 120,
    folds: int = 5,
    arms: Sequence[tuple[str, str, float, float, float]] = ARMS,
    failed: str | None = "patch@0.5",
    partial: str | None = None,
    validation: bool = True,
    cohort: Path | None = None,
) -> StudyResults:
    """Results of invented arms (name, paradigm, um/px, skill, seconds a slide), two slides a patient."""
    classes = scheme_of(scheme).classes
    size = len(classes)
    rng = np.random.default_rng(5)
    labels = rng.permutation(np.arange(slides) % size)
    hard = rng.normal(0, 0.8, (slides, size))
    fold_of = (np.arange(slides) // 2) % folds
    tables, units, costs, seen = [], [], [], []
    for number, (name, _, _, skill, seconds) in enumerate(arms):
        logits = np.random.default_rng(number).normal(0, 0.6, (slides, size)) + hard
        logits -= skill * np.abs(np.arange(size)[None] - labels[:, None])
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        for fold in range(folds):
            broken = name == failed or (name == partial and fold == 0)
            reason = "pretrained weights are not here; put them where it says." if broken else None
            units.append((name, fold, "failed" if broken else "ok", reason))
            if broken:
                continue
            inside = fold_of == fold
            tables.append(_table(name, fold, inside, labels, shares))
            seen.append(_table(name, fold, fold_of == (fold + 1) % max(2, folds), labels, shares))
            count = int(inside.sum())
            costs += [
                (
                    name,
                    fold,
                    "read",
                    count,
                    0.3 * seconds * count,
                    0.4 * seconds * count,
                    120.0,
                    300.0,
                    10**7,
                    10**5,
                ),
                (
                    name,
                    fold,
                    "predict",
                    count,
                    0.7 * seconds * count,
                    1.2 * seconds * count,
                    260.0,
                    700.0,
                    10**6,
                    0,
                ),
                (name, fold, "train", slides - count, 60.0 * seconds, 90.0, 400.0, 900.0, 0, 0),
            ]
    config = Experiment.model_validate(
        {
            "name": "made-up",
            "cohort": cohort or folder / "cohort.csv",
            "scheme": scheme,
            "out": folder,
            "folds": {"outer": max(2, folds)},
            "arms": [{"paradigm": "slide", "mpp": 8.0, "name": name} for name, *_ in arms],
        }
    )
    records = tuple(
        ArmRecord(
            name=name,
            paradigm=paradigm,
            mpp=mpp,
            label=f"{paradigm} at {mpp:g} um/px",
            settings={"paradigm": paradigm, "mpp": mpp, "name": name},
            state="failed" if name == failed else "partial" if name == partial else "ok",
        )
        for name, paradigm, mpp, _, _ in arms
    )
    unit_types = {"arm": pl.String, "fold": pl.Int64, "state": pl.String, "reason": pl.String}
    cost_names = [
        "arm",
        "fold",
        "stage",
        "slides",
        "wall_s",
        "cpu_s",
        "added_mb",
        "peak_mb",
        "bytes_read",
        "bytes_stored",
    ]
    return StudyResults(
        folder=folder,
        config=config,
        arms=records,
        predictions=pl.concat(tables) if tables else _empty(size),
        units=pl.DataFrame(units, schema=unit_types, orient="row"),
        costs=pl.DataFrame(costs, schema=cost_names, orient="row", infer_schema_length=None),
        left_out=pl.DataFrame(
            schema={
                "arm": pl.String,
                "fold": pl.Int64,
                "row": pl.Int64,
                "slide": pl.String,
                "reason": pl.String,
            }
        ),
        notes=("Made-up numbers: simulated, no slide stands behind them.",),
        validation=pl.concat(seen) if validation and seen else pl.DataFrame(),
    )


def _table(name: str, fold: int, inside: np.ndarray, labels: np.ndarray, shares: np.ndarray) -> pl.DataFrame:
    rows = np.flatnonzero(inside)
    sure = shares[rows].max(1) > 0.55
    return pl.DataFrame(
        {
            "arm": name,
            "fold": pl.Series([fold] * rows.size, dtype=pl.Int64),
            "row": rows,
            "slide": [f"made-{row:03}.tif" for row in rows],
            "patient": [f"P{row // 2:03}" for row in rows],
            "site": [f"site-{row // 2 % 3}" for row in rows],
            "scanner": ["A" if row // 2 % 8 else "B" for row in rows],
            "label": labels[rows],
            **{f"p_{index}": shares[rows, index] for index in range(shares.shape[1])},
            "set_size": np.where(sure, 1, 2),
            "referred": ~sure,
        }
    )


def _empty(size: int) -> pl.DataFrame:
    text = dict.fromkeys(("arm", "slide", "patient", "site", "scanner"), pl.String)
    whole = dict.fromkeys(("fold", "row", "label", "set_size"), pl.Int64)
    shares = {f"p_{index}": pl.Float64 for index in range(size)}
    return pl.DataFrame(schema=text | whole | shares | {"referred": pl.Boolean})
