"""Megapixels a second of the slide simulator, whole slides, files written.

    python benchmarks/simulator.py [--workers 2] [--specimens disc fragment] [--mpp 0.25 0.5] [--slides 4]

Every number is wall time over the pixels of level 0, glass included, from the first to the last byte of all
slides; processes are started and warmed up before the clock runs. `tissue` is the share of the glass that is
tissue: glass is nearly free, tissue is not. CPU seconds are of the workers, so that a busy machine shows.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table

from lowpower.simulate import SlideSpec, Specimen, draw_laboratory, draw_scanner, draw_slide, simulate_slide

SCORES = ("0", "1+", "2+", "3+")


def make(spec: SlideSpec, path: str) -> tuple[int, float, float, float]:
    """Pixels, tissue area in mm2, CPU seconds and peak memory in MB of one slide."""
    start = time.process_time()
    truth = simulate_slide(spec, path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return truth.width * truth.height, truth.tissue_mm2, time.process_time() - start, peak


def warm(_: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spec = draw_slide(0, "2+", draw_laboratory(0), draw_scanner(0, mpp=(1.0, 1.0)))
        simulate_slide(spec, Path(folder) / "simulated-warm.tif")
        time.sleep(0.5)


def specs(specimen: Specimen, mpp: float, count: int) -> list[SlideSpec]:
    return [
        draw_slide(
            1000 + number, SCORES[number % 4], draw_laboratory(5, number), draw_scanner(5, number, (mpp, mpp)),  # noqa: E501
            specimen=specimen,
        )
        for number in range(count)
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--specimens", nargs="+", default=["disc", "fragment"], choices=get_args(Specimen))
    parser.add_argument("--mpp", nargs="+", type=float, default=[0.25, 0.5])
    parser.add_argument("--slides", type=int, default=4, help="per specimen and um/px")
    options = parser.parse_args()
    table = Table(title=f"Simulator, {options.workers} processes")
    for name in (
        "specimen",
        "um/px",
        "slides",
        "megapixels",
        "tissue",
        "seconds",
        "MP/s",
        "CPU s",
        "MP/CPU s",
        "MB",
    ):
        table.add_column(name, justify="right")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool,
    ):
        list(pool.map(warm, range(options.workers)))
        for specimen in options.specimens:
            for mpp in options.mpp:
                jobs = specs(specimen, mpp, options.slides)
                paths = [str(Path(folder) / f"simulated-{number}.tif") for number in range(len(jobs))]
                start = time.perf_counter()
                done = list(pool.map(make, jobs, paths))
                seconds = time.perf_counter() - start
                pixels = sum(row[0] for row in done)
                tissue = sum(row[1] for row in done) / (pixels * (mpp / 1000) ** 2)
                cpu = sum(row[2] for row in done)
                table.add_row(
                    specimen, f"{mpp:g}", str(len(jobs)), f"{pixels / 1e6:.0f}", f"{tissue:.0%}", f"{seconds:.1f}",  # noqa: E501
                    f"{pixels / 1e6 / seconds:.1f}", f"{cpu:.1f}", f"{pixels / 1e6 / cpu:.1f}",
                    f"{max(row[3] for row in done):.0f}",
                )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
