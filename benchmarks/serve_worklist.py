"""How soon the first page of a worklist of 100,000 slides comes, on SQLite and, by URL, on PostgreSQL.

python benchmarks/serve_worklist.py [--slides 100000] [--database postgresql://USER@HOST/EMPTY_DATABASE]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import insert
from starlette.testclient import TestClient

from lowpower.serve.department import Department, department_app, read_settings
from lowpower.serve.department._accounts import Who
from lowpower.serve.department._roles import Role
from lowpower.serve.department.records._schema import Slide

_STATES = ("referred", "issued", "measured", "refused", "failed", "waiting")
_ASKED = {
    "first page": {},
    "least sure first": {"sort": "Least sure first"},
    "newest first": {"sort": "Newest first"},
    "only referred": {"show": "Referred"},
    "not reviewed": {"show": "Not reviewed"},
    "search": {"search": "C-77"},
}


def fill(department: Department, count: int) -> None:
    """Slides of all states, with a row of the worklist each."""
    chance = random.Random(0)
    for start in range(0, count, 5000):
        rows = []
        for number in range(start, min(count, start + 5000)):
            state = chance.choice(_STATES)
            key, score = f"S-{number:08}", chance.choice(("0", "1+", "2+", "3+"))
            rows.append(
                {
                    "id": key, "case": f"C-{number // 3:06}", "origin": "upload", "source": "", "path": key,
                    "sha256": key, "size": 1, "added_by": "a",
                    "added": f"2026-01-01T00:{number // 1000:03}:{number % 1000:03}",
                    "marker": "HER2", "state": state, "rank": _STATES.index(state), "score": score,
                    "words": f"{key} c-{number // 3:06}".lower(),
                    "answer_words": f"{key} c-{number // 3:06} network and measurement do not agree".lower(),
                    "sureness": chance.random(), "reason": "network and measurement do not agree",
                    "reading": chance.choice(("none", "agreed", "overruled")),
                    "row": {"key": key, "name": key, "marker": "HER2", "state": "issued", "score": score,
                            "probability": 0.8, "measured": None, "cutoffs": [], "reason": None,
                            "review": None},
                }
            )  # fmt: skip
        with department.database.write() as session:
            session.execute(insert(Slide), rows)


def main() -> None:
    """Fill, ask, print milliseconds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slides", type=int, default=100_000)
    options.add_argument("--database")
    options.add_argument("--times", type=int, default=60)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        department = Department.open(
            read_settings(None, {}, data=Path(folder) / "data", database=given.database, workers=0)
        )
        fill(department, given.slides)
        _, secret = department.accounts.new_token(
            Who("benchmark", Role.ADMIN), "benchmark", Role.READER, None
        )
        client = TestClient(department_app(department), headers={"Authorization": f"Bearer {secret}"})
        print(
            f"{given.slides} slides, {department.database.engine.dialect.name}; "
            f"milliseconds, {given.times} times each"
        )
        for name, asked in _ASKED.items():
            took = []
            for _ in range(given.times):
                began = time.perf_counter()
                answer = client.get("/v1/worklist", params=asked)
                took.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200
            print(f"  {name:18} p50 {np.percentile(took, 50):6.1f}  p95 {np.percentile(took, 95):6.1f}")
        department.database.close()


if __name__ == "__main__":
    main()
