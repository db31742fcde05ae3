"""How soon a result that is made can be seen: from its file on disk to the worklist of the service.

The whole service runs in a process of its own and scores copies of a simulated slide; a reader asks for the
worklist again and again. Prints one JSON object; the least step that can be seen is --every.

    python benchmarks/serve_visible.py [--slides 10] [--database postgresql://USER@HOST/EMPTY_DATABASE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import lowpower as lp
from common.running_service import running_service


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slides", type=int, default=10)
    options.add_argument("--every", type=float, default=0.02, help="seconds between two looks")
    options.add_argument("--database")
    given = options.parse_args()
    waited = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder) / "data", given.database, workers=1) as (client, _, _, _),
    ):
        results = Path(folder) / "data" / "results"
        for number in range(given.slides):
            slide = Path(folder) / f"{number}.tif"
            shutil.copy(lp.sample(), slide)
            with slide.open("ab") as file:
                file.write(number.to_bytes(2, "big"))
            key, job = client.upload(slide)
            while not any(row["key"] == key and row["score"] for row in client.worklist()):
                time.sleep(given.every)
            seen = time.time()
            (made,) = results.glob(f"{job}-*/result.json")
            waited.append(seen - made.stat().st_mtime)
    told = {
        "slides": len(waited),
        "median_s": round(statistics.median(waited), 3),
        "longest_s": round(max(waited), 3),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
