"""The page inside a notebook."""

from __future__ import annotations

import html
import tempfile
from pathlib import Path
from urllib.parse import quote

from lowpower.files import write_text
from lowpower.scoring import MeasuredSlide, Result, write_attachments
from lowpower.serve._run_view import ViewServer
from lowpower.serve._shelf import Shelf
from lowpower.slides import slide_name

__all__ = ["View", "view"]

_HEIGHT = 720


class View:
    """The page over results: a notebook shows it as a frame, `address` opens it in a browser.

    It lives as long as this object or the process.

    Attributes:
        address: Opens on this machine only.
    """

    def __init__(self, shelf: Shelf, key: str, kept: tempfile.TemporaryDirectory[str] | None) -> None:
        self._server = ViewServer(shelf, framed=True, reviews=kept is None).start()
        self._kept = kept
        self.address = self._server.address + (f"#{quote(key, safe='')}" if key else "")

    def close(self) -> None:
        """Stop showing it."""
        self._server.close()
        if self._kept is not None:
            self._kept.cleanup()

    def __repr__(self) -> str:
        return f"<view of results at {self.address}>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{html.escape(self.address)}" title="lowpower: results" width="100%" '
            f'height="{_HEIGHT}" style="border:1px solid #ccc"></iframe>'
        )


def view(what: Result | MeasuredSlide | str | Path, *, slides: str | Path | None = None) -> View:
    """Show a result, or a folder of results, as `lowpower view` does; a notebook draws it in place.

    Args:
        what: A result, or a folder of results. Reviews of a result that is in no folder cannot be kept, so
            none can be given there.
        slides: Folder of the slides, where they are no longer where they were scored.

    Raises:
        ConfigError: the folder holds no results, or the page was not built.
    """
    if isinstance(what, str | Path):
        return View(Shelf(what, slides), "", None)
    folder = what.attached().folder
    if folder is not None and any((folder / name).is_file() for name in ("result.json", "measurement.json")):
        return View(Shelf(folder.parent, slides), folder.name, None)
    kept = tempfile.TemporaryDirectory(prefix="lowpower-view-")
    key = slide_name(what.file) or "slide"
    name = "result.json" if isinstance(what, Result) else "measurement.json"
    write_text(Path(kept.name) / key / name, what.model_dump_json())
    write_attachments(Path(kept.name) / key, what.attached())
    return View(Shelf(kept.name, slides), key, kept)
