"""Every benchmark in turn (`make bench`), each in a process of its own.

Timings are ratios within one run: run on a quiet machine, compare ratios, not seconds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "score_slide.py",
    "reading.py",
    "view_tiles.py",
    "patches.py",
    "features.py",
    "simulator.py",
    "training.py",
    "tissue.py",
    "realism.py",
    "magnification.py",
)


def main() -> None:
    folder = Path(__file__).resolve().parent
    failed = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, folder / name], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
