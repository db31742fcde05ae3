"""Reads patches of a slide with one library, and says how long the processor took.

    python contestants.py NAME SLIDE FACTOR PATCHES

Run by `benchmarks/race`, each library in an environment of its own: here is nothing but numpy, Pillow and the
library. Patches are 256 px, `FACTOR` base pixels a side averaged into one, in row order, on the tile grid.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

SIDE = 256
PACKAGES = {
    "bare": ("tifffile", "imagecodecs"),
    "reduced": ("tifffile", "simplejpeg"),
    "lowpower": ("lowpower",),
    "openslide": ("openslide-python", "openslide-bin"),
    "fastslide": ("fastslide",),
    "tiffslide": ("tiffslide", "tifffile"),
    "large-image": ("large-image", "large-image-source-tifffile"),
    "tiatoolbox": ("tiatoolbox",),
    "lazyslide": ("lazyslide", "wsidata"),
}


def corners(width: int, height: int, step: int, patches: int) -> Iterator[tuple[int, int]]:
    """Upper left corners of patches of `step` base pixels, in row order."""
    whole = ((x, y) for y in range(0, height - step + 1, step) for x in range(0, width - step + 1, step))
    return itertools.islice(whole, patches)


def averaged(pixels: Any, factor: int) -> Any:
    """An image averaged by a whole factor, as Pillow does it."""
    from PIL import Image

    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    return image.convert("RGB").reduce(factor)


def decoder(path: Path, factor: int, patches: int, *, reduced: bool) -> Callable[[], int]:
    """Bare decoding: every tile under the patches once, no averaging, nothing put together.

    Args:
        path: The slide.
        factor: Base pixels a side of a patch's pixel.
        patches: How many.
        reduced: Let the decoder leave out the frequencies that averaging would.
    """
    import numpy as np
    import tifffile

    page: Any = tifffile.TiffFile(path).pages[0]
    across = -(-page.imagewidth // SIDE)
    wanted = [
        (y // SIDE + down) * across + x // SIDE + right
        for x, y in corners(page.imagewidth, page.imagelength, SIDE * factor, patches)
        for down in range(factor)
        for right in range(factor)
    ]
    handle = os.open(path, os.O_RDONLY)
    tables = page.jpegtables

    def read() -> int:
        if not reduced:
            import imagecodecs

            whole = np.empty((SIDE, SIDE, 3), np.uint8)
            for index in wanted:
                data = os.pread(handle, page.databytecounts[index], page.dataoffsets[index])
                imagecodecs.jpeg8_decode(
                    data, tables=tables, colorspace="YCBCR", outcolorspace="RGB", out=whole
                )
            return len(wanted) // factor**2
        import simplejpeg

        small = SIDE // factor
        for index in wanted:
            data = os.pread(handle, page.databytecounts[index], page.dataoffsets[index])
            if tables is not None:
                data = tables[:-2] + data[2:]
            simplejpeg.decode_jpeg(data, "RGB", min_height=small, min_width=small)
        return len(wanted) // factor**2

    return read


def lowpower(path: Path, factor: int, patches: int) -> Callable[[], int]:
    """`read_patches`, one thread."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from lowpower.slides import open_slide
    from lowpower.views import PatchRecipe, read_patches
    from patches import make_grid

    slide = open_slide(path)
    recipe = PatchRecipe(mpp=slide.mpp * factor, size=SIDE, overlap=0.0, min_tissue=0.9)
    grid = make_grid(slide, recipe, patches)
    return lambda: sum(len(some.index) for some in read_patches(slide, grid, threads=1))


def openslide(path: Path, factor: int, patches: int) -> Callable[[], int]:
    """A region a patch, from level 0."""
    from openslide import OpenSlide

    slide = OpenSlide(path)
    wanted = list(corners(*slide.dimensions, SIDE * factor, patches))
    size = (SIDE * factor, SIDE * factor)
    return lambda: len([averaged(slide.read_region(corner, 0, size), factor) for corner in wanted])


def tiffslide(path: Path, factor: int, patches: int) -> Callable[[], int]:
    """A region a patch, from level 0."""
    from tiffslide import TiffSlide

    slide = TiffSlide(path)
    wanted = list(corners(*slide.dimensions, SIDE * factor, patches))
    size = (SIDE * factor, SIDE * factor)
    return lambda: len([averaged(slide.read_region(corner, 0, size), factor) for corner in wanted])


def fastslide(path: Path, factor: int, patches: int) -> Callable[[], int]:
    """A region a patch, from level 0."""
    from fastslide import FastSlide

    slide = FastSlide.from_file_path(str(path))
    wanted = list(corners(*slide.level_dimensions[0], SIDE * factor, patches))
    size = (SIDE * factor, SIDE * factor)
    return lambda: len([averaged(slide.read_region(corner, 0, size).numpy(), factor) for corner in wanted])


def large_image(path: Path, factor: int, patches: int) -> Callable[[], int]:
    """`tileIterator` over patches, scaled by the library."""
    import large_image as library

    source = library.open(str(path), noCache=True)
    base = source.getMetadata()
    magnification = base["magnification"] or 40.0
    columns = base["sizeX"] // (SIDE * factor)
    rows = -(-patches // columns)

    def read() -> int:
        tiles = source.tileIterator(
            region={"left": 0, "top": 0, "width": columns * SIDE * factor, "height": rows * SIDE * factor},
            scale={"magnification": magnification / factor},
            tile_size={"width": SIDE, "height": SIDE},
            format=library.tilesource.TILE_FORMAT_NUMPY,
        )
        return sum(1 for tile in itertools.islice(tiles, patches) if tile["tile"].shape[0] == SIDE)

    return read


def tiatoolbox(path: Path, factor: int, patches: int) -> Callable[[], int]:
    """`read_rect` at the wanted um/px."""
    from tiatoolbox.wsicore.wsireader import WSIReader

    slide = WSIReader.open(path)
    width, height = slide.info.slide_dimensions
    wanted = list(corners(width, height, SIDE * factor, patches))
    resolution = float(slide.info.mpp[0]) * factor
    return lambda: len([slide.read_rect(corner, (SIDE, SIDE), resolution, "mpp") for corner in wanted])


def lazyslide(path: Path, factor: int, patches: int) -> Callable[[], int]:
    """The reader below it, a region a patch, from level 0."""
    from wsidata import open_wsi

    reader = open_wsi(str(path)).reader
    height, width = reader.properties.shape
    wanted = list(corners(width, height, SIDE * factor, patches))
    size = SIDE * factor
    return lambda: len([averaged(reader.get_region(x, y, size, size, level=0), factor) for x, y in wanted])


READERS: dict[str, Callable[[Path, int, int], Callable[[], int]]] = {
    "bare": lambda path, factor, patches: decoder(path, factor, patches, reduced=False),
    "reduced": lambda path, factor, patches: decoder(path, factor, patches, reduced=True),
    "lowpower": lowpower,
    "openslide": openslide,
    "tiffslide": tiffslide,
    "fastslide": fastslide,
    "large-image": large_image,
    "tiatoolbox": tiatoolbox,
    "lazyslide": lazyslide,
}


def main() -> None:
    name, path, factor, patches = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    read = READERS[name](path, factor, patches)
    read()  # what is loaded and built for the first patch is no part of the race
    started, processor = time.perf_counter(), time.process_time()
    count = read()
    said = {"patches": count, "processor": time.process_time() - processor}
    said |= {"wall": time.perf_counter() - started}
    said |= {"versions": {package: metadata.version(package) for package in PACKAGES[name]}}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
