"""Reading whole slides: seconds of `overview` over bare decoding of the tiles it needs, in one run.

A 24,000 x 20,000 px JPEG pyramidal TIFF of 0.25 um/px (138 MB; levels 0.25, 0.5, 1, 2, 4) is made once in a
temporary folder. The floor is tifffile + imagecodecs decoding every tile of the level used on the same number
of threads, and nothing else: no assembling, no averaging. Rounds are interleaved and the best counts; ratios
in processor seconds stand beside those in wall seconds, for they suffer less from other work on the machine.
`flat` is the peak memory of a process that reads a flat slide of one level at 8 um/px. Prints one JSON
object.

    python benchmarks/reading.py [--rounds 5] [--threads 2] [--slide FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 24_000, 20_000
TILE = 256
MPP = 0.25
VIEWS = (0.5, 0.7, 1.0, 1.018, 2.0, 3.1, 8.0)
FLAT = """
import sys
from pathlib import Path
from lowpower.slides import open_slide
def peak():  # of this process alone; getrusage counts what was there before exec
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
with open_slide(sys.argv[1]) as slide:
    slide.overview(8.0)
print(before, peak())
"""


def write_slide(path: Path, levels: int) -> Path:
    """Something with the detail of tissue, drawn once as a square and repeated with shifts."""
    import cv2
    import numpy as np
    import tifffile

    from patches import texture

    square = texture(4096)
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for number, top in enumerate(range(0, HEIGHT, 4096)):
        row = np.roll(square, 977 * number, axis=1)
        for left in range(0, WIDTH, 4096):
            part = image[top : top + 4096, left : left + 4096]
            part[:] = row[: part.shape[0], : part.shape[1]]
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(levels):
            writer.write(
                image, tile=(TILE, TILE), photometric="rgb", compression="jpeg", metadata=None,
                compressionargs={"level": 82}, subfiletype=int(level > 0),
                resolution=(1e4 / (MPP * 2**level),) * 2, resolutionunit="CENTIMETER",
            )  # fmt: skip
            image = cv2.resize(
                image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA
            )
    return path


def floor(path: Path, level: int, threads: int) -> Callable[[], Any]:
    """Decodes every tile of a level and throws it away."""
    import tifffile

    file = tifffile.TiffFile(path)
    page = file.pages[level]
    offsets, counts = page.dataoffsets, page.databytecounts

    def decode(index: int) -> None:
        page.decode(os.pread(file.filehandle.fileno(), counts[index], offsets[index]), index)

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(decode, range(len(offsets)), chunksize=16):
                pass

    return run


def fastslide_level(path: Path, level: int) -> Callable[[], Any]:
    """Fastslide, the level in full-width strips of four tiles; it uses threads of its own."""
    import fastslide

    slide = fastslide.FastSlide.from_file_path(path, cache=None)
    width, height = slide.level_dimensions[level]

    def run() -> None:
        for top in range(0, height, 4 * TILE):
            slide.read_region((0, top), level, (width, min(4 * TILE, height - top))).numpy()

    return run


def openslide_level(path: Path, level: int) -> Callable[[], Any]:
    """OpenSlide, the level in strips, one thread."""
    import numpy as np
    import openslide

    slide = openslide.OpenSlide(path)
    width, height = slide.level_dimensions[level]
    factor = round(slide.level_downsamples[level])

    def run() -> None:
        for top in range(0, height, 4 * TILE):
            np.asarray(slide.read_region((0, top * factor), level, (width, min(4 * TILE, height - top))))

    return run


def best(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Least wall and processor seconds of each, rounds interleaved, after one round that warms up."""
    least = dict.fromkeys(contestants, (1e9, 1e9))
    for number in range(rounds + 1):
        for name, run in contestants.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            if number:
                least[name] = (min(least[name][0], wall), min(least[name][1], processor))
    return least


def compare(path: Path, rounds: int, threads: int) -> dict[str, Any]:
    """Every view against the floor of its level; two libraries at the level of 1 um/px."""
    from lowpower.slides import open_slide

    with open_slide(path, threads=threads) as slide:
        levels = {mpp: slide._level_for(mpp) for mpp in VIEWS}
        contestants: dict[str, Callable[[], Any]] = {
            f"floor {level}": floor(path, level, threads) for level in sorted(set(levels.values()))
        }
        contestants |= {f"view {mpp}": (lambda mpp=mpp: slide.overview(mpp)) for mpp in VIEWS}
        contestants["fastslide, level of 1 um/px"] = fastslide_level(path, levels[1.0])
        contestants["openslide, level of 1 um/px"] = openslide_level(path, levels[1.0])
        contestants["open"] = lambda: open_slide(path).close()
        least = best(contestants, rounds)
    views = {}
    for mpp, level in levels.items():
        wall, processor = least[f"view {mpp}"]
        floor_wall, floor_processor = least[f"floor {level}"]
        views[f"{mpp} um/px"] = {
            "seconds": round(wall, 4),
            "x floor": round(wall / floor_wall, 2),
            "x floor, processor": round(processor / floor_processor, 2),
        }
    reference = least[f"floor {levels[1.0]}"]
    others = {
        name: {
            "x floor": round(least[name][0] / reference[0], 2),
            "x floor, processor": round(least[name][1] / reference[1], 2),
        }
        for name in contestants
        if "level of" in name
    }
    return {"open_ms": round(1000 * least["open"][0], 1), "views": views, "others": others}


def flat_memory(path: Path) -> dict[str, int]:
    """Peak megabytes of a process before and after reading a flat slide; Linux only."""
    done = subprocess.run([sys.executable, "-c", FLAT, str(path)], capture_output=True, text=True, check=True)
    before, after = (int(number) for number in done.stdout.split())
    return {"before_mb": before, "peak_mb": after}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slide", type=Path, help="a JPEG pyramidal TIFF to read instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.slide or write_slide(Path(folder) / "pyramid.tif", 5)
        report = {
            "slide_mb": round(path.stat().st_size / 1e6),
            "threads": options.threads,
            **compare(path, options.rounds, options.threads),
        }
        if options.slide is None:
            report["flat"] = flat_memory(write_slide(Path(folder) / "flat.tif", 1))
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
