"""What a user says of control tissue, as text or otherwise."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from pathlib import Path

import numpy as np

from lowpower.files import sha256_of
from lowpower.tissue._types import Control
from lowpower.tissue.control._pieces_apart import ENDS
from lowpower.units import Box

__all__ = ["box_of", "control_name", "end_of", "is_control_word", "wrong_control"]

_BOX = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*")


def end_of(control: Control) -> str | None:
    """The end of the slide that a control is said to lie at, a key of `ENDS`; None where none is said."""
    return control if isinstance(control, str) and control in ENDS else None


def box_of(control: Control) -> Box | None:
    """The box that "X,Y,WIDTH,HEIGHT" means; None where the text, or what is no text, means none."""
    found = _BOX.fullmatch(control) if isinstance(control, str) else None
    if found is None:
        return None
    x, y, width, height = (int(number) for number in found.groups())
    return Box(x, y, width, height) if width and height else None


def is_control_word(text: str) -> bool:
    """Whether a text says of control tissue what it means by itself: it names no file."""
    return text in ("auto", "none") or end_of(text) is not None or box_of(text) is not None


def wrong_control(text: str) -> str | None:
    """What is wrong with words that say nothing of control tissue; None where they do, or name what is there.

    Returns:
        A sentence that begins after the text itself.
    """
    if is_control_word(text) or os.path.exists(text):
        return None
    near = difflib.get_close_matches(text.strip().lower(), ("auto", "none", *ENDS), n=1, cutoff=0.6)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return (
        f"says nothing of control tissue and is no file{hint}; give auto, none, an end ({', '.join(ENDS)}), "
        "X,Y,WIDTH,HEIGHT in base pixels, or a GeoJSON or PNG that shows it."
    )


def control_name(control: Control) -> str:
    """How a record names what was said of control tissue: the words, or the file and its SHA-256."""
    if isinstance(control, Box):
        return f"{control.x},{control.y},{control.width},{control.height}"
    if isinstance(control, np.ndarray):
        return f"mask {hashlib.sha256(np.packbits(control).tobytes()).hexdigest()}"
    if is_control_word(str(control)) or not os.path.isfile(str(control)):
        return str(control)
    return f"{Path(control).name} {sha256_of(control)}"
