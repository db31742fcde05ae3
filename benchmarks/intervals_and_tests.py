"""Do tests reject at their level, and do intervals hold the truth as often as they say?

    python benchmarks/intervals_and_tests.py [--datasets 1000] [--seed 7] [--only tests|intervals]

Simulated readers, so that the truth is known. Tests: two models that are equally good, in three ways;
printed is the share of data sets in which each test says that they differ at 5 %. Intervals: a proportion
over patients with one to three slides that go wrong together; printed is the share of 95 % intervals that
hold the true value. With 1000 data sets a share of 0.05 or 0.95 has a standard error of 0.007.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import polars as pl

from lowpower.cohort import scheme_of
from lowpower.evaluation import compare_predictions, interval_of, patient_wilson, resampled

CLASSES = np.arange(4)
PATIENTS = (40, 80, 200)
WAYS = ("alike", "two slides a patient", "wrong elsewhere")
"""How two models are equally good: exchangeable; the same with slides of one patient wrong together; the one
unsure of low scores where the other is unsure of high ones."""


def reader(
    labels: np.ndarray, whose: np.ndarray, noise: np.ndarray, shared: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Probabilities (N, 4) of a model that sees the score with noise, part of it the patient's."""
    habit = rng.normal(0, 0.5, whose.max() + 1)[whose]
    seen = labels + shared + noise * (habit + rng.normal(0, 0.7, labels.size))
    odds = np.exp(-((seen[:, None] - CLASSES) ** 2) / 2)
    return odds / odds.sum(1, keepdims=True)


def pair(way: str, patients: int, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predictions of two equally good models on the same slides."""
    slides = 2 if way == "two slides a patient" else 1
    whose = np.repeat(np.arange(patients), slides)
    weights = (0.25, 0.25, 0.25, 0.25) if way == "wrong elsewhere" else (0.3, 0.3, 0.2, 0.2)
    labels = np.repeat(rng.choice(4, patients, p=weights), slides)
    shared = rng.normal(0, 0.5, patients)[whose]
    noise = [np.ones(labels.size), np.ones(labels.size)]
    if way == "wrong elsewhere":
        noise = [np.where(labels < 2, 1.3, 0.7), np.where(labels < 2, 0.7, 1.3)]
    tables = []
    for one in noise:
        found = reader(labels, whose, one, shared, rng)
        tables.append(
            pl.DataFrame(
                {"slide": [f"s{row}" for row in range(labels.size)], "patient": [f"p{p}" for p in whose]}
                | {"label": labels}
                | {f"p_{k}": found[:, k] for k in CLASSES}
            )
        )
    return tables[0], tables[1]


def rejections(way: str, patients: int, datasets: int, seed: int) -> dict[str, float]:
    """Share of data sets in which each test finds a difference at 5 %, by test."""
    rng = np.random.default_rng(seed)
    counts: dict[str, list[bool]] = {}
    scheme = scheme_of("her2_four")
    for _ in range(datasets):
        found = compare_predictions(*pair(way, patients, rng), scheme, resamples=399)
        named: dict[str, float | None] = {}
        for name in ("auc_macro", "kappa_quadratic", "f1_weighted", "accuracy"):
            named[f"permutation, {name}"] = found.metrics[name].p
            named[f"bootstrap, {name}"] = found.metrics[name].p_bootstrap
        if way != "wrong elsewhere":  # there 0 against the rest is harder for one of the two
            named["permutation, AUC 0 from the rest"] = found.metrics["auc_at/1"].p
            named["DeLong, AUC 0 from the rest"] = found.delong["0"].p
        named["McNemar, accuracy"] = found.mcnemar.p
        for name, p in named.items():
            counts.setdefault(name, []).append(p is not None and p <= 0.05)
    return {name: float(np.mean(rejected)) for name, rejected in counts.items()}


def show(title: str, columns: list[str], rows: dict[str, list[float]]) -> None:
    print(f"\n| {title} | {' | '.join(columns)} |")
    print(f"|{'---|' * (len(columns) + 1)}")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |", flush=True)


def tests(datasets: int, seed: int) -> None:
    for way in WAYS:
        by_size = [rejections(way, patients, datasets, seed) for patients in PATIENTS]
        rows = {name: [of[name] for of in by_size] for name in sorted(by_size[0])}
        show(f"equally good, {way}: rejected at 5 %", [f"{size} patients" for size in PATIENTS], rows)


def coverages(truth: float, together: float, patients: int, datasets: int, seed: int) -> dict[str, float]:
    """Share of 95 % intervals that hold `truth`, by kind of interval.

    `together` is the correlation of two slides of one patient; patients have one to three.
    """
    rng = np.random.default_rng(seed)
    held: dict[str, list[bool]] = {"Wilson, patients' design effect": [], "percentile bootstrap": []}
    for number in range(datasets):
        whose = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
        scale = (1 - together) / together
        share = rng.beta(truth * scale, (1 - truth) * scale, patients)
        hits = rng.random(whose.size) < share[whose]
        low, high = patient_wilson(hits, whose)
        held["Wilson, patients' design effect"].append(low <= truth <= high)
        if number < datasets // 4:  # the slow one
            draws = resampled(lambda w, hits=hits: {"": w @ hits / w.sum(1)}, whose, 500, number)[""]
            drawn = interval_of(float(hits.mean()), draws, patients=patients)
            held["percentile bootstrap"].append(
                drawn.low is not None and drawn.high is not None and drawn.low <= truth <= drawn.high
            )
    return {name: float(np.mean(values)) for name, values in held.items()}


def intervals(datasets: int, seed: int) -> None:
    """Coverage of PPA, NPA, sensitivity and the like, by the patients who are behind the share."""
    for together in (0.05, 0.5):
        rows: dict[str, list[float]] = {}
        for truth in (0.8, 0.9, 0.95, 0.98):
            for patients in PATIENTS:
                for name, value in coverages(truth, together, patients, datasets, seed).items():
                    rows.setdefault(f"{name}, true share {truth:.2f}", []).append(value)
        title = f"slides of a patient correlate by {together:g}: 95 % intervals that hold the truth"
        show(title, [f"{size} patients" for size in PATIENTS], dict(sorted(rows.items())))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", choices=("tests", "intervals"))
    options = parser.parse_args()
    parts: dict[str, Callable[[int, int], None]] = {"intervals": intervals, "tests": tests}
    for name, run in parts.items():
        if options.only in (None, name):
            run(options.datasets, options.seed)


if __name__ == "__main__":
    main()
