"""Control tissue and defects: how often they are found, and what is taken for them that is none.

    python -m benchmarks.quality control [--slides 200] [--development] [--fit]
    python -m benchmarks.quality answers [--slides 400] [--development]
    python -m benchmarks.quality batches [--slides 200] [--development]
    python -m benchmarks.quality defects [--development] [--cores FOLDER]

control: slides composed of simulated tissue at 8 um/px (`common/control_layout.py` has how). found: all
control tissue left out and no sample; doubtful: nothing left out, and the flag says where it may be; missed:
nothing left out, nothing said; lost: sample left out. Once with `auto`, once told at which end the control
lies, or, where there is none, some end all the same.
`--fit` prints the weights of `lowpower.tissue.control._signs` as logistic regression gives them here.

answers: what becomes of a slide's score. A reader without fault reads the tissue that is left in: each
score's tumour has the shares of cells written in `CELLS`, control blocks more tumour than samples. Where
tissue is doubtful he reads with it and without it, as `lowpower score` does, and refers if the scores differ.
Counted are slides whose issued score is not that of the sample alone.

batches: the same, slides of one laboratory in batches of 40: auto, then told the end that the batch teaches.

defects: simulated slides of 5 x 2 mm at 2 um/px with one defect each, and without; real cores, without.
Counts flags, and measures how much of the defects' area on tissue is marked.

Both run on laboratories and seeds that nothing was tuned on, unless `--development`. The first run simulates
the tissue (two to six minutes of one processor).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.common.control_bank import SITES, tissue_bank
from benchmarks.common.control_layout import KINDS, draw_habit
from benchmarks.common.control_slides import Composed, compose
from benchmarks.common.defect_slides import defect_slides
from sklearn.linear_model import LogisticRegression

from lowpower.slides import open_slide
from lowpower.tissue import (
    LAYERS,
    Layout,
    Tissue,
    control_habit,
    find_tissue,
    groups_of,
    lay_out,
    look_at,
    signs_of,
)

CODES = ("bubble", "out_of_focus", "pen", "padding")
CODE_OF = {"bubble": "bubble", "blur": "out_of_focus"}
LABELS = {layer.code: label for label, layer in enumerate(LAYERS)}
LEAST_SHARE = 0.01
BATCH = 40
VERDICTS = ("found", "doubtful", "missed", "nothing", "lost")


def judge(slide: Composed, tissue: Tissue) -> str:
    """What became of a slide's control tissue and of its sample."""
    if (tissue.control & slide.sample).sum() > 0.01 * slide.sample.sum():
        return "lost"
    taken = (tissue.control & slide.control).sum()
    if taken and not (tissue.mask & slide.control).sum() > 0.05 * slide.control.sum():
        return "found"
    if any(flag.code == "control_doubtful" for flag in tissue.qc.flags):
        return "doubtful"
    return "missed" if slide.control.any() else "nothing"


def count(options: argparse.Namespace) -> None:
    """Print one row a kind of sample, for `auto` and for an end that is told."""
    bank = tissue_bank(options.cache, held_out=not options.development)
    told: dict[str, dict[tuple[str, bool], Counter[str]]] = {
        name: defaultdict(Counter) for name in ("auto", "end told")
    }
    for index in range(options.slides):
        slide = compose(bank, index, held_out=not options.development)
        has = bool(slide.control.any())
        told["auto"][slide.kind, has][judge(slide, find_tissue(slide))] += 1  # type: ignore[arg-type]
        end = slide.end if has else ("left", "right", "top", "bottom")[index % 4]
        tissue = find_tissue(slide, control=end)  # type: ignore[arg-type]
        told["end told"][slide.kind, has][judge(slide, tissue)] += 1
    show(told)


CELLS = np.array([[0.97, 0.03, 0, 0], [0.55, 0.43, 0.02, 0], [0.2, 0.4, 0.38, 0.02], [0.05, 0.1, 0.25, 0.6]])
"""Shares of tumour cells (none, faint, complete, intense) in tumour of score 0, 1+, 2+, 3+."""
TUMOUR = {False: 0.4, True: 0.7}
"""Share of a sample's and of a control's area that is tumour."""


def read(slide: Composed, mask: NDArray[np.bool_]) -> int:
    """The score of all tumour inside a mask."""
    parts = [
        TUMOUR[control] * np.bincount(slide.scores[mask & where & (slide.scores >= 0)], minlength=4)
        for control, where in ((False, slide.sample), (True, slide.control))
    ]
    amounts = np.sum(parts, axis=0)
    if not amounts.any():
        return -1
    _, faint, complete, intense = amounts @ CELLS / amounts.sum()
    if intense > 0.1:
        return 3
    if complete + intense > 0.1:
        return 2
    return int(faint + complete + intense > 0.1)


