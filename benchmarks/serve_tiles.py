"""How soon tiles come out of a department's service while 20 viewers pan, beside OpenSlide and Pillow.

The whole service runs on loopback in a process of its own (rights, database, log, reader); the same service
runs a second time, its tiles cut by `openslide.deepzoom` and saved by Pillow at the same quality. Both serve
one tiled JPEG TIFF of 20,480 x 20,480 px, made of copies of the simulated slide. Rounds are interleaved.

- Panning, as people do: each viewer loads a screen (5 x 4 tiles) over a browser's six connections, waits for
  all of it, looks at it for `--look` seconds, drags it on by two columns or rows (8 or 10 new tiles), and at
  every fifth step goes to another place and level. What a viewer has seen is in the browser's cache.
- In haste: the same without looking, which shows how many tiles a second come out at most.

Prints one JSON object; processor time of the service suffers less from other work on the machine than waiting
does. Takes about 90 seconds.

    python benchmarks/serve_tiles.py [--viewers 20] [--seconds 10] [--database postgresql://USER@HOST/EMPTY]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import psutil
import simplejpeg
import tifffile
from numpy.typing import NDArray

import lowpower as lp
from common.running_service import running_service

TILE, QUALITY, MPP = 256, 88, 0.5
SCREEN, CONNECTIONS, STEPS_A_LEVEL = (5, 4), 6, 5
PATTERN, COPIES = 2560, 8
AS_OPENSLIDE = "--tiles-by-openslide"


def make_slide(path: Path) -> None:
    """A tiled JPEG TIFF of three levels, 1, 4 and 16, as scanners write them."""
    with lp.open_slide(lp.sample()) as slide:
        base = slide.read(lp.Box(0, 0, PATTERN, PATTERN), float(slide.mpp))
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for shrink in (1, 4, 16):
            side = PATTERN // shrink
            small = cv2.resize(base, (side, side), interpolation=cv2.INTER_AREA)
            whole = side * COPIES
            file.write(
                encoded_tiles(small, whole), shape=(whole, whole, 3), dtype=np.uint8, tile=(TILE, TILE),
                photometric="ycbcr", compression="jpeg", subsampling=(2, 2), subfiletype=int(shrink > 1),
            )  # fmt: skip


def encoded_tiles(pattern: NDArray[np.uint8], whole: int) -> Iterator[bytes]:
    """The tiles of copies of a pattern side by side, row by row; each that differs is encoded once."""
    known: dict[tuple[int, int], bytes] = {}
    for top in range(0, whole, TILE):
        for left in range(0, whole, TILE):
            at = top % len(pattern), left % len(pattern)
            if at not in known:
                rows, columns = (np.arange(begin, begin + TILE) % len(pattern) for begin in at)
                pixels = np.ascontiguousarray(pattern[np.ix_(rows, columns)])
                known[at] = simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="420")
            yield known[at]


def serve_by_openslide() -> None:
    """The service, its tiles cut and encoded by OpenSlide's DeepZoom and Pillow."""
    from openslide import OpenSlide
    from openslide.deepzoom import DeepZoomGenerator

    from lowpower.__main__ import main as lowpower_main
    from lowpower.serve import _tiles

    known: dict[Path, DeepZoomGenerator] = {}

    def tile(image: _tiles.SlideImage, level: int, column: int, row: int) -> bytes:
        path = image.slide.path
        if path not in known:
            known[path] = DeepZoomGenerator(OpenSlide(path), tile_size=TILE, overlap=0, limit_bounds=True)
        jpeg = io.BytesIO()
        known[path].get_tile(level, (column, row)).save(jpeg, "JPEG", quality=QUALITY)
        return jpeg.getvalue()

    _tiles.SlideImage.tile = tile
    lowpower_main()


