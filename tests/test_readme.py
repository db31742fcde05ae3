"""The README keeps its promises: its Python runs, its links lead somewhere, its verbs exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from lowpower.cli._app import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_of_the_readme_runs_as_it_stands(sample_cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    shown = re.search(r"print\(result\)  # (.*?) \.\.\.", code)
    assert shown is not None
    assert shown[1] in capsys.readouterr().out
    assert (tmp_path / "sample.png").stat().st_size > 10_000


def commands() -> list[tuple[str, str]]:
    """Every `lowpower ...` line of the README and the docs."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
            found += [(page.name, line) for line in block.splitlines() if line.startswith("lowpower ")]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_of_the_docs_exists(page, line):
    words = shlex.split(line, comments=True)
    command = get_command(app).commands[words[1]]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words[2:]:
        if word.startswith("-"):
            assert word.split("=")[0] in known, f"{page}: {line}"


def test_the_readme_is_short():
    assert len(README.splitlines()) < 150


def test_every_verb_has_its_row():
    for command in app.registered_commands:
        assert f"`{command.name}" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} points to {target}"
