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
def opened(
    slide: Slide | str | Path, mpp: float | None = None, scene: str | None = None, plane: int | None = None
) -> Iterator[Slide]:
    """The slide itself where it is open; a file is opened, and closed again.

    Args:
        slide: An open slide, or a file.
        mpp: um/px of a file, over what it says.
        scene: Of a file, as `open_slide` takes it; so too `plane`.
        plane: Of a file.

    Raises:
        SlideError: the file cannot be opened.
        ConfigError: `mpp`, `scene` or `plane` is given for a slide that is open at another.
    """
    if isinstance(slide, str | Path):
        with open_slide(slide, mpp=mpp, scene=scene, plane=plane) as one:
            yield one
        return
    if mpp is not None and mpp != slide.mpp:
        raise ConfigError(
            f"{slide.path}: is open at {slide.mpp:g} um/px, and {mpp:g} is asked for; say so where it is "
            "opened."
        )
    if (scene is not None and scene != slide.scene) or (plane is not None and plane != slide.plane):
        raise ConfigError(
            f"{slide.path}: is open at scene '{slide.scene}', plane {slide.plane}, and another is asked for; "
            "say so where it is opened."
        )
    yield slide
