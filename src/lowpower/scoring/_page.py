"""report.html of a batch: one card a slide, pictures beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from lowpower.models import Bundle
from lowpower.scoring._measured import MeasuredSlide
from lowpower.scoring._record import NOTICE
from lowpower.scoring._result import Result

__all__ = ["page_environment", "render_measurements", "render_results"]


def page_environment(package: str) -> jinja2.Environment:
    """Templates of a room's `templates` folder, with `base.html` of this room, autoescaped."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("lowpower.scoring")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_results(results: Sequence[Result], folders: Sequence[Path], out: Path, bundle: Bundle) -> str:
    """HTML of a batch; pictures are linked relative to `out`: ten thousand slides stay a small page."""
    template = page_environment("lowpower.scoring").get_template("results.html")
    return template.render(
        cards=_cards(results, folders, out), counts=_counts(results), bundle=bundle, notice=NOTICE
    )


def render_measurements(records: Sequence[MeasuredSlide], folders: Sequence[Path], out: Path) -> str:
    """HTML of a measured batch, pictures linked relative to `out`."""
    template = page_environment("lowpower.scoring").get_template("measurements.html")
    return template.render(cards=_cards(records, folders, out), counts=_counts(records))


def _cards(
    results: Sequence[Result | MeasuredSlide], folders: Sequence[Path], out: Path
) -> list[dict[str, Any]]:
    return [
        {
            "result": result,
            "folder": Path(os.path.relpath(folder, out)).as_posix(),
            "name": Path(result.file).name,
            "has_cells": (folder / "cells.png").exists(),
        }
        for result, folder in zip(results, folders, strict=True)
    ]


def _counts(results: Sequence[Result | MeasuredSlide]) -> dict[str, int]:
    return {state: sum(r.state == state for r in results) for state in ("ok", "refused", "failed")}
