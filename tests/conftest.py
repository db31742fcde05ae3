"""Shared fixtures: where real slides lie, and when their absence is an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lowpower.engine._granted import grant_threads
from lowpower.made_by import made_by

REPOSITORY = Path(__file__).resolve().parents[1]


def _data_folder() -> Path:
    return Path(os.environ.get("LOWPOWER_DATA", REPOSITORY.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: what takes longest must not begin when the other processes have ended."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def one_processor() -> Iterator[None]:
    """As many test processes run as processors: none starts others unless its test asks for them."""
    grant_threads(1)
    yield
    grant_threads(None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides and cores; the test is skipped where it is absent."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"real slides are not on this machine ({folder}); set LOWPOWER_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def real_cores(real_data: Path) -> Path:
    """The folder of real HER2 tissue-microarray cores."""
    return real_data / "her2_cores"


@pytest.fixture(scope="session")
def real_slides(real_data: Path) -> Path:
    """The folder of real slide files."""
    return real_data / "slides"


@pytest.fixture
def sample_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `lowpower.sample()` keeps its slide: one folder for all processes of a test run."""
    folder = tmp_path_factory.getbasetemp().parent / "lowpower-sample"
    monkeypatch.setenv("LOWPOWER_CACHE", str(folder))
    return folder


@pytest.fixture
def other_software(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Makes this process another state of lowpower, as after an update of its code or weights."""

    def become() -> None:
        monkeypatch.setattr("lowpower.made_by._fingerprint", lambda house, rooms: "0" * 12)
        made_by.cache_clear()

    yield become
    made_by.cache_clear()


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


@pytest.fixture
def lowpower(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Runs the command line in this process: exit code, standard output and standard error."""
    from lowpower.cli import main

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
