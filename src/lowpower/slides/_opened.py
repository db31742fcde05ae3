"""A slide that is open already, or a file to open for as long as it is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lowpower.errors import ConfigError
from lowpower.slides._open import open_slide
from lowpower.slides._slide import Slide

__all__ = ["opened"]


@contextlib.contextmanager
def opened(slide: Slide | str | Path, mpp: float | None = None) -> Iterator[Slide]:
    """The slide itself where it is open; a file is opened, and closed again.

    Args:
        slide: An open slide, or a file.
        mpp: um/px of a file, over what it says.

    Raises:
        SlideError: the file cannot be opened.
        ConfigError: `mpp` is given for a slide that is open at another.
    """
    if isinstance(slide, str | Path):
        with open_slide(slide, mpp=mpp) as one:
            yield one
        return
    if mpp is not None and mpp != slide.mpp:
        raise ConfigError(
            f"{slide.path}: is open at {slide.mpp:g} um/px, and {mpp:g} is asked for; say so where it is "
            "opened."
        )
    yield slide
