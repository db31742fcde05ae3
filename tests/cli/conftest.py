"""Runs the command line in this process and gives back exit code, standard output and standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lowpower.cli import main


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


@pytest.fixture
def lowpower(monkeypatch, capsys) -> Callable[..., Finished]:
    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["lowpower", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Finished(code, captured.out, captured.err)

    return run
