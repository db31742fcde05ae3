"""Guided measurement: do its intervals hold, is the score the full one's, how much is read?

    python benchmarks/guided.py [--plans 8] [--stainings 8] [--seeds 40] [--cache FOLDER]
    python benchmarks/guided.py --rendered 2 --out FOLDER
    python benchmarks/guided.py --slides core.jpg ... --mpp 0.25 --out FOLDER

The first counts on cell tables. Resections of 10 x 10 mm are planned by the simulator (tissue, growth, the
place of every cell; not rendered), and their tumour cells are stained anew: clones of 0.3 to 2 mm, shares
from score 0 to 3+, near cut-offs too; in one of four slides nine of ten cells of 1 mm2 are made 3+, a hot
corner. What a table says when every field is counted is what `full` would say; fields are drawn, counted
and stopped by the very code that measures. What low power shows of a field is its cells' DAB times a factor
that differs from field to field (standard deviation of its logarithm: a quarter).

The second renders such slides at 0.5 um/px, measures them in full and guided, and keeps pictures of the
fields that were read; the third does so with slides of yours. Seconds are the processor's, of both with their
pictures and files.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lowpower.scoring import ScoreRequest, measure_files
from lowpower.simulate import CohortSpec, cohort_members, plan_slide, simulate_slide
from lowpower.stain import DEFAULT_CUTOFFS
from lowpower.stain._measure_guided import Judge
from lowpower.stain.guided import Design, Estimate, estimate, strata_of

FIELD_UM = 192.0
DAB = np.array([0.02, 0.12, 0.30, 0.70])
"""DAB OD that a cell of each class adds to its field's view."""
SHARES = (
    (0.97, 0.03, 0.0, 0.0), (0.93, 0.05, 0.015, 0.005), (0.85, 0.14, 0.01, 0.0), (0.7, 0.27, 0.03, 0.0),
    (0.5, 0.42, 0.08, 0.0), (0.4, 0.38, 0.2, 0.02), (0.3, 0.3, 0.36, 0.04), (0.15, 0.2, 0.4, 0.25),
    (0.05, 0.1, 0.25, 0.6), (0.6, 0.25, 0.07, 0.08), (0.2, 0.7, 0.1, 0.0), (0.99, 0.01, 0.0, 0.0),
)  # fmt: skip


def resections(count: int, mpp: float) -> CohortSpec:
    """A cohort of large slides, one patient a slide."""
    return CohortSpec(
        name="resections-simulated", seed=9100, patients=max(count, 4), second_slide=0, sites=16,
        site_seed=9200, scanners=8, scanner_seed=9300, controls=0, artefacts=0,
        specimens={"resection": 1.0}, mpp=(mpp, mpp),
    )  # fmt: skip


def planned(count: int, cache: Path) -> list[dict[str, NDArray[np.float32]]]:
    """Place (x, y), microns, and whether it is tumour, of every cell of planned resections."""
    cache.mkdir(parents=True, exist_ok=True)
    plans = []
    for number, member in enumerate(cohort_members(resections(64, 0.5))[:count]):
        file = cache / f"{number}.npz"
        if not file.exists():
            cells = plan_slide(member.spec).pieces[0].cells
            np.savez_compressed(file, x=cells.x, y=cells.y, kind=cells.kind)
        with np.load(file) as held:
            plans.append({name: held[name] for name in ("x", "y", "kind")})
    return plans


