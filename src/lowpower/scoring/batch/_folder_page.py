"""report.html of a folder of results: one card a slide, pictures beside it."""

from __future__ import annotations

import base64
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import jinja2
from PIL import Image

from lowpower.errors import one_line
from lowpower.scoring.records import Result, SlideRecord, share_name

__all__ = ["page_environment", "render_page", "short_names"]

_WIDEST: Final = 1600
_SOURCE: Final = re.compile(r'src="([^"]+\.png)"')
_FILES: Final = re.compile(r'<p class="small files">.*?</p>', re.DOTALL)
_LINK: Final = re.compile(r'<a href="[^"#:]+">(.*?)</a>', re.DOTALL)


def page_environment(package: str) -> jinja2.Environment:
    """Templates of a room's `templates` folder, with `base.html` of this room, autoescaped."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("lowpower.scoring")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(
    found: Sequence[tuple[Path, SlideRecord]],
    out: Path,
    *,
    names_in: Callable[[Path], set[str]],
    one_file: bool = False,
) -> str:
    """HTML of a folder of results.

    Args:
        found: Folders and records, all of one kind, at least one.
        out: The folder. Pictures are linked relative to it: ten thousand slides stay a small page.
        names_in: The files of a slide's folder.
        one_file: Embed the pictures as JPEG instead, and link no file, so that the page can be mailed.
    """
    records = [record for _, record in found]
    names = short_names([record.file for record in records])
    template = "results.html" if isinstance(records[0], Result) else "measurements.html"
    page = (
        page_environment("lowpower.scoring")
        .get_template(template)
        .render(
            cards=[
                _card(folder, record, out, name, names_in(folder))
                for (folder, record), name in zip(found, names, strict=True)
            ],
            counts={state: sum(r.state == state for r in records) for state in ("ok", "refused", "failed")},
            share_name=share_name,
            models=list({r.model: None for r in records if isinstance(r, Result) and r.model is not None}),
        )
    )
    return _embed(page, out) if one_file else page


def short_names(files: Sequence[str]) -> list[str]:
    """Slides as a person reads them: the file's name, or its whole path where others have that name too."""
    names = Counter(Path(file).name for file in files)
    return [one_line(Path(file).name if names[Path(file).name] == 1 else file) for file in files]


def _card(folder: Path, record: SlideRecord, out: Path, name: str, files: set[str]) -> dict[str, Any]:
    """What the page says of one slide; `folder` is a URL, `has` tells which files there are."""
    reason = record.reason or ""
    return {
        "result": record,
        "folder": quote(Path(os.path.relpath(folder, out)).as_posix()),
        "name": name,
        "note": reason.removeprefix(f"{one_line(record.file)}: "),
        "has": files,
    }


def _embed(page: str, out: Path) -> str:
    """The page with its pictures inside and without links to files."""

    def inside(source: re.Match[str]) -> str:
        with Image.open(out / unquote(source.group(1))) as stored:
            picture = stored.convert("RGB")
        picture.thumbnail((_WIDEST, 4 * _WIDEST), Image.Resampling.LANCZOS)
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=85)
        return f'src="data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"'

    return _SOURCE.sub(inside, _LINK.sub(r"\1", _FILES.sub("", page)))
