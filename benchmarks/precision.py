"""What `--precision fast` changes: real fields and cores measured and scored both ways.

    LOWPOWER_REAL=FOLDER LOWPOWER_DATA=FOLDER python benchmarks/precision.py [--model her2-sim]

Fields are those of `real_fields.py`. A nucleus is the same where both ways found one within 1.5 um; classes
are those of nuclei that were tumour-like both times. Cores are scored with the model too: its probabilities
and the answer. Figures against labels: `real_fields.py --precision fast`.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import lowpower as lp
from lowpower.errors import LowpowerError
from lowpower.graphs import runtime_name
from lowpower.slides import open_slide
from lowpower.stain import Cells, Measurement, measure
from real_fields import Field, cores, fields_of

NEAR_UM = 1.5
TUMOUR = 0


def same(one: Cells, other: Cells, mpp: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells of both that are each other's nearest, and near."""
    places = [np.stack([cells.x, cells.y], axis=1) * mpp for cells in (one, other)]
    apart, there = cKDTree(places[1]).query(places[0])
    back = cKDTree(places[0]).query(places[1])[1]
    mutual = (apart <= NEAR_UM) & (back[there] == np.arange(len(there)))
    return np.flatnonzero(mutual), there[mutual]


def answer_of(result: Measurement) -> str:
    """The score, or the index to a whole percent."""
    if result.her2 is not None:
        return result.her2.score
    return "none" if result.nuclear is None else f"{result.nuclear.percent:.0f} %"


def compare(field: Field, totals: Counter[str]) -> None:
    """Print one field's line."""
    try:
        with open_slide(field.path, mpp=field.mpp) as slide:
            exact = measure(slide, field.marker, precision="exact")  # type: ignore[arg-type]
            fast = measure(slide, field.marker, precision="fast")  # type: ignore[arg-type]
    except LowpowerError as error:
        print(f"  {field.path.name}: refused: {error}")
        return
    if exact.cells is None or fast.cells is None:
        print(f"  {field.path.name}: no cells")
        return
    one, other = same(exact.cells, fast.cells, field.mpp)
    both = (exact.cells.kind[one] == TUMOUR) & (fast.cells.kind[other] == TUMOUR)
    row = {
        "nuclei": len(exact.cells),
        "came": len(fast.cells) - len(other),
        "went": len(exact.cells) - len(one),
        "another kind": int((exact.cells.kind[one] != fast.cells.kind[other]).sum()),
        "tumour both times": int(both.sum()),
        "another class": int((exact.cells.grade[one] != fast.cells.grade[other])[both].sum()),
    }
    totals.update(row)
    totals["fields"] += 1
    answers = answer_of(exact), answer_of(fast)
    totals["another answer"] += answers[0] != answers[1]
    off = abs((exact.h_score or 0.0) - (fast.h_score or 0.0))
    totals["H-score off, hundredths"] += round(100 * off)
    told = ", ".join(f"{name} {number}" for name, number in row.items())
    print(
        f"  {field.path.name[:16]}: {told}; {answers[0]} and {answers[1]}, H-score off {off:.2f}", flush=True
    )


def scored(field: Field, model: str) -> None:
    """Print what the slide network says of a core both ways."""
    asked = {"mpp": field.mpp, "measure": False, "pictures": False}
    try:
        exact, fast = (
            lp.score(field.path, model, precision=name, **asked)  # type: ignore[arg-type]
            for name in ("exact", "fast")
        )
    except LowpowerError as error:
        print(f"  {field.path.name[:16]}: refused: {error}")
        return
    assert exact.probabilities is not None
    assert fast.probabilities is not None
    off = max(abs(value - fast.probabilities[name]) for name, value in exact.probabilities.items())
    print(
        f"  {field.path.name[:16]}: {exact.headline} and {fast.headline}; probabilities off by {off:.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="her2-sim")
    options = parser.parse_args()
    print(f"{runtime_name('exact')} against {runtime_name('fast')}")
    root = os.environ.get("LOWPOWER_REAL")
    sources = [fields_of(path.parent) for path in sorted(Path(root).glob("*/labels.csv"))] if root else []
    for number, fields in enumerate(source for source in (*sources, cores()) if source):
        totals: Counter[str] = Counter()
        print(f"{fields[0].marker} set {number + 1}")
        for field in fields:
            compare(field, totals)
        print(f"  in all: {dict(totals)}")
    for field in cores():
        scored(field, options.model)


if __name__ == "__main__":
    main()