class Viewer:
    """A person with a browser."""

    def __init__(self, number: int, address: str, key: str, token: str, image: dict[str, int]) -> None:
        self._chance = random.Random(number)
        self._key, self._image, self._number = key, image, number
        there = urlsplit(address)
        self._there = there.hostname, there.port
        self._head = (
            f"Host: {there.netloc}\r\nAuthorization: Bearer {token}\r\nConnection: keep-alive\r\n\r\n"
        )
        self._idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.Queue()
        for _ in range(CONNECTIONS):
            self._idle.put_nowait(None)
        self._seen: set[tuple[int, int, int]] = set()
        self.waited: list[float] = []
        self.screens: list[float] = []

    async def pan(self, until: float, look: float) -> None:
        """Look about until it is time to stop."""
        await asyncio.sleep(self._chance.uniform(0, look))
        while time.perf_counter() < until:
            top = self._image["top_level"]
            level = top - self._chance.randrange(4)
            across, down = (
                max(1, -(-self._image[side] // (TILE * 2 ** (top - level)))) for side in ("width", "height")
            )
            x, y = self._chance.randrange(across), self._chance.randrange(down)
            for _ in range(STEPS_A_LEVEL):
                shown = {
                    (level, (x + i) % across, (y + j) % down)
                    for i in range(SCREEN[0])
                    for j in range(SCREEN[1])
                }
                began = time.perf_counter()
                await asyncio.gather(*(self._get(tile) for tile in sorted(shown - self._seen)))
                if shown - self._seen:
                    self.screens.append(time.perf_counter() - began)
                self._seen |= shown
                if time.perf_counter() > until:
                    break
                await asyncio.sleep(look * self._chance.uniform(0.5, 1.5))
                step = self._chance.choice(((2, 0), (-2, 0), (0, 2), (0, -2)))
                x, y = (x + step[0]) % across, (y + step[1]) % down
        while not self._idle.empty():
            held = self._idle.get_nowait()
            if held is not None:
                held[1].close()

    async def _get(self, tile: tuple[int, int, int]) -> None:
        began = time.perf_counter()  # a browser's queue for its six connections counts as waiting
        held = await self._idle.get()
        try:
            held = held or await asyncio.open_connection(*self._there)
            await self._ask(*held, tile)
        except (ConnectionError, asyncio.IncompleteReadError):  # the server closed it in a long pause
            held = await asyncio.open_connection(*self._there)
            await self._ask(*held, tile)
        self.waited.append(time.perf_counter() - began)
        self._idle.put_nowait(held)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tile: tuple[int, int, int]
    ) -> None:
        level, column, row = tile
        path = f"/v1/slides/{self._key}/tiles/{level}/{column}_{row}.jpg?v=0"
        writer.write(f"GET {path} HTTP/1.1\r\n{self._head}".encode())
        told = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not told.startswith(b"http/1.1 200"):
            raise RuntimeError(told.decode())
        await reader.readexactly(int(told.split(b"content-length: ")[1].split(b"\r\n")[0]))


async def pan(viewers: list[Viewer], seconds: float, look: float) -> None:
    until = time.perf_counter() + seconds
    await asyncio.gather(*(viewer.pan(until, look) for viewer in viewers))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--viewers", type=int, default=20)
    options.add_argument("--seconds", type=float, default=10.0, help="of a round of panning")
    options.add_argument("--look", type=float, default=1.0, help="seconds that a viewer looks at a screen")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--database")
    given = options.parse_args()
    seen: dict[tuple[str, str], list[tuple[float, float, list[Viewer]]]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as services:
        slide = Path(folder) / "slide.tif"
        make_slide(slide)
        served = {}
        for name, by in (("lowpower", ("-m", "lowpower")), ("openslide", (__file__, AS_OPENSLIDE))):
            database = given.database if name == "lowpower" else None
            client, address, token, number = services.enter_context(
                running_service(Path(folder) / name, database, workers=0, by=by)
            )
            key, _ = client.upload(slide, mpp=MPP)
            asked = urllib.request.Request(
                f"{address}/v1/slides/{key}", headers={"Authorization": f"Bearer {token}"}
            )
            image = json.load(urllib.request.urlopen(asked))["image"]
            served[name] = address, key, token, image, psutil.Process(number)
        for turn in range(given.rounds):
            for way, look in (("panning", given.look), ("in haste", 0.0)):
                for name, (address, key, token, image, process) in served.items():
                    begin = 1000 * turn + (500 if way == "in haste" else 0)
                    viewers = [
                        Viewer(begin + viewer, address, key, token, image) for viewer in range(given.viewers)
                    ]
                    used, began = sum(process.cpu_times()[:2]), time.perf_counter()
                    asyncio.run(pan(viewers, given.seconds if look else given.seconds / 2, look))
                    used, wall = sum(process.cpu_times()[:2]) - used, time.perf_counter() - began
                    seen.setdefault((way, name), []).append((wall, used, viewers))
    told: dict[str, object] = {"viewers": given.viewers, "look_s": given.look}
    for (way, name), rounds in seen.items():
        told[f"{way}, {name}"] = summary(rounds)
    for what in ("tiles_a_second", "processor_ms_a_tile"):
        ours, theirs = (told[f"in haste, {name}"][what] for name in ("lowpower", "openslide"))
        told[f"in haste, ratio of {what}"] = round(ours / theirs, 2)
    print(json.dumps(told, indent=2))


def summary(rounds: list[tuple[float, float, list[Viewer]]]) -> dict[str, float]:
    """Of all rounds together, in milliseconds."""
    viewers = [viewer for *_, each in rounds for viewer in each]
    waited = sorted(1000 * one for viewer in viewers for one in viewer.waited)
    screens = sorted(1000 * one for viewer in viewers for one in viewer.screens)
    return {
        "tiles_a_second": round(len(waited) / sum(wall for wall, *_ in rounds), 1),
        "processor_ms_a_tile": round(1000 * sum(used for _, used, _ in rounds) / len(waited), 2),
        "tile_median_ms": round(statistics.median(waited), 1),
        "tile_p95_ms": round(waited[int(0.95 * len(waited))], 1),
        "screen_median_ms": round(statistics.median(screens), 1),
        "screen_p95_ms": round(screens[int(0.95 * len(screens))], 1),
    }


if __name__ == "__main__":
    if AS_OPENSLIDE in sys.argv:
        sys.argv.remove(AS_OPENSLIDE)
        serve_by_openslide()
    else:
        main()
