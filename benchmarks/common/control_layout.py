"""How laboratories lay sample and control tissue on a slide, as rectangles and discs in millimetres.

Where the numbers come from. Controls: a 5 mm punch in a corner of the diagnostic slide (Bragoni et al.,
Histochem Cell Biol 2017); a 5 x 5 mm array of four rows (0, 1+, 2+, 3+) of five 0.6 mm cores (Gulmann et al.,
J Clin Pathol 2004); four cores in a row scored 0 to 3+; a piece of a known tumour, often 3+, also weaker, as
makers of HER2 assays ask for. They lie beyond the sample along the slide's long side, less often above or
below it. Samples: needle cores of 14 to 18 gauge, whole, broken or as fragments; resections; one small
fragment; tissue arrays, which carry no control of their own here.

What makes it hard is there on purpose: benign pieces among tumour, pieces that lie apart, samples as small
and as round as a control, controls paler than the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

KINDS = {
    "resection": 0.30,
    "cores": 0.30,
    "broken": 0.15,
    "fragment": 0.10,
    "scattered": 0.10,
    "array": 0.05,
}
"""Share of slides by kind of sample."""
SCORES = ("0", "1+", "2+", "3+")
_SLIDE_WIDTH = 22.0


@dataclass(frozen=True)
class Spot:
    """One piece of tissue: a rectangle (mm) that holds it, and the score it is stained as."""

    x: float
    y: float
    width: float
    height: float
    score: str
    disc: bool = False
    control: bool = False
    benign: bool = False


@dataclass(frozen=True)
class Habit:
    """Where a laboratory puts its control.

    Attributes:
        way: Beyond an "end" of the sample, in a "corner", or at a "side".
        first: Left or above of the sample, not right or below.
        upper: Which of an end's two corners.
        upright: Whether the slide's long side runs along y.
    """

    way: str
    first: bool
    upper: bool
    upright: bool


def draw_habit(rng: np.random.Generator) -> Habit:
    """Where one laboratory puts its control."""
    way = str(rng.choice(["end", "corner", "side"], p=[0.65, 0.25, 0.10]))
    return Habit(way, *(bool(rng.random() < 0.5) for _ in range(3)))


def lay_out(rng: np.random.Generator, kind: str, with_control: bool, habit: Habit) -> list[Spot]:
    """The pieces of one slide."""
    score = str(rng.choice(SCORES))
    spots = _SAMPLES[kind](rng, score)
    if kind != "array" and len(spots) > 1 and rng.random() < 0.3:  # benign tissue among tumour
        spots = [replace(spot, benign=bool(rng.random() < 0.5)) for spot in spots]
    if kind in ("resection", "cores", "fragment") and rng.random() < 0.15:
        spots.append(_apart(rng, spots, 5.0 if kind == "resection" else 2.0))
    if with_control:
        spots += _beside(rng, spots, _control(rng), habit)
    if habit.upright:
        spots = [replace(s, x=s.y, y=s.x, width=s.height, height=s.width) for s in spots]
    return spots


def _resection(rng: np.random.Generator, score: str) -> list[Spot]:
    spots, x = [], 0.0
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        width, height = rng.uniform(5, 15), rng.uniform(5, 14)
        spots.append(Spot(x, rng.uniform(0, 2), width, height, score))
        x += width + rng.uniform(0.5, 3.0)
        if x > 18:
            break
    if rng.random() < 0.3:
        length, broad = rng.uniform(0.6, 2.5), rng.uniform(0.3, 0.9)
        spots.append(Spot(x + rng.uniform(-0.5, 0.3), rng.uniform(0, 4), length, broad, score))
    return spots


def _fragment(rng: np.random.Generator, score: str) -> list[Spot]:
    return [Spot(0.0, 0.0, rng.uniform(3, 8), rng.uniform(1.5, 3.5), score)]


def _cores(rng: np.random.Generator, score: str) -> list[Spot]:
    spots, y = [], 0.0
    for _ in range(int(rng.integers(1, 6))):
        spots.append(Spot(rng.uniform(0, 3), y, rng.uniform(5, 18), rng.uniform(0.8, 2.0), score))
        y += spots[-1].height + rng.uniform(0.6, 3.0)
    return spots


def _broken(rng: np.random.Generator, score: str) -> list[Spot]:
    spots, y = [], 0.0
    for _ in range(int(rng.integers(1, 4))):
        x, broad = rng.uniform(0, 2), rng.uniform(0.8, 1.8)
        for _ in range(int(rng.integers(2, 7))):
            length = float(np.clip(rng.lognormal(0.8, 0.6), 0.5, 8))
            width = broad * rng.uniform(0.85, 1.15)
            spots.append(Spot(x, y + rng.uniform(-0.3, 0.3), length, width, score))
            x += length + float(np.clip(rng.lognormal(-0.4, 0.6), 0.2, 3.0))
        y += broad + rng.uniform(1.0, 3.0)
    return spots


def _scattered(rng: np.random.Generator, score: str) -> list[Spot]:
    spots: list[Spot] = []
    wanted = int(rng.integers(4, 11))
    for _ in range(200):
        width, height = rng.uniform(0.5, 3.5), rng.uniform(0.5, 2.0)
        spot = Spot(rng.uniform(0, 14), rng.uniform(0, 9), width, height, score)
        if all(_gap(spot, other) > 0.15 for other in spots):
            spots.append(spot)
        if len(spots) == wanted:
            break
    return spots


def _array(rng: np.random.Generator, score: str) -> list[Spot]:
    size, step = rng.choice([0.6, 1.0, 1.5, 2.0]), rng.uniform(1.5, 2.0)
    rows, columns = int(rng.integers(2, 6)), int(rng.integers(3, 10))
    return [
        Spot(column * size * step, row * size * step, size, size, str(rng.choice(SCORES)), disc=True)
        for row in range(rows)
        for column in range(columns)
        if rng.random() > 0.08  # lost cores
    ]


_SAMPLES: dict[str, Callable[[np.random.Generator, str], list[Spot]]] = {
    "resection": _resection,
    "cores": _cores,
    "broken": _broken,
    "fragment": _fragment,
    "scattered": _scattered,
    "array": _array,
}


def _apart(rng: np.random.Generator, spots: list[Spot], largest: float) -> Spot:
    """A compact piece of the sample that lies 0.8 to 4 mm from the rest."""
    size = rng.uniform(0.8, largest)
    right, bottom = max(s.x + s.width for s in spots), max(s.y + s.height for s in spots)
    away = float(np.exp(rng.uniform(np.log(0.8), np.log(4.0))))
    x, y = right + away, rng.uniform(0, max(0.1, bottom - size))
    return Spot(x, y, size, size * rng.uniform(0.8, 1.2), spots[0].score, benign=bool(rng.random() < 0.5))


def _control(rng: np.random.Generator) -> list[Spot]:
    """The pieces of a control, from (0, 0) on."""
    score = str(rng.choice(SCORES, p=[0.0, 0.1, 0.25, 0.65]))
    kind = rng.choice(["punch", "piece", "row", "array"], p=[0.35, 0.30, 0.25, 0.10])
    if kind == "punch":
        size = rng.uniform(2.0, 5.0)
        return [Spot(0, 0, size, size * rng.uniform(0.9, 1.1), score, disc=True, control=True)]
    if kind == "piece":
        size = rng.uniform(2.0, 6.0)
        return [Spot(0, 0, size, size * rng.uniform(0.7, 1.2), score, control=True)]
    if kind == "row":
        count, size = int(rng.integers(2, 5)), rng.uniform(1.0, 2.0)
        step, graded, upright = size * rng.uniform(1.3, 1.9), rng.random() < 0.5, rng.random() < 0.7
        scores = SCORES[-count:] if graded else [score] * count
        places = [(0, i * step) if upright else (i * step, 0) for i in range(count)]
        return [
            Spot(x, y, size, size, name, disc=True, control=True)
            for (x, y), name in zip(places, scores, strict=True)
        ]
    return [
        Spot(column * 1.0, row * 1.2, 0.6, 0.6, SCORES[row], disc=True, control=True)
        for row in range(4)
        for column in range(5)
    ]


def _beside(rng: np.random.Generator, spots: list[Spot], control: list[Spot], habit: Habit) -> list[Spot]:
    """The control beyond one end of the sample, in a corner, or above or below it."""
    left, top = min(s.x for s in spots), min(s.y for s in spots)
    right, bottom = max(s.x + s.width for s in spots), max(s.y + s.height for s in spots)
    width, height = max(s.x + s.width for s in control), max(s.y + s.height for s in control)
    gap = float(np.exp(rng.uniform(np.log(1.5), np.log(6.0 if habit.way == "side" else 12.0))))
    if habit.way == "side":
        y = top - gap - height if habit.first else bottom + gap
        x = rng.uniform(left, max(left + 0.1, right - width))
    else:
        x = left - gap - width if habit.first else right + gap
        y = rng.uniform(top - 0.3 * height, max(top + 0.1, bottom - 0.7 * height))
        if habit.way == "corner":
            out = rng.uniform(0, max(0.5, _SLIDE_WIDTH - (bottom - top)) / 2)
            y = top - out if habit.upper else bottom + out - height
    return [replace(s, x=x + s.x, y=y + s.y) for s in control]


def _gap(one: Spot, other: Spot) -> float:
    across = max(one.x - other.x - other.width, other.x - one.x - one.width, 0.0)
    down = max(one.y - other.y - other.height, other.y - one.y - one.height, 0.0)
    return max(across, down)
