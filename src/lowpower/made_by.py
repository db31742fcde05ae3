"""Which state of this software made something: only the same state uses again what an earlier run left."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from lowpower import __version__

__all__ = ["ROOMS", "Made", "made_by"]

Made = Literal["tissue", "stain", "view", "features", "measured slide", "scored slide", "model"]
"""What is kept and used again."""

_TISSUE: Final = ("units.py", "geometry", "slides", "tissue")
_STAIN: Final = (*_TISSUE, "graphs", "stain")
_VIEW: Final = (*_TISSUE, "views")
_FEATURES: Final = (*_VIEW, "graphs", "stain", "models")
_SCHEMES: Final = ("cohort/_schemes.py", "cohort/_spelling.py")
_RECORD: Final = (*_SCHEMES, "scoring/pictures", "scoring/records", "scoring/requests", "scoring/slide")
ROOMS: Final[dict[Made, tuple[str, ...]]] = {
    "tissue": _TISSUE,
    "stain": _STAIN,
    "view": _VIEW,
    "features": _FEATURES,
    "measured slide": (*_STAIN, *_RECORD),
    "scored slide": (*_FEATURES, *_RECORD, "evaluation"),
    "model": (*_FEATURES, "cohort", "simulate", "training", "evaluation", "experiments"),
}
"""The rooms, and files of rooms, whose code and weights decide its numbers; docs/adr/0063 says why these."""
_DECIDES: Final = frozenset({".py", ".onnx", ".safetensors"})
_DIGITS: Final = 12


@functools.cache
def made_by(what: Made) -> str:
    """The version of lowpower with a fingerprint of the code and weights that decide the numbers.

    Computed once a process, in some hundredths of a second; the same from a checkout and from a wheel.

    Args:
        what: What is made.

    Returns:
        For instance "0.1.0+3f29c04be1a7".
    """
    return f"{__version__}+{_fingerprint(Path(__file__).parent, ROOMS[what])}"


def _fingerprint(house: Path, rooms: Iterable[str]) -> str:
    """Of files by name and content; line endings do not count."""
    found = hashlib.sha256()
    for path in sorted({path for room in rooms for path in _files(house / room)}):
        content = path.read_bytes()
        if path.suffix == ".py":
            content = content.replace(b"\r\n", b"\n")
        name = path.relative_to(house).as_posix().encode()
        found.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return found.hexdigest()[:_DIGITS]


def _files(room: Path) -> Iterable[Path]:
    return (path for path in ([room] if room.is_file() else room.rglob("*")) if path.suffix in _DECIDES)
