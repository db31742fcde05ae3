"""What is asked of all slides alike, refused where it can be asked of none, before any is opened."""

from __future__ import annotations

import os
from pathlib import Path

from lowpower.errors import OptionError
from lowpower.slides import Choice, check_mpp
from lowpower.tissue import Control, wrong_control

__all__ = ["check_asked", "check_budget"]


def check_asked(
    *,
    mpp: float | None = None,
    scene: str | None = None,
    plane: int | None = None,
    control: Control = "auto",
    regions: str | Path | None = None,
    mask: str | Path | None = None,
    laboratory: str | Path | None = None,
) -> None:
    """Refuse options that no slide can have, and files that are not there.

    Raises:
        OptionError: the first of them, by its option.
    """
    check_mpp(mpp)
    Choice(scene, plane).check()
    if isinstance(control, str | Path):
        wrong = wrong_control(str(control))
        if wrong is not None:
            raise OptionError(f"--control '{control}' {wrong}")
    for name, file, what in (
        ("regions", regions, "GeoJSON, or a folder with one for each slide"),
        ("mask", mask, "an image, GeoJSON, or a folder with one for each slide"),
        ("laboratory", laboratory, "the file that `lowpower calibrate` wrote"),
    ):
        if file is not None and not os.path.exists(file):
            raise OptionError(f"--{name} '{file}' does not exist; give {what}.")


def check_budget(seconds: float | None, effort: str) -> None:
    """Refuse a budget that cannot be kept.

    Raises:
        OptionError: it is not above 0 seconds, or everything is to be read.
    """
    if seconds is None:
        return
    if not seconds > 0:
        raise OptionError(f"--seconds {seconds:g}: a budget of seconds must be above 0.")
    if effort != "guided":
        raise OptionError("--seconds is the budget of guided reading: it needs --effort 'guided'.")
