"""How soon pages of a worklist of 100,000 slides come, searched and filtered too, on SQLite or PostgreSQL.

python benchmarks/serve_worklist.py [--slides 100000] [--database postgresql://USER@HOST/EMPTY_DATABASE]

Processor time, here of SQLite's work too, suffers less from other work on the machine than waiting does.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import insert, text
from starlette.testclient import TestClient

from lowpower.serve.department import Department, department_app, read_settings
from lowpower.serve.department._roles import Role
from lowpower.serve.department.access import Who
from lowpower.serve.department.records._schema import RANKS, Slide

_STATES = ("referred", "issued", "measured", "refused", "failed", "waiting")
_ASKED = {
    "first page": {},
    "least sure first": {"sort": "Least sure first"},
    "newest first": {"sort": "Newest first"},
    "only referred": {"show": "Referred"},
    "not reviewed": {"show": "Not reviewed"},
    "failed or refused": {"show": "Refused or failed"},
    "search, one slide": {"search": "S-00077123"},
    "search, part of it": {"search": "7712"},
    "search, a case": {"search": "c-0077"},
    "search, nothing": {"search": "no such slide"},
    "search, every slide": {"search": "her2"},
    "search, a reason": {"search": "do not agree"},
    "search, a late one": {"search": "too little tissue"},
    "search, a rare one": {"search": "out of focus"},
    "search, two letters": {"search": "77"},
    "and filter": {"search": "c-0077", "show": "Referred"},
    "and filter, many": {"search": "her2", "show": "Not reviewed", "sort": "Least sure first"},
    "and filter, none": {"search": "do not agree", "show": "Issued"},
}
_REASONS = {
    "referred": (
        *10 * ("network and measurement do not agree",),
        *9 * ("a cut-off is undetermined",),
        "1 % out of focus",
    ),
    "refused": ("too little tissue", "most of it is out of focus"),
    "failed": ("the file cannot be read",),
}


def fill(department: Department, count: int) -> None:
    """Slides of all states, with a row of the worklist each."""
    chance = random.Random(0)
    for start in range(0, count, 5000):
        rows = []
        for number in range(start, min(count, start + 5000)):
            state = chance.choices(_STATES, (30, 50, 5, 4, 1, 10))[0]
            key, score = f"S-{number:08}", chance.choice(("0", "1+", "2+", "3+"))
            reason = chance.choice(_REASONS.get(state, ("",)))
            words = f"{key} c-{number // 3:06} her2".lower()
            rows.append(
                {
                    "id": key, "case": f"C-{number // 3:06}", "origin": "upload", "source": "", "path": key,
                    "sha256": key, "size": 1, "added_by": "a",
                    "added": f"2026-01-01T00:{number // 1000:03}:{number % 1000:03}",
                    "marker": "HER2", "state": state, "rank": RANKS[state], "score": score,
                    "words": words, "answer_words": f"{words} {reason}".strip(),
                    "sureness": chance.random(), "reason": reason or None,
                    "reading": chance.choice(("none", "agreed", "overruled")),
                    "row": {"key": key, "name": key, "marker": "HER2", "state": "issued", "score": score,
                            "probability": 0.8, "measured": None, "cutoffs": [], "reason": reason or None,
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
        with department.database.write() as session:
            if not department.database.is_sqlite:
                session.execute(text("ANALYZE"))  # as PostgreSQL does by itself within a minute
        _, secret = department.accounts.new_token(
            Who("benchmark", Role.ADMIN), "benchmark", Role.READER, None
        )
        client = TestClient(department_app(department), headers={"Authorization": f"Bearer {secret}"})
        print(
            f"{given.slides} slides, {department.database.engine.dialect.name}; "
            f"milliseconds, {given.times} times each"
        )
        for name, asked in _ASKED.items():
            took, used = [], time.process_time()
            for _ in range(given.times):
                began = time.perf_counter()
                answer = client.get("/v1/worklist", params=asked)
                took.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200
            told = answer.json()
            count = f"{told['total']}{' and more' if told.get('or_more') else ''}"
            p50, p95 = np.percentile(took, [50, 95])
            used = 1000 * (time.process_time() - used) / given.times
            print(
                f"  {name:20} p50 {p50:6.1f}  p95 {p95:6.1f}  longest {max(took):6.1f}  "
                f"processor {used:6.1f}  {count}"
            )
        department.database.close()


if __name__ == "__main__":
    main()
