"""The README keeps its promises: its Python runs, its links lead somewhere, its verbs exist."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def case(tmp_path, monkeypatch):
    """The README's case-17.svs, a stained disc, in the current folder."""
    rng = np.random.default_rng(2)
    image = np.full((1200, 1200, 3), (236.0, 235.0, 243.0))
    texture = cv2.GaussianBlur(rng.random((1200, 1200)), (0, 0), 2)
    texture = (texture - texture.min()) / np.ptp(texture)
    rows, columns = np.mgrid[:1200, :1200]
    inside = np.hypot(columns - 600, rows - 600) < 450
    image[inside] = (np.array((150.0, 105.0, 80.0)) + 70 * texture[..., None])[inside]
    image = np.clip(image + rng.normal(0, 0.7, image.shape), 0, 255).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "case-17.svs",
        image,
        tile=(256, 256),
        compression="jpeg",
        photometric="rgb",
        resolution=(40000, 40000),
        resolutionunit="CENTIMETER",
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_of_the_readme_runs(case, capsys):
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    assert "HER2" in capsys.readouterr().out
    assert (case / "case-17.png").stat().st_size > 10_000


def test_the_readme_is_short():
    assert len(README.splitlines()) < 150


def test_every_verb_has_its_row():
    from lowpower.cli._app import app

    for command in app.registered_commands:
        assert f"`{command.name}" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} points to {target}"
