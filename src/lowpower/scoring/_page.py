"""report.html of a batch: one card a slide, pictures beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import jinja2

from lowpower.models import Bundle
from lowpower.scoring._result import NOTICE, Result

__all__ = ["page_environment", "render_results"]


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
    cards = []
    for result, folder in zip(results, folders, strict=True):
        link = Path(os.path.relpath(folder, out)).as_posix()
        cards.append({"result": result, "folder": link, "name": Path(result.file).name})
    counts = {state: sum(r.state == state for r in results) for state in ("ok", "refused", "failed")}
    template = page_environment("lowpower.scoring").get_template("results.html")
    return template.render(cards=cards, counts=counts, bundle=bundle, notice=NOTICE)
