"""Scoring one 24,000 x 20,000 px slide against its floor, as ratios within one run.

    python benchmarks/score_slide.py [--slide FILE] [--repeats 5]

The floor is what nobody can avoid: decoding the pixels that tissue finding and the view need (tifffile and
imagecodecs, the same threads), and the bare forward pass of the network over the view. The slide is made on
the spot from simulated discs. Also told: import time, `lowpower --help`, and peak memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile

WIDTH, HEIGHT, MPP, THREADS = 24_000, 20_000, 0.25, 2


def make_slide(path: Path) -> None:
    """Twelve simulated discs on glass, JPEG tiles, levels at 0.25, 1 and 4 um/px."""
    from lowpower.simulate import CohortSpec, cohort_members, simulate_slide
    from lowpower.slides import open_slide

    spec = CohortSpec(
        name="simulated-bench", patients=2, mpp=(MPP, MPP), artefacts=0.0, controls=0.0, second_slide=0.0
    )
    canvas = np.full((HEIGHT, WIDTH, 3), (236, 235, 243), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        discs = []
        for member in cohort_members(spec):
            file = Path(folder) / member.file
            simulate_slide(member.spec, file)
            with open_slide(file) as slide:
                discs.append(slide.overview(slide.mpp))
    for number in range(12):
        disc = discs[number % 2]
        y, x = number // 4 * 6600 + 200, number % 4 * 5950 + 100
        part = canvas[y : y + disc.shape[0], x : x + disc.shape[1]]
        part[...] = disc[: part.shape[0], : part.shape[1]]
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(3):
            factor = 4**level
            image = (
                canvas
                if level == 0
                else cv2.resize(canvas, (WIDTH // factor, HEIGHT // factor), interpolation=cv2.INTER_AREA)
            )
            pixels = 1e4 / (MPP * factor)
            writer.write(
                image,
                tile=(256, 256),
                compression="jpeg",
                compressionargs={"level": 95},
                photometric="rgb",
                resolution=(pixels, pixels),
                resolutionunit="CENTIMETER",
                subfiletype=int(level > 0),
                maxworkers=THREADS,
            )


def decode_floor(path: Path, levels: list[int]) -> None:
    """Decode every tile of some levels, nothing else."""
    with tifffile.TiffFile(path) as tiff, ThreadPoolExecutor(THREADS) as pool, path.open("rb") as stream:
        for level in levels:
            page = tiff.pages[level]
            tables = page.jpegtables
            segments = []
            for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
                stream.seek(offset)
                segments.append(stream.read(size))
            for _ in pool.map(
                lambda data, tables=tables: imagecodecs.jpeg8_decode(
                    data, tables=tables, outcolorspace="RGB"
                ),
                segments,
            ):
                pass


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """Median processor seconds (of all threads) after one warm-up: other work disturbs them least."""
    function()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        function()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def command_seconds(*command: str) -> float:
    """Median seconds by the clock of a command."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def forward_floor(model: object, view: object) -> Callable[[], object]:
    """The bare network over the whole view in one piece."""
    import torch

    from lowpower.models import to_tensors

    network = model.network.eval()
    image, mask = to_tensors(view.image, view.mask, view.white_point, network.pad_multiple)
    image = image.contiguous(memory_format=torch.channels_last)

    def forward() -> object:
        with torch.inference_mode():
            return network(image, mask)

    return forward


def peak_gigabytes() -> float:
    """High-water mark of this process's resident memory (Linux; `ru_maxrss` is inherited from the parent)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--slide", type=Path, help="use this slide; by default one is made in the temporary folder"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", default="her2-sim")
    parser.add_argument("--peak", action="store_true", help="score --slide once, tell the peak memory")
    options = parser.parse_args()
    if options.repeats == 0:
        make_slide(options.slide)
        return
    if options.peak:
        import lowpower as lp

        lp.score(options.slide, options.model, measure=False)
        print(peak_gigabytes())
        return
    started = time.perf_counter()
    import torch

    import lowpower as lp
    from lowpower.models import load_bundle
    from lowpower.views import make_view

    bundle = load_bundle(options.model)
    import_seconds = time.perf_counter() - started
    torch.set_num_threads(THREADS)
    path: Path = options.slide or Path(tempfile.gettempdir()) / "lowpower-bench-24000x20000.tif"
    if not path.exists():
        # In a process of its own, so that this one's peak memory is that of scoring.
        subprocess.run([sys.executable, __file__, "--slide", str(path), "--repeats", "0"], check=True)
    with lp.open_slide(path) as slide:
        tissue = lp.find_tissue(slide)
        view = make_view(slide, tissue, bundle.recipe)
    wanted = {1.0, float(bundle.recipe.mpp)}
    levels = sorted({max(k for k in range(3) if MPP * 4**k <= mpp) for mpp in wanted})
    decode = median_seconds(lambda: decode_floor(path, levels), options.repeats)
    forward = median_seconds(forward_floor(bundle, view), options.repeats)
    whole = median_seconds(lambda: lp.score(path, bundle, pictures=False, measure=False), options.repeats)
    pictured = median_seconds(lambda: lp.score(path, bundle, measure=False), options.repeats)
    result = lp.score(path, bundle, pictures=False, measure=False)
    python = sys.executable
    alone = [python, __file__, "--slide", str(path), "--model", options.model, "--peak"]
    peak = float(subprocess.run(alone, check=True, capture_output=True, text=True).stdout)
    figures = {
        "slide_megabytes": round(path.stat().st_size / 1e6, 1),
        "decode_seconds": round(decode, 3),
        "forward_seconds": round(forward, 3),
        "score_seconds": round(whole, 3),
        "score_over_floor": round(whole / (decode + forward), 2),
        "with_overlay_over_floor": round(pictured / (decode + forward), 2),
        "steps": result.timings,
        "peak_gigabytes": round(peak, 2),
        "import_seconds": round(import_seconds, 2),
        "help_seconds": round(command_seconds(python, "-m", "lowpower", "--help"), 2),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
