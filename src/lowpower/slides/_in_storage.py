"""Slides that lie in storage: their folders walked, and their own address in what is said of a copy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lowpower.errors import SlideError, as_text
from lowpower.storage import files_below

__all__ = ["told_as", "walk_stored"]


@contextlib.contextmanager
def told_as(path: Path, file: Path) -> Iterator[None]:
    """Let what is said of `file`, the copy of a slide, or of what lies beside it name `path`."""
    try:
        yield
    except SlideError as error:
        if path != file:
            error.path = path
            error.args = (str(error.args[0]).replace(as_text(file.parent), as_text(path.parent)),)
        raise


def walk_stored(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """A folder in storage as `os.walk` gives one: what is taken out of its folders is not entered."""
    held: dict[str, tuple[set[str], list[str]]] = {".": (set(), [])}
    for name in files_below(folder):
        path = PurePosixPath(name)
        held.setdefault(str(path.parent), (set(), []))[1].append(path.name)
        for place in path.parents[:-1]:
            held.setdefault(str(place.parent), (set(), []))[0].add(place.name)
    waiting = [PurePosixPath()]
    while waiting:
        place = waiting.pop()
        inner, names = held[str(place)]
        folders = sorted(inner)
        yield str(folder / place), folders, names
        waiting += [place / name for name in reversed(folders)]
