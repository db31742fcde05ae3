"""Whole simulated slides through the whole of `measure`: tissue, defects, cells, the rule.

    python benchmarks/measured_slides.py [--slides 40] [--seed 717170]

`benchmarks/measurement.py` looks at fields of tumour; here nothing is told but the marker. Discs of 1.3 mm,
three in ten with something wrong, from seeds used nowhere else; control tissue has a benchmark of its own
(`quality.py`). Truth is the score of the slide's own cells.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from lowpower.errors import LowpowerError
from lowpower.simulate import CohortSpec, cohort_members, simulate_slide
from lowpower.slides import open_slide
from lowpower.stain import measure

SCORES = ("0", "1+", "2+", "3+")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=40)
    parser.add_argument("--seed", type=int, default=717170)
    options = parser.parse_args()
    slides, seed = options.slides, options.seed
    spec = CohortSpec(
        name="measured-simulated", seed=seed, patients=slides, second_slide=0, sites=slides,
        site_seed=seed + 1, scanners=slides, scanner_seed=seed + 2, controls=0,
    )  # fmt: skip
    rows: list[tuple[int, int]] = []
    percent, shares = [], []
    for member in cohort_members(spec):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / member.file
            truth = simulate_slide(member.spec, path)
            assert truth.score is not None
            try:
                with open_slide(path) as slide:
                    found = measure(slide, workers=2)
            except LowpowerError as error:
                print(f"{member.file}: true {truth.score}, {error}", flush=True)
                continue
        wrong = ", ".join(member.spec.artefacts) or "nothing wrong"
        if found.her2 is None or found.shares is None:
            print(f"{member.file}: true {truth.score} ({wrong}), {found.sentence()}", flush=True)
            continue
        rows.append((SCORES.index(truth.score), SCORES.index(found.her2.score)))
        off = 100 * np.abs(np.array(found.shares.as_tuple()) - truth.shares)
        percent.append(off[0])
        shares.append(off.mean())
        notes = f"; {' '.join(found.notes)}" if found.notes else ""
        print(
            f"{member.file}: true {truth.score} ({wrong}), measured {found.her2.score}, shares off by "
            f"{off.mean():.1f} points{notes}",
            flush=True,
        )
    true, measured = zip(*rows, strict=True)
    kappa = cohen_kappa_score(true, measured, weights="quadratic", labels=range(4))
    print(f"measured {len(rows)} of {slides} slides: quadratic kappa {kappa:.3f}, accuracy", end=" ")
    print(f"{np.mean(np.equal(true, measured)):.3f}; percent stained off by {np.median(percent):.1f} points")
    print(f"(median), class shares by {np.median(shares):.1f}; true (rows) and measured score:")
    print(confusion_matrix(true, measured, labels=range(4)))


if __name__ == "__main__":
    main()
