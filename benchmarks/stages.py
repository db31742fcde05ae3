"""Where the time of measuring a slide goes, stage by stage, and what a process of each verb takes in all.

    python benchmarks/stages.py SLIDE [--mpp 0.25] [--precision fast] [--verbs]

Processor seconds on one thread: other work on the machine disturbs them less than a clock's. Megapixels are
those of the whole slide at the um/px cells are measured at.
`--verbs` runs the command line instead, each verb in a process of its own, with its peak memory.
"""

from __future__ import annotations

import argparse
import functools
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2

import lowpower.stain._measure as whole
import lowpower.stain.cells._cell_maps as maps
import lowpower.stain.cells._measure_field as field
from lowpower.graphs import Precision
from lowpower.slides import Slide, open_slide
from lowpower.stain import working_factor

STAGES: tuple[tuple[str, ModuleType | type, str], ...] = (
    ("tissue", whole, "find_tissue"),
    ("scale", whole, "scale_of"),
    ("reading", Slide, "read"),
    ("stains", field, "stain_maps"),
    ("network input", maps, "network_input"),
    ("network", maps, "drawn_maps"),
    ("nuclei, outlines", field, "find_nuclei"),
    ("membrane rays", field, "membrane_rays"),
    ("grades", whole, "grade_cells"),
)
"""Stages, outer ones first: what is done inside another counts for the inner one."""
VERBS = (
    ("score",),
    ("score", "--no-measure"),
    ("measure",),
    ("measure", "--effort", "guided"),
)


def watched(spent: Counter[str], within: list[float], name: str, work: Callable[..., Any]) -> Any:
    """`work`, its own processor seconds, without those of stages inside it, added to `spent`."""

    @functools.wraps(work)
    def run(*arguments: Any, **options: Any) -> Any:
        within.append(0.0)
        begun = time.process_time()
        try:
            return work(*arguments, **options)
        finally:
            took = time.process_time() - begun
            spent[name] += took - within.pop()
            if within:
                within[-1] += took

    return run


def stages(path: Path, mpp: float | None, precision: Precision) -> None:
    """Print one table of stages."""
    cv2.setNumThreads(1)
    spent: Counter[str] = Counter()
    within: list[float] = []
    for name, home, attribute in STAGES:
        setattr(home, attribute, watched(spent, within, name, getattr(home, attribute)))
    for number in range(2):  # the second time nothing is loaded for the first time
        spent.clear()
        begun = time.process_time()
        with open_slide(path, mpp=mpp) as slide:
            opened = time.process_time() - begun
            whole.measure(slide, workers=1, precision=precision)
            megapixels = slide.size[0] * slide.size[1] / working_factor(slide.mpp) ** 2 / 1e6
        total = time.process_time() - begun
        if number == 0:
            continue
        print(
            f"{path.name}: {megapixels:.1f} MP, {total:.2f} s, {megapixels / total:.1f} MP a second and core"
        )
        rows = {"opening": opened, **spent, "the rest": total - opened - sum(spent.values())}
        for name, seconds in rows.items():
            print(f"  {name}: {seconds:.2f} s, {1000 * seconds / megapixels:.0f} ms a MP")


def verbs(path: Path, mpp: float | None, precision: Precision) -> None:
    """Print processor seconds and peak memory of each verb's process."""
    shown = ["--precision", precision, *(() if mpp is None else ("--mpp", str(mpp)))]
    for verb in VERBS:
        with tempfile.TemporaryDirectory() as folder:
            asked = [sys.executable, "-m", "lowpower", verb[0], str(path), *verb[1:], *shown, "--out", folder]
            watch = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True);"
            watch += "r = resource.getrusage(resource.RUSAGE_CHILDREN);"
            watch += "print(r.ru_utime + r.ru_stime, r.ru_maxrss)"
            done = subprocess.run(
                [sys.executable, "-c", watch, *asked], capture_output=True, text=True, check=True
            )
            seconds, peak = done.stdout.split()
            print(f"{' '.join(verb)}: {float(seconds):.1f} s, {int(peak) / 1024:.0f} MB at most", flush=True)
    code = "import lowpower as lp; lp.score; lp.load_model('her2-sim')"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"import and her2-sim loaded: {took:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slide", type=Path)
    parser.add_argument("--mpp", type=float)
    parser.add_argument("--precision", choices=("exact", "fast"), default="exact")
    parser.add_argument("--verbs", action="store_true")
    options = parser.parse_args()
    if options.verbs:
        verbs(options.slide, options.mpp, options.precision)
    else:
        stages(options.slide, options.mpp, options.precision)


if __name__ == "__main__":
    main()