def stained(plan: dict[str, NDArray[np.float32]], rng: np.random.Generator, number: int) -> NDArray[np.int64]:
    """Class of each tumour cell: a smooth field of clones and each cell's own chance, cut at the shares."""
    tumour = plan["kind"] == 0
    x, y = plan["x"][tumour], plan["y"][tumour]
    shape = (int(y.max() // 64) + 1, int(x.max() // 64) + 1)
    clones = gaussian_filter(
        rng.standard_normal(shape), float(rng.choice([300, 800, 2000])) / 128, mode="wrap"
    )
    noise = rng.uniform(0.2, 0.7)
    level = np.sqrt(1 - noise) * (clones / clones.std())[(y // 64).astype(int), (x // 64).astype(int)]
    level += np.sqrt(noise) * rng.standard_normal(len(x))
    shares = rng.dirichlet(200 * np.array(SHARES[number % len(SHARES)]) + 0.05)
    cuts = np.quantile(level, np.minimum(np.cumsum(shares)[:3], 1))
    classes = np.searchsorted(cuts, level)
    if number % 4 == 3:
        for _ in range(200):
            middle = rng.integers(len(x))
            inside = (abs(x - x[middle]) < 500) & (abs(y - y[middle]) < 500)
            if np.count_nonzero(inside) > 1000:
                break
        classes[inside] = np.where(rng.random(np.count_nonzero(inside)) < 0.9, 3, classes[inside])
    return classes


def fields_of(
    plan: dict[str, NDArray[np.float32]], classes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N, 4) tumour cells by class of each field that holds any cell, and (N,) its stratum."""
    columns = int(plan["x"].max() // FIELD_UM) + 1
    place = (plan["y"] // FIELD_UM).astype(int) * columns + (plan["x"] // FIELD_UM).astype(int)
    there, place = np.unique(place, return_inverse=True)
    counts = np.zeros((len(there), 4))
    np.add.at(counts, (place[plan["kind"] == 0], classes), 1)
    dab = (counts @ DAB / 300 + 0.01 * rng.random(len(there))) * np.exp(rng.normal(0, 0.25, len(there)))
    brownest = dab * np.exp(rng.normal(0, 0.2, len(there)))
    return counts, strata_of(brownest, dab, counts.sum(1) * np.exp(rng.normal(0, 0.2, len(there))))


def guided(
    counts: NDArray[np.float64], stratum: NDArray[np.int64], seed: int, judge: Judge
) -> tuple[NDArray[np.int64], Estimate]:
    """Fields read and what is known when reading stops."""
    design = Design(stratum, seed)
    numbers = design.first()
    while True:
        known = estimate(stratum[numbers], counts[numbers], design.sizes)
        if known.whole or judge.settled(known):
            return numbers, known
        numbers = np.concatenate([numbers, design.next(known, judge.open_class(known))])


def on_tables(plans: int, stainings: int, seeds: int, cache: Path) -> None:
    """Print coverage, agreement and how much is read."""
    judge = Judge("HER2", DEFAULT_CUTOFFS)
    held: dict[str, list[bool]] = {name: [] for name in (*judge.names, "H-score")}
    same, shares, chances, corners, slides = [], [], [], [], 0
    for number, plan in enumerate(planned(plans, cache)):
        for staining in range(stainings):
            rng = np.random.default_rng([number, staining, 1])
            classes = stained(plan, rng, number * stainings + staining)
            counts, stratum = fields_of(plan, classes, rng)
            truth = counts.sum(0) / counts.sum()
            true_score = judge.score(truth, int(counts.sum()))
            slides += 1
            share, agreed = [], []
            for seed in range(seeds):
                numbers, known = guided(counts, stratum, seed, judge)
                for least, name in enumerate(judge.names, start=1):
                    low, high = known.share(least)[1:]
                    held[name].append(low - 1e-9 <= truth[least:].sum() <= high + 1e-9)
                low, high = known.h_score()[1:]
                held["H-score"].append(low - 1e-6 <= 100 * truth @ np.arange(4) <= high + 1e-6)
                agreed.append(judge.score(known.shares, known.cells) == true_score)
                share.append(len(numbers) / len(counts))
                if seed < 4:
                    chance = known.chance_of_change(
                        lambda s, known=known: judge.score(s, known.cells), seed, 100
                    )
                    chances.append((chance, not agreed[-1]))
                if (number * stainings + staining) % 4 == 3:
                    corners.append(bool(counts[numbers][:, 3].max() > 20))
            same += agreed
            shares.append(float(np.median(share)))
            print(
                f"slide {slides}: score {true_score}, {len(counts)} fields, {np.median(share):.1%} read, "
                f"same score on {np.mean(agreed):.0%}",
                flush=True,
            )
    print(f"\n{slides} slides, {seeds} seeds each (simulated)")
    for name, hits in held.items():
        print(f"95 % interval of {name} holds what all fields say: {np.mean(hits):.1%}")
    print(f"same four-way score as all fields: {np.mean(same):.2%}")
    print(f"hot corners found: {np.mean(corners):.1%} of {len(corners)} readings")
    quarters = " / ".join(f"{value:.1%}" for value in np.quantile(shares, [0.25, 0.5, 0.75, 0.9]))
    print(f"fields read, quantiles 0.25 / 0.5 / 0.75 / 0.9 over slides: {quarters}")
    told, changed = np.array(chances, float).T
    print(f"told chance of another score {told.mean():.2%}, seen {changed.mean():.2%} ({len(told)} readings)")


def rendered(count: int, folder: Path) -> list[Path]:
    """Simulated resections at 0.5 um/px."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for member in cohort_members(resections(count, 0.5))[:count]:
        paths.append(folder / member.file)
        if not paths[-1].exists():
            simulate_slide(member.spec, paths[-1])
    return paths


def both_ways(paths: list[Path], mpp: float | None, out: Path) -> None:
    """Measure slides in full and guided; print scores, processor seconds and what was read."""
    same = inside = 0
    for path in paths:
        said = []
        for effort in ("full", "guided"):
            started = time.process_time()
            request = ScoreRequest(effort=effort, mpp=mpp)  # type: ignore[arg-type]
            record = measure_files([path], request, out=out / effort, fresh=True)[0]
            assert record.measured is not None
            said.append((time.process_time() - started, record.measured))
            if effort == "guided" and (picture := out / effort / path.stem / "cells.png").exists():
                shutil.copy(picture, out / f"{path.stem}.png")
        (whole, full), (part, drawn) = said
        reading = drawn.reading
        assert reading is not None
        agreed = full.score == drawn.score
        held = reading.h_score.low - 1e-6 <= (full.h_score or 0.0) <= reading.h_score.high + 1e-6
        same, inside = same + agreed, inside + held
        print(
            f"{path.name}: full {full.score}, H-score {full.h_score or 0:.0f}, {whole:.1f} s; "
            f"guided {drawn.score}, {reading.read} of {reading.fields} fields, H-score "
            f"{reading.h_score.low:.0f} to {reading.h_score.high:.0f}, {part / whole:.2f} of the time",
            flush=True,
        )
    print(f"same score on {same} of {len(paths)}; the interval holds the full H-score on {inside}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plans", type=int, default=8)
    parser.add_argument("--stainings", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/results/guided-plans"))
    parser.add_argument("--rendered", type=int, default=0)
    parser.add_argument("--slides", type=Path, nargs="*", help="measure these both ways")
    parser.add_argument("--mpp", type=float, help="um/px of these")
    parser.add_argument("--out", type=Path, default=Path("guided"))
    options = parser.parse_args()
    if options.rendered or options.slides:
        paths = options.slides or rendered(options.rendered, options.out / "slides")
        both_ways(paths, options.mpp, options.out)
    else:
        on_tables(options.plans, options.stainings, options.seeds, options.cache)


if __name__ == "__main__":
    main()
