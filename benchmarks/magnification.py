"""The magnification rule, in simulated slides: which HER2 contrast survives which um/px.

    python benchmarks/magnification.py [--simulated FOLDER] [--out FOLDER] [--picture FILE]

Pathologists see 3+ with a low-power objective and need high power to tell 1+ from 0. Nothing here is told
so: a logistic regression on explicit stain and texture numbers of the whole slide, tested on laboratories
it was not fitted on, sees the same slides averaged to 0.5 ... 16 um/px.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common.patches import BASE_MPP, REPOSITORY, simulated_windows
from common.slide_features import NAMES, slide_features
from lowpower.files import atomic_path, make_folder, write_json
from lowpower.simulate import CohortSpec, simulate_cohort

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = NDArray[np.float64]
RUNS = REPOSITORY / "runs" / "magnification"
FACTORS = (1, 2, 4, 8, 16, 32)
CONTRASTS = {
    "3+ against the rest": (("3+",), ("0", "1+", "2+")),
    "2+ against 1+": (("2+",), ("1+",)),
    "1+ against 0": (("1+",), ("0",)),
}
COLOURS = ("#7a2e0e", "#d9822b", "#1f5f8b")
COHORT = CohortSpec(
    name="simulated-magnification",
    seed=30,
    site_seed=30,
    scanner_seed=30,
    patients=200,
    second_slide=0.0,
    sites=10,
    scanners=4,
    mpp=(0.5, 0.5),
    controls=0.0,
    artefacts=0.0,
)
"""50 discs a score, 10 laboratories, 4 scanners, nothing gone wrong: what is left is resolution."""


def out_of_fold(
    features: Array, positive: NDArray[np.bool_], site: NDArray[np.str_], folds: int = 5
) -> Array:
    """Decision values, each from a model fitted on other laboratories."""
    values = np.zeros(len(features))
    for train, test in GroupKFold(n_splits=min(folds, len(np.unique(site)))).split(features, positive, site):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
        )
        values[test] = model.fit(features[train], positive[train]).decision_function(features[test])
    return values


def interval(positive: NDArray[np.bool_], values: Array, rounds: int = 1000) -> tuple[float, float, float]:
    """AUC with its 95 % bootstrap interval over slides (one slide a patient), classes drawn apart."""
    rng = np.random.default_rng(0)
    ones, zeros = values[positive], values[~positive]
    draws = []
    for _ in range(rounds):
        a, b = rng.choice(ones, len(ones)), rng.choice(zeros, len(zeros))
        labels = np.r_[np.ones(len(a)), np.zeros(len(b))]
        draws.append(roc_auc_score(labels, np.r_[a, b]))
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(roc_auc_score(positive, values)), float(low), float(high)


def read(cohort: Path) -> tuple[Array, NDArray[np.str_], NDArray[np.str_]]:
    """Features (slides, um/px, numbers), scores and laboratories."""
    table = pl.read_csv(cohort, infer_schema=False)
    sites = {Path(slide).stem: site for slide, site in zip(table["slide"], table["site"], strict=True)}
    features, scores, site = [], [], []
    for window in simulated_windows(cohort):
        features.append([slide_features(window, factor) for factor in FACTORS])
        scores.append(window.score)
        site.append(sites[window.name])
    return np.asarray(features), np.asarray(scores), np.asarray(site)


def measure(features: Array, scores: NDArray[np.str_], site: NDArray[np.str_]) -> dict[str, dict[str, Any]]:
    """AUC of every contrast at every um/px."""
    results: dict[str, dict[str, Any]] = {}
    for name, (ones, zeros) in CONTRASTS.items():
        chosen = np.isin(scores, ones + zeros)
        positive = np.isin(scores[chosen], ones)
        results[name] = {}
        for index, factor in enumerate(FACTORS):
            values = out_of_fold(features[chosen, index], positive, site[chosen])
            auc, low, high = interval(positive, values)
            results[name][f"{factor * BASE_MPP:g}"] = {
                "auc": auc,
                "low": low,
                "high": high,
                "slides": len(positive),
            }
    return results


def draw(path: Path, results: dict[str, dict[str, Any]], slides: int, sites: int) -> None:
    """AUC over um/px, one line a contrast."""
    figure, axis = plt.subplots(figsize=(8, 5), layout="constrained")
    for (name, row), colour in zip(results.items(), COLOURS, strict=True):
        mpp = [float(key) for key in row]
        auc, low, high = ([entry[key] for entry in row.values()] for key in ("auc", "low", "high"))
        axis.fill_between(mpp, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(mpp, auc, marker="o", color=colour, label=name)
    axis.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    axis.set_xscale("log", base=2)
    axis.set_xticks(mpp, [f"{value:g}" for value in mpp])
    axis.set_xlabel("um/px (0.5 is about 20x, 8 about 1.25x)")
    axis.set_ylabel("AUC, laboratories not fitted on (95 % interval)")
    axis.set_ylim(0.45, 1.02)
    axis.legend(loc="lower left")
    axis.set_title(f"{slides} simulated slides, {sites} simulated laboratories, logistic regression")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulated", type=Path, help="folder with cohort.csv; by default a set is made")
    parser.add_argument("--out", type=Path, default=RUNS, help="folder for JSON and pictures")
    parser.add_argument("--picture", type=Path, help="where the plot goes; by default into --out")
    parser.add_argument("--patients", type=int, default=COHORT.patients, help="size of the set that is made")
    parser.add_argument("--workers", type=int, default=2, help="processes and threads")
    options = parser.parse_args()
    console, start = Console(width=110), time.perf_counter()
    cv2.setNumThreads(options.workers)
    out = make_folder(options.out)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.simulated or Path(scratch) / "cohort"
        if options.simulated is None:
            spec = COHORT.model_copy(update={"patients": options.patients})
            simulate_cohort(spec, folder, workers=options.workers)
        made = time.perf_counter() - start
        features, scores, site = read(folder / "cohort.csv")
    results = measure(features, scores, site)
    table = Table(title="AUC (95 % interval), laboratories not fitted on")
    for name in ("um/px", *results):
        table.add_column(name, justify="right")
    for key in next(iter(results.values())):
        cells = [row[key] for row in results.values()]
        table.add_row(key, *(f"{c['auc']:.3f} ({c['low']:.3f} to {c['high']:.3f})" for c in cells))
    console.print(table)
    picture = options.picture or out / "magnification_rule.png"
    draw(picture, results, len(scores), len(np.unique(site)))
    seconds = time.perf_counter() - start
    record = {
        "slides": {str(name): int((scores == name).sum()) for name in np.unique(scores)},
        "laboratories": len(np.unique(site)),
        "features": list(NAMES),
        "seconds": round(seconds, 1),
        "seconds_simulating": round(made, 1),
        "auc": results,
    }
    write_json(out / "magnification.json", record)
    console.print(
        f"{picture}\n{out / 'magnification.json'}\n{seconds:.0f} s, {made:.0f} s of them simulating"
    )


if __name__ == "__main__":
    main()
