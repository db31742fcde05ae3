"""How soon tiles come out of a department's service while many pan: through rights, database and reader.

The whole service runs on loopback in a process of its own, with one simulated slide; each viewer asks for
tiles near a place of its own, one after another, with a token. Prints one JSON object; processor time suffers
less from other work on the machine than waiting does.

    python benchmarks/serve_tiles.py [--viewers 20] [--tiles 40] [--database postgresql://USER@HOST/EMPTY_DATABASE]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

import lowpower as lp
from common.running_service import running_service

NEAR = 6  # tiles around a viewer's place
TILE = 256


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--viewers", type=int, default=20)
    options.add_argument("--tiles", type=int, default=40)
    options.add_argument("--database")
    given = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder) / "data", given.database, workers=0) as (
            client,
            address,
            token,
            process,
        ),
    ):
        key, _ = client.upload(lp.sample())
        headers = {"Authorization": f"Bearer {token}"}
        asked = urllib.request.Request(f"{address}/v1/slides/{key}", headers=headers)
        image = json.load(urllib.request.urlopen(asked))["image"]

        def look(viewer: int) -> list[float]:
            chance, waited = random.Random(viewer), []
            level = image["top_level"] - chance.randrange(4)
            shrink = TILE * 2 ** (image["top_level"] - level)
            across, down = (max(1, image[side] // shrink) for side in ("width", "height"))
            place = chance.randrange(across), chance.randrange(down)
            for _ in range(given.tiles):
                column = (place[0] + chance.randrange(NEAR)) % across
                row = (place[1] + chance.randrange(NEAR)) % down
                tile = f"{address}/v1/slides/{key}/tiles/{level}/{column}_{row}.jpg"
                began = time.perf_counter()
                with urllib.request.urlopen(urllib.request.Request(tile, headers=headers)) as answer:
                    answer.read()
                waited.append(1000 * (time.perf_counter() - began))
            return waited

        look(0)  # the slide is open then
        service = psutil.Process(process)
        began, used = time.perf_counter(), sum(service.cpu_times()[:2])
        with ThreadPoolExecutor(given.viewers) as pool:
            waited = sorted(one for each in pool.map(look, range(given.viewers)) for one in each)
        wall, used = time.perf_counter() - began, sum(service.cpu_times()[:2]) - used
    told = {
        "viewers": given.viewers,
        "tiles": len(waited),
        "tiles_a_second": round(len(waited) / wall, 1),
        "processor_ms_a_tile": round(1000 * used / len(waited), 2),
        "median_ms": round(statistics.median(waited), 1),
        "p95_ms": round(waited[int(0.95 * len(waited))], 1),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
