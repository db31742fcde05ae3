"""Patch reading against its peers, each installed by pip into an environment of its own.

    python benchmarks/race [--rounds 3] [--only NAME ...] [--folder FOLDER]

A JPEG TIFF of one level at 0.25 um/px is made once; 256 px patches are read at that level and averaged by 4
(1 um/px), in row order on one thread. `bare` decodes the tiles under the patches with libjpeg-turbo and
throws them away: the floor. `reduced` lets libjpeg-turbo decode at a quarter of the size. Rounds are
interleaved; each reads twice and the second reading counts, of all rounds the best. A rate is patches a
processor second, which other work on the machine disturbs less than a clock's. What cannot be installed is
said and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from contestants import PACKAGES

HERE = Path(__file__).resolve().parent
OWN = ("bare", "reduced", "lowpower")
"""These run in the environment of the benchmark itself."""
FACTORS = {1: 1600, 4: 100}
"""Base pixels a side of a patch's pixel, and patches read."""
INSTALL_S, READ_S = 900, 600


def interpreter(name: str, folder: Path) -> tuple[Path | None, str]:
    """Python with one library, and why there is none."""
    if name in OWN:
        return Path(sys.executable), ""
    home = folder / name
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (home / "installed").exists():
        venv.create(home, with_pip=True, clear=True)
        asked = [str(python), "-m", "pip", "install", "-q", "numpy", "pillow", *PACKAGES[name]]
        try:
            subprocess.run(asked, check=True, capture_output=True, text=True, timeout=INSTALL_S)
        except subprocess.TimeoutExpired:
            return None, f"does not install within {INSTALL_S} s"
        except subprocess.CalledProcessError as error:
            last = error.stderr.strip().splitlines()[-1:] or [str(error)]
            return None, f"does not install: {last[0]}"
        (home / "installed").touch()
    return python, ""


def race(name: str, python: Path, slide: Path, factor: int) -> dict[str, Any] | str:
    """One reading, or why there is none."""
    asked = [str(python), str(HERE / "contestants.py"), name, str(slide), str(factor), str(FACTORS[factor])]
    try:
        done = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=READ_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return (str(error.stderr or error).strip().splitlines() or [str(error)])[-1]
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="contestants; bare always runs")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "lowpower" / "race")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    slide = options.folder / "one-level.tif"
    if not slide.exists():
        sys.path.insert(0, str(HERE.parent))
        from patches import write_slide

        write_slide(slide, (1,), 10_240)
    names = [name for name in PACKAGES if options.only is None or name in options.only or name == "bare"]
    there: dict[str, Path] = {}
    for name in names:
        python, why = interpreter(name, options.folder)
        if python is None:
            print(f"{name}: {why}", flush=True)
        else:
            there[name] = python
    best: dict[tuple[str, int], float] = {}
    versions: dict[str, dict[str, str]] = {}
    for _ in range(options.rounds):
        for factor in FACTORS:
            for name, python in list(there.items()):
                said = race(name, python, slide, factor)
                if isinstance(said, str):
                    print(f"{name}, averaged by {factor}: {said}", flush=True)
                    continue
                versions[name] = said["versions"]
                rate = said["patches"] / said["processor"]
                best[name, factor] = max(best.get((name, factor), 0.0), rate)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print("| | " + " | ".join(f"averaged by {f}: a second; times bare" for f in FACTORS) + " | versions |")
    print("|---|" + "---|" * (len(FACTORS) + 1))
    for name in versions:
        cells = [
            f"{best[name, factor]:.0f}; {best[name, factor] / best['bare', factor]:.2f}"
            if (name, factor) in best
            else "-"
            for factor in FACTORS
        ]
        told = ", ".join(f"{package} {version}" for package, version in versions[name].items())
        print(f"| {name} | {' | '.join(cells)} | {told} |")


if __name__ == "__main__":
    main()
