"""The command line: one small file a verb. Verbs import what they need when they run: `--help` is quick."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; exit codes as `_app.main` says."""
    try:
        from lowpower.cli._app import main as run

        run()
    except KeyboardInterrupt:  # while the command line itself was loading
        sys.stderr.write("lowpower: interrupted.\n")
        sys.exit(130)
