"""Patch reading: patches a second against OpenSlide, fastslide and bare decoding, in one run.

Two JPEG TIFFs at 0.25 um/px are made once in a temporary folder: "half" has levels 0.25, 0.5, 1, 2, 4 um/px,
"quarter" has 0.25, 1, 4 as most scanners write. Patches are 256 px at 0.5 um/px. Every contestant uses the
same number of threads; the best of several interleaved rounds counts. Beside the rates stand the ratios in
processor seconds, which other work on the machine disturbs less. Prints one JSON object.

    python benchmarks/patches.py [--rounds 5] [--threads 2] [--memory]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SIDE = 20_480
TILE = 256
MPP = 0.25
COUNTS = (1_000, 20_000, 200_000)


def texture(size: int) -> Any:
    """Something with the detail of tissue: cells of several sizes in haematoxylin and DAB, with grain."""
    import cv2
    import numpy as np

    draw = np.random.default_rng(0)
    od = np.full((size, size, 3), 0.03, np.float32)
    for colour, sigma, amount in (
        ((0.65, 0.70, 0.29), 5, 0.9),
        ((0.27, 0.57, 0.78), 3, 0.6),
        ((0.6, 0.6, 0.4), 40, 0.5),
    ):
        field = cv2.GaussianBlur(draw.normal(size=(size, size)).astype(np.float32), (0, 0), sigma)
        field = np.maximum(field / field.std() - 0.5, 0) * amount * 0.3
        od += field[..., None] * np.asarray(colour, np.float32)
    rgb = 10**-od * 240 + draw.normal(0, 2, od.shape).astype(np.float32)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def write_slide(path: Path, factors: tuple[int, ...], side: int = SIDE) -> Path:
    """A pyramidal JPEG TIFF whose tiles repeat one 2048 px square, so that writing it takes seconds."""
    import cv2
    import imagecodecs
    import tifffile

    square = texture(2048)
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for factor in factors:
            level = (
                cv2.resize(square, (2048 // factor,) * 2, interpolation=cv2.INTER_AREA)
                if factor > 1
                else square
            )
            repeat = -(-TILE // len(level))
            level = cv2.repeat(level, repeat, repeat)
            count = len(level) // TILE
            coded = [
                imagecodecs.jpeg_encode(
                    level[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE],
                    level=80,
                    colorspace="rgb",
                    outcolorspace="ycbcr",
                    subsampling="420",
                )
                for y in range(count)
                for x in range(count)
            ]
            tiles = -(-side // factor // TILE)
            order = ((y % count) * count + x % count for y in range(tiles) for x in range(tiles))
            writer.write(
                (coded[index] for index in order),
                shape=(side // factor, side // factor, 3),
                dtype="uint8",
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(2, 2),
                subfiletype=int(factor > 1),
                metadata=None,
                resolution=(1e4 / (MPP * factor),) * 2,
                resolutionunit="CENTIMETER",
            )
    return path


def make_grid(slide: Any, recipe: Any, patches: int) -> Any:
    """The first `patches` patches of a grid over the whole slide, all of it tissue."""
    import dataclasses

    import numpy as np

    from lowpower.tissue import MaskNumbers, Tissue, TissueQC
    from lowpower.units import Box, Mpp
    from lowpower.views._patches import plan_patches

    white = np.full(3, 255, np.float32)
    numbers = MaskNumbers(0.5, *[0.0] * 8, 0.5, 0.2)
    mask = np.ones((256, 256), bool)
    tissue = Tissue(
        mask,
        Mpp(slide.mpp * slide.size[0] / 256),
        1.0,
        (),
        white,
        "default",
        TissueQC(numbers, ()),
        Box(0, 0, *slide.size),
        np.zeros((256, 256), bool),
        np.zeros((256, 256), np.uint8),
    )
    grid = plan_patches(slide, tissue, recipe)
    take = slice(0, min(patches, len(grid)))
    return dataclasses.replace(
        grid, positions=grid.positions[take], coords=grid.coords[take], tissue=grid.tissue[take]
    )


def ours(path: Path, overlap: float, shift: bool, patches: int, threads: int) -> float:
    """Patches a second of `read_patches`."""
    import dataclasses

    from lowpower.slides import open_slide
    from lowpower.views._patch_stream import read_patches
    from lowpower.views._patches import PatchRecipe

    with open_slide(path) as slide:
        grid = make_grid(slide, PatchRecipe(mpp=0.5, size=256, overlap=overlap, min_tissue=0.9), patches)
        if shift:
            grid = dataclasses.replace(grid, positions=grid.positions + 77, coords=grid.coords + 154)
        begin = time.perf_counter()
        read = sum(len(some.index) for some in read_patches(slide, grid, threads=threads))
        return read / (time.perf_counter() - begin)


def boxes(patches: int, side: int = SIDE) -> Iterator[tuple[int, int]]:
    """Upper left corners, base pixels, of 256 px patches at 0.5 um/px in row order."""
    corners = ((x, y) for y in range(0, side - 511, 512) for x in range(0, side - 511, 512))
    return itertools.islice(corners, patches)


def each(read: Callable[[tuple[int, int]], Any], patches: int, threads: int) -> float:
    """Patches a second of `read`, one patch a call, the calls shared out to threads."""
    corners = list(boxes(patches))
    with ThreadPoolExecutor(threads) as pool:
        begin = time.perf_counter()
        for _ in pool.map(read, corners, chunksize=16):
            pass
        return len(corners) / (time.perf_counter() - begin)


def openslide_rate(path: Path, patches: int, threads: int) -> float:
    """OpenSlide, one region per patch from the cheapest level that is fine enough, shrunk by area."""
    import cv2
    import numpy as np
    import openslide

    with openslide.OpenSlide(path) as slide:
        level = slide.get_best_level_for_downsample(2.0 + 1e-3)
        size = round(512 / slide.level_downsamples[level])

        def read(corner: tuple[int, int]) -> Any:
            pixels = np.asarray(slide.read_region(corner, level, (size, size)).convert("RGB"))
            return pixels if size == 256 else cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA)

        return each(read, patches, threads)


def fastslide_rate(path: Path, patches: int, threads: int) -> float:
    """fastslide, one region per patch."""
    import cv2
    import fastslide
    import numpy as np

    slide = fastslide.FastSlide.from_file_path(path)
    downsamples = [slide.level_dimensions[0][0] / width for width, _ in slide.level_dimensions]
    level = max(index for index, downsample in enumerate(downsamples) if downsample <= 2.001)
    factor = round(downsamples[level])

    def read(corner: tuple[int, int]) -> Any:
        size = 512 // factor
        region = slide.read_region((corner[0] // factor, corner[1] // factor), level, (size, size))
        pixels = np.asarray(region.numpy())
        return pixels if size == 256 else cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA)

    return each(read, patches, threads)


def floor_rate(path: Path, patches: int, threads: int) -> float:
    """Tifffile + imagecodecs: decode the segments under the patches, each once, and nothing else."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        pages = [page for page in file.pages if page.imagewidth * 2 >= SIDE]
        page = min(pages, key=lambda page: page.imagewidth)
        factor = round(SIDE / page.imagewidth)
        across = -(-page.imagewidth // TILE)
        tiles = 512 // factor // TILE
        wanted = [
            (y // factor // TILE + down) * across + x // factor // TILE + right
            for x, y in boxes(patches)
            for down in range(tiles)
            for right in range(tiles)
        ]
        handle = file.filehandle
        offsets, counts = page.dataoffsets, page.databytecounts

        def decode(index: int) -> None:
            data = os.pread(handle.fileno(), counts[index], offsets[index])
            page.decode(data, index, jpegtables=page.jpegtables)

        with ThreadPoolExecutor(threads) as pool:
            begin = time.perf_counter()
            for _ in pool.map(decode, wanted, chunksize=16):
                pass
            return patches / (time.perf_counter() - begin)


def compare(path: Path, patches: int, rounds: int, threads: int) -> dict[str, float]:
    """Best rate of every contestant, rounds interleaved."""
    contestants: dict[str, Callable[[], float]] = {
        "floor": lambda: floor_rate(path, patches, threads),
        "lowpower": lambda: ours(path, 0.0, False, patches, threads),
        "fastslide": lambda: fastslide_rate(path, patches, threads),
        "openslide": lambda: openslide_rate(path, patches, threads),
        "lowpower unaligned": lambda: ours(path, 0.0, True, patches, threads),
        "lowpower overlap 0.5": lambda: ours(path, 0.5, False, patches, threads),
    }
    best = dict.fromkeys(contestants, 0.0)
    processor = dict.fromkeys(contestants, 1e9)
    for _ in range(rounds):
        for name, run in contestants.items():
            begin = time.process_time()
            best[name] = max(best[name], run())
            processor[name] = min(processor[name], time.process_time() - begin)
    rates = {name: round(rate) for name, rate in best.items()}
    return {
        **rates,
        "x openslide": round(best["lowpower"] / best["openslide"], 2),
        "x floor": round(best["lowpower"] / best["floor"], 3),
        "x floor, unaligned": round(best["lowpower unaligned"] / best["floor"], 3),
        "x openslide, processor": round(processor["openslide"] / processor["lowpower"], 2),
        "x floor, processor": round(processor["floor"] / processor["lowpower"], 3),
        "x floor, unaligned, processor": round(processor["floor"] / processor["lowpower unaligned"], 3),
    }


MEMORY = """
import sys
sys.path.insert(0, {folder!r})
import patches
from pathlib import Path
from lowpower.slides import open_slide
from lowpower.views._patch_stream import read_patches
from lowpower.views._patches import PatchRecipe
with open_slide(Path({path!r})) as slide:
    recipe = PatchRecipe(mpp=0.25, size={size}, overlap={overlap}, min_tissue=0.0)
    grid = patches.square(patches.make_grid(slide, recipe, 10**9), {count})
    seen = sum(len(some.index) for some in read_patches(slide, grid))
# Not ru_maxrss, which a child inherits from its parent.
peak = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(seen, int(peak[0].split()[1]) / 1024)
"""


def square(grid: Any, patches: int) -> Any:
    """A square piece of a grid with about this many patches: a small or a large piece of tissue."""
    import dataclasses

    import numpy as np

    edge = [np.unique(grid.positions[:, axis])[: round(patches**0.5)][-1] for axis in (0, 1)]
    keep = (grid.positions <= edge).all(axis=1)
    return dataclasses.replace(
        grid, positions=grid.positions[keep], coords=grid.coords[keep], tissue=grid.tissue[keep]
    )


def memory(path: Path) -> dict[str, float]:
    """Peak MiB of a fresh process that streams square pieces of a slide, of few and many patches."""
    peaks = {}
    cases = [(size, overlap, count) for size, overlap in ((64, 0.0), (256, 0.75)) for count in COUNTS]
    for size, overlap, count in cases:
        code = MEMORY.format(
            folder=str(Path(__file__).parent), path=str(path), size=size, overlap=overlap, count=count
        )
        told = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        peaks[f"peak MiB, {size} px, overlap {overlap}, {int(told[0])} patches"] = round(float(told[1]), 1)
    return peaks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patches", type=int, default=1600)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        half = write_slide(Path(folder) / "half.tif", (1, 2, 4, 8, 16))
        quarter = write_slide(Path(folder) / "quarter.tif", (1, 4, 16))
        told: dict[str, Any] = {}
        for path in (half, quarter):
            told[path.stem] = compare(path, options.patches, options.rounds, options.threads)
        if options.memory:
            told["memory"] = memory(write_slide(Path(folder) / "large.tif", (1, 4), side=28_672))
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
