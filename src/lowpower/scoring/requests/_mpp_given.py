"""um/px that was given against what the files say, told before the work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from lowpower.cohort import SlideInput
from lowpower.errors import LowpowerError, one_line
from lowpower.scoring.requests._request import ScoreRequest
from lowpower.slides import open_slide

__all__ = ["mpp_doubts"]

_LOOKED_AT: Final = 50
"""Slides opened for this before the work begins; of the others their own results tell."""


def mpp_doubts(slides: Sequence[SlideInput], request: ScoreRequest) -> Iterator[str]:
    """A sentence for each slide whose own um/px differs by more than 3 % from what was given for it."""
    asked = ((slide, request.for_slide(slide)) for slide in slides if slide.absent is None)
    given = ((slide, one) for slide, one in asked if one.mpp is not None)
    for slide, one in islice(given, _LOOKED_AT):
        # What cannot be opened is refused, with its reason, when its turn comes.
        with (
            contextlib.suppress(LowpowerError, OSError),
            open_slide(slide.path, mpp=one.mpp, scene=one.scene, plane=one.plane) as opened,
        ):
            yield from (f"{one_line(slide.path)}: {doubt}" for doubt in opened.mpp_doubts)
