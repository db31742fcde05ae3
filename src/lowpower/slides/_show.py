"""How slides and what is found on them show themselves in a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping

from PIL import Image

__all__ = ["as_html", "as_png"]

_WIDEST = 900


def as_png(picture: Image.Image) -> bytes:
    """A picture as PNG, at most 900 px wide."""
    shown = picture.copy()
    shown.thumbnail((_WIDEST, _WIDEST), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    shown.save(data, "PNG")
    return data.getvalue()


def as_html(title: str, facts: Mapping[str, object], picture: Image.Image | None = None) -> str:
    """A title, a small table and a picture inside the page."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
        for name, value in facts.items()
    )
    image = ""
    if picture is not None:
        data = base64.b64encode(as_png(picture)).decode()
        image = f"<img src='data:image/png;base64,{data}' alt='' style='max-width:100%'>"
    return f"<div><b>{html.escape(title)}</b><table>{rows}</table>{image}</div>"
