"""Every benchmark in turn (`make bench`), each in a process of its own.

Timings are ratios within one run: run on a quiet machine, compare ratios, not seconds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NOT_ONE = ("run_all.py", "simulator_pictures.py")  # the second draws pictures for the documentation
QUESTIONS = {"quality.py": ("control", "answers", "batches", "defects")}


def main() -> None:
    folder = Path(__file__).resolve().parent
    failed = []
    names = sorted(path.name for path in folder.glob("*.py") if path.name not in NOT_ONE)
    for name, question in [(one, ask) for one in names for ask in QUESTIONS.get(one, (None,))]:
        command = [sys.executable, str(folder / name), *([question] if question else [])]
        print("==", *command[1:], flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(" ".join(filter(None, (name, question))))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
