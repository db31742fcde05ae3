"""Tiles of `lowpower view` against OpenSlide's DeepZoom with Pillow, behind the same server, in one run.

A simulated slide (or --slide) is served twice by uvicorn on loopback: tiles cut by our reader, and by
`openslide.deepzoom` saved by Pillow at the same quality. Viewers pan: each asks for random tiles near a place
of its own, one after another. Rounds are interleaved; processor seconds of this process stand beside wall
seconds, for they suffer less from other work on the machine. Prints one JSON object.

    python benchmarks/view_tiles.py [--viewers 20] [--tiles 40] [--rounds 3] [--slide FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import random
import socket
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response
from openslide import OpenSlide
from openslide.deepzoom import DeepZoomGenerator

import lowpower as lp
from lowpower.serve._tiles import SlideImage, top_level

TILE = 256
QUALITY = 88
NEAR = 6  # tiles around a viewer's place


def serve(tile: Callable[[int, int, int], bytes | None]) -> tuple[str, uvicorn.Server]:
    app = FastAPI(openapi_url=None)

    @app.get("/{level}/{column}/{row}")
    def answer(level: int, column: int, row: int) -> Response:
        return Response(tile(level, column, row), media_type="image/jpeg")

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}", server


def walk(size: tuple[int, int], viewer: int, tiles: int) -> list[tuple[int, int, int]]:
    """The tiles that a viewer asks for, the same for both servers."""
    chance, top = random.Random(viewer), top_level(*size)
    asked = []
    level = top - chance.randrange(4)
    across, down = (max(1, side // (TILE * 2 ** (top - level))) for side in size)
    place = (chance.randrange(across), chance.randrange(down))
    for _ in range(tiles):
        column, row = (at + chance.randrange(NEAR) for at in place)
        asked.append((level, column % across, row % down))
    return asked


def pan(address: str, size: tuple[int, int], viewers: int, tiles: int) -> tuple[float, float, list[float]]:
    """Wall seconds, processor seconds and each tile's seconds."""

    def look(viewer: int) -> list[float]:
        waited = []
        for level, column, row in walk(size, viewer, tiles):
            begin = time.perf_counter()
            with urllib.request.urlopen(f"{address}/{level}/{column}/{row}") as answer:
                answer.read()
            waited.append(time.perf_counter() - begin)
        return waited

    begin, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(viewers) as pool:
        waited = [one for viewer in pool.map(look, range(viewers)) for one in viewer]
    return time.perf_counter() - begin, time.process_time() - used, waited


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--viewers", type=int, default=20)
    options.add_argument("--tiles", type=int, default=40)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--slide", type=Path)
    options.add_argument("--mpp", type=float)
    given = options.parse_args()
    path = given.slide or lp.sample()
    slide = lp.open_slide(path, given.mpp)
    image = SlideImage(slide, float(slide.mpp))
    deep = DeepZoomGenerator(OpenSlide(path), tile_size=TILE, overlap=0, limit_bounds=True)

    def by_openslide(level: int, column: int, row: int) -> bytes:
        jpeg = io.BytesIO()
        deep.get_tile(level, (column, row)).save(jpeg, "JPEG", quality=QUALITY)
        return jpeg.getvalue()

    served = {"lowpower": serve(image.tile), "openslide": serve(by_openslide)}
    seen: dict[str, list[tuple[float, float, list[float]]]] = {name: [] for name in served}
    for _ in range(given.rounds):
        for name, (address, _server) in served.items():
            seen[name].append(pan(address, slide.size, given.viewers, given.tiles))
    told = {}
    count = given.viewers * given.tiles
    for name, rounds in seen.items():
        waited = sorted(one for *_, each in rounds for one in each)
        told[name] = {
            "tiles_a_second": round(count / min(wall for wall, *_ in rounds), 1),
            "processor_ms_a_tile": round(1000 * min(used for _, used, _ in rounds) / count, 2),
            "median_ms": round(1000 * statistics.median(waited), 1),
            "p95_ms": round(1000 * waited[int(0.95 * len(waited))], 1),
        }
    print(json.dumps({"slide": path.name, "viewers": given.viewers, **told}, indent=2))
    for _address, server in served.values():
        server.should_exit = True


if __name__ == "__main__":
    main()
