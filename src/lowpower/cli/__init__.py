"""The command line: one small file a verb. Verbs import what they need when they run: `--help` is quick."""

from lowpower.cli._app import main

__all__ = ["main"]
