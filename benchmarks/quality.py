"""Control tissue found and sample lost, over slides composed of simulated tissue at 8 um/px.

    python -m benchmarks.quality [--slides 300] [--cache FOLDER]

Prints one row a kind of sample. found: all control tissue left out and no sample; doubtful: nothing left out,
and the flag says where it may be; missed: nothing left out, nothing said; lost: sample left out. The first
run simulates the tissue (about 4 minutes of one processor); a slide then takes about a second.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from lowpower.tissue import find_tissue

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks._control_slides import KINDS, Composed, compose, tissue_bank


def judge(slide: Composed) -> str:
    """What became of a slide's control tissue and of its sample."""
    tissue = find_tissue(slide)  # type: ignore[arg-type]
    if (tissue.control & slide.sample).sum() > 0.01 * slide.sample.sum():
        return "lost"
    taken = (tissue.control & slide.control).sum()
    if taken and not (tissue.mask & slide.control).sum() > 0.05 * slide.control.sum():
        return "found"
    if any(flag.code == "control_doubtful" for flag in tissue.qc.flags):
        return "doubtful"
    return "missed" if slide.control.any() else "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=300)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "lowpower" / "quality")
    options = parser.parse_args()
    bank = tissue_bank(options.cache)
    counts: dict[tuple[str, bool], Counter[str]] = defaultdict(Counter)
    for index in range(options.slides):
        rng = np.random.default_rng([index, 5])
        kind = KINDS[(index // 2) % len(KINDS)]
        slide = compose(rng, bank, kind, int(rng.choice([0, 0, 1, 1, 2, 3])))
        counts[kind, bool(slide.control.any())][judge(slide)] += 1
    names = ("found", "doubtful", "missed", "nothing", "lost")
    print(f"{'sample':<11}{'control':<9}{'slides':>7}" + "".join(f"{name:>10}" for name in names))
    for kind in KINDS:
        for control in (True, False):
            row = counts[kind, control]
            print(
                f"{kind:<11}{'with' if control else 'without':<9}{row.total():>7}"
                + "".join(f"{row[name]:>10}" for name in names)
            )


if __name__ == "__main__":
    main()
