"""Whether a TIFF's directories are all there: the check that decoders skip when a file was cut short."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from lowpower.errors import DamagedSlideError

__all__ = ["check_directories"]

_NDPI_TAG = 65420  # Hamamatsu stores 64-bit offsets in a classic TIFF; tifffile knows how
_TYPE_BYTES = np.array([0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8], np.int64)
_MOST_DIRECTORIES = 10_000
CURE = "the file is cut short; copy or export it again."


def check_directories(path: Path) -> None:
    """Walk the chain of directories and see that each, with its values, lies inside the file.

    Readers end the chain quietly where the file ends, which turns a truncated pyramid into a slide with
    fewer levels.

    Raises:
        DamagedSlideError: if the chain leaves the file or loops.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = len(head) >= 4 and struct.unpack(order + "H", head[2:4])[0] == 43
        if len(head) < (16 if big else 8):
            raise DamagedSlideError(path, f"ends inside its header; {CURE}")
        word, count_format, entry_bytes = ("Q", "Q", 20) if big else ("I", "H", 12)
        word_bytes, count_bytes = struct.calcsize(word), struct.calcsize(count_format)
        word_type = order + f"u{word_bytes}"
        entry = np.dtype(
            [("tag", order + "u2"), ("type", order + "u2"), ("count", word_type), ("value", word_type)]
        )
        offset = struct.unpack_from(order + word, head, 8 if big else 4)[0]
        seen: set[int] = set()
        while offset:
            if offset in seen or len(seen) >= _MOST_DIRECTORIES:
                raise DamagedSlideError(path, "its TIFF directories run in a circle; export it again.")
            seen.add(offset)
            stream.seek(offset)
            count = stream.read(count_bytes)
            entries = struct.unpack(order + count_format, count)[0] if len(count) == count_bytes else 0
            table = stream.read(entries * entry_bytes + word_bytes) if 0 < entries < 65_536 else b""
            if offset >= size or not table or len(table) < entries * entry_bytes + word_bytes:
                problem = f"directory {len(seen)} lies beyond its end"
                raise DamagedSlideError(path, f"{problem}; {CURE}")
            fields = np.frombuffer(table, entry, entries)
            if (fields["tag"] == _NDPI_TAG).any():
                return
            _check_values(path, fields, word_bytes, size)
            offset = struct.unpack_from(order + word, table, entries * entry_bytes)[0]
    if not seen:
        raise DamagedSlideError(path, f"has no TIFF directory; {CURE}")


def _check_values(path: Path, fields: np.ndarray, word_bytes: int, size: int) -> None:
    kinds = np.where(fields["type"] < len(_TYPE_BYTES), fields["type"], 0)
    # float64: counts of a corrupt directory overflow integers
    lengths = fields["count"].astype(np.float64) * _TYPE_BYTES[kinds]
    ends = fields["value"].astype(np.float64) + lengths
    outside = (lengths > word_bytes) & (ends > size)
    if outside.any():
        tag = int(fields["tag"][outside][0])
        raise DamagedSlideError(path, f"its TIFF tag {tag} points beyond its end; {CURE}")