def answers(options: argparse.Namespace) -> None:
    """Print what becomes of the score, with and without control tissue."""
    bank = tissue_bank(options.cache, held_out=not options.development)
    told: dict[tuple[str, bool], Counter[str]] = defaultdict(Counter)
    for index in range(options.slides):
        slide = compose(bank, options.first + index, held_out=not options.development)
        tissue = find_tissue(slide)  # type: ignore[arg-type]
        true, given = read(slide, slide.sample), read(slide, tissue.mask)
        ways = [read(slide, tissue.mask & ~group.mask) for group in tissue.doubtful]
        what = ["tried both ways"] if ways else []
        if any(way != given for way in ways):
            what.append("referred")
        elif given != true:
            what.append("wrong")
        if (tissue.control & slide.sample).sum() > 0.01 * slide.sample.sum():
            what.append("sample lost")
        told[slide.kind, bool(slide.control.any())].update(["slides", *what])
    columns = ("slides", "tried both ways", "referred", "wrong", "sample lost")
    print(f"{'sample':<12}{'control':<9}" + "".join(f"{column:>17}" for column in columns))
    for has in (True, False):
        rows = {kind: told[kind, has] for kind in KINDS if told[kind, has]}
        for kind, row in {**rows, "all": sum(rows.values(), Counter())}.items():
            cells = "".join(f"{row[column]:>17}" for column in columns)
            print(f"{kind:<12}{'with' if has else 'without':<9}{cells}")


def batches(options: argparse.Namespace) -> None:
    """The same for batches of one laboratory, which puts its control at one end of nine slides in ten.

    First all slides with `auto`. Then, told the end that `control_habit` learns from them, the slides that
    are doubtful ("told where doubtful"), and all but those on which it was found ("told on all").
    """
    banks = tissue_bank(options.cache, held_out=not options.development)
    told: dict[str, dict[tuple[str, bool], Counter[str]]] = {
        name: defaultdict(Counter) for name in ("auto", "told where doubtful", "told on all")
    }
    learned = 0
    for batch in range(options.slides // BATCH):
        habit = draw_habit(np.random.default_rng([batch, 8, not options.development]))
        slides, seen, end = [], [], None
        for index in range(BATCH):
            slide = compose(
                banks, 1000 * (batch + 1) + index, held_out=not options.development, site=batch % SITES,
                habit=habit, controls=0.9,
            )  # fmt: skip
            slides.append(slide)
            seen.append(find_tissue(slide))  # type: ignore[arg-type]
        ends = {
            code: [flag.end for tissue in seen for flag in tissue.qc.flags if flag.code == code]
            for code in ("control", "control_doubtful")
        }
        end = control_habit(ends["control"], ends["control_doubtful"]).end
        learned += end is not None
        for slide, tissue in zip(slides, seen, strict=True):
            verdict, place = judge(slide, tissue), (slide.kind, bool(slide.control.any()))
            again = verdict if end is None else judge(slide, find_tissue(slide, control=end))  # type: ignore[arg-type]
            doubtful = any(flag.code == "control_doubtful" for flag in tissue.qc.flags)
            told["auto"][place][verdict] += 1
            told["told where doubtful"][place][again if doubtful else verdict] += 1
            told["told on all"][place][verdict if tissue.control.any() else again] += 1
    print(f"an end was learned in {learned} of {options.slides // BATCH} batches")
    show(told)


def show(told: dict[str, dict[tuple[str, bool], Counter[str]]]) -> None:
    """One table for each way, with and without control tissue."""
    for name, counts in told.items():
        print(f"\n{name:<20}{'control':<9}{'slides':>7}" + "".join(f"{verdict:>10}" for verdict in VERDICTS))
        for has in (True, False):
            rows = {kind: counts[kind, has] for kind in KINDS if counts[kind, has]}
            if not rows:
                continue
            rows["all"] = sum(rows.values(), Counter())
            for kind, row in rows.items():
                cells = "".join(f"{row[verdict]:>10}" for verdict in VERDICTS)
                print(f"{kind:<20}{'with' if has else 'without':<9}{row.total():>7}{cells}")


def fit(options: argparse.Namespace) -> None:
    """Print the weights of the signs, over every group of the slides that could be control tissue."""
    bank = tissue_bank(options.cache, held_out=False)
    values: list[dict[str, float]] = []
    truth: list[bool] = []
    for index in range(options.slides):
        slide = compose(bank, index, held_out=False)
        look = look_at(slide.image, slide.mpp)
        layout = lay_out(look.found.mask, look.off, look.found.mpp)
        wanted = _control_clusters(layout, slide)
        for group in groups_of(layout):
            values.append(signs_of(layout, group)[0])
            truth.append(group.members == wanted)
    names = list(values[0])
    model = LogisticRegression(C=4.0, max_iter=9000)
    model.fit(np.array([[row[name] for name in names] for row in values]), truth)
    print(f"BASE {model.intercept_[0]:.2f}")
    for name, weight in zip(names, model.coef_[0], strict=True):
        print(f"{name:<12}{weight:6.2f}")


def _control_clusters(layout: Layout, slide: Composed) -> tuple[int, ...]:
    rows, columns = layout.nearest.shape
    down, across = slide.control.shape[0] / rows, slide.control.shape[1] / columns
    found = []
    for index, cluster in enumerate(layout.clusters):
        places = ((np.argwhere(cluster.cells) + 0.5) * (down, across)).astype(int)
        inside = slide.control[places[:, 0], places[:, 1]].mean()
        if inside > slide.sample[places[:, 0], places[:, 1]].mean():
            found.append(index)
    return tuple(found)


def defects(options: argparse.Namespace) -> None:
    """Print on how many slides each flag is raised, and how much of the defects' area is found."""
    raised: dict[str, Counter[str]] = defaultdict(Counter)
    slides: Counter[str] = Counter()
    areas: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for simulated in defect_slides(options.cache, held_out=not options.development):
        with open_slide(simulated.path) as slide:
            tissue = find_tissue(slide)
        truth = _on_grid(simulated.where, tissue) & tissue.mask
        share = truth.sum() / tissue.mask.sum()
        # A plan may put its defect where there is next to no tissue.
        shown = simulated.defect in ("none", "pen") or share >= LEAST_SHARE
        name = simulated.defect if shown else f"{simulated.defect} (a trace)"
        slides[name] += 1
        codes = {(flag.code, flag.effect) for flag in tissue.qc.flags if flag.code in CODES}
        raised[name].update(f"{code}:{effect}" for code, effect in codes)
        if simulated.defect in CODE_OF:
            marked = (tissue.labels == LABELS[CODE_OF[simulated.defect]]) & tissue.mask
            areas[simulated.defect].append((truth.sum(), marked.sum(), (truth & marked).sum()))
    for path in sorted(options.cores.glob("*.jpg")) if options.cores else ():
        if path.name.startswith("blank"):
            continue
        with open_slide(path, mpp=0.25) as slide:
            tissue = find_tissue(slide)
        slides["real cores"] += 1
        codes = {(flag.code, flag.effect) for flag in tissue.qc.flags if flag.code in CODES}
        raised["real cores"].update(f"{code}:{effect}" for code, effect in codes)
    print(f"{'warned (noted)':<18}{'slides':>7}" + "".join(f"{code:>16}" for code in CODES))
    for name, number in slides.items():
        cells = []
        for code in CODES:
            count = {effect: raised[name][f"{code}:{effect}"] for effect in ("note", "warn", "refuse")}
            cells.append(f"{count['warn'] + count['refuse']} ({count['note']})")
        print(f"{name:<18}{number:>7}" + "".join(f"{cell:>16}" for cell in cells))
    for name, rows in areas.items():
        true, marked, both = np.sum(rows, axis=0)
        print(
            f"{name}: {both / true:.2f} of its area found, {both / max(marked, 1):.2f} of marked area right"
        )


def _on_grid(where: NDArray[np.bool_], tissue: Tissue) -> NDArray[np.bool_]:
    """A map at 8 um/px on the tissue's grid."""
    rows, columns = tissue.mask.shape
    row = np.minimum((np.arange(rows) + 0.5) * tissue.mpp / 8.0, where.shape[0] - 1).astype(int)
    column = np.minimum((np.arange(columns) + 0.5) * tissue.mpp / 8.0, where.shape[1] - 1).astype(int)
    return where[row[:, None], column]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("control", "answers", "batches", "defects"))
    parser.add_argument("--slides", type=int, default=200)
    parser.add_argument(
        "--first", type=int, default=0, help="first slide's number, for slides not yet counted"
    )
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--cores", type=Path, help="folder of real cores without defects")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "lowpower" / "quality")
    options = parser.parse_args()
    tasks = {
        "defects": defects,
        "answers": answers,
        "batches": batches,
        "control": fit if options.fit else count,
    }
    tasks[options.what](options)


if __name__ == "__main__":
    main()
