"""Where the frames of a DICOM pixel-data element lie in its file."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.tag import Tag

from lowpower.errors import DamagedSlideError

__all__ = ["Frames"]

_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_CURE = "the file is cut short or broken; copy or export it again."


class Frames:
    """Reads encoded (or plain) frames by index; safe in threads.

    Args:
        path: A DICOM file.
        count: Frames its header announces.
        plain_bytes: Bytes of a frame that is not encoded.

    Raises:
        DamagedSlideError: if the pixel data do not reach to their end.
    """

    def __init__(self, path: Path, count: int, plain_bytes: int) -> None:
        self._path = path
        self.count = count
        self._stream: BinaryIO = path.open("rb")
        self._lock = threading.Lock()
        try:
            self._where = self._index(plain_bytes)
        except BaseException:
            self._stream.close()
            raise

    def read(self, index: int) -> bytes:
        """The bytes of one frame."""
        with self._lock:
            parts = []
            for offset, length in self._where[index]:
                self._stream.seek(offset)
                parts.append(self._stream.read(length))
        return b"".join(parts)

    def ends(self, index: int) -> tuple[bytes, bytes]:
        """The first 2 and last 64 bytes of one frame."""
        (first, _), (last, length) = self._where[index][0], self._where[index][-1]
        with self._lock:
            self._stream.seek(first)
            head = self._stream.read(2)
            self._stream.seek(last + max(0, length - 64))
            return head, self._stream.read(min(length, 64))

    def close(self) -> None:
        """Release the file."""
        self._stream.close()

    def _index(self, plain_bytes: int) -> list[list[tuple[int, int]]]:
        stream = self._stream
        pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=[Tag(0x0020, 0x000E)])
        # The reader stops in front of the element: tag, VR and two reserved bytes, length (explicit VR).
        head = stream.read(12)
        explicit = head[4:6] in (b"OB", b"OW")
        if len(head) < 12 or struct.unpack("<HH", head[:4]) != (0x7FE0, 0x0010):
            raise DamagedSlideError(self._path, f"has no pixel data; {_CURE}")
        length = struct.unpack("<I", head[8:12] if explicit else head[4:8])[0]
        if not explicit:
            stream.seek(-4, 1)
        size = self._path.stat().st_size
        if length != _UNDEFINED:
            begin = stream.tell()
            if begin + self.count * plain_bytes > size:
                raise DamagedSlideError(self._path, f"its last frames lie beyond its end; {_CURE}")
            return [[(begin + i * plain_bytes, plain_bytes)] for i in range(self.count)]
        fragments = self._fragments(size)
        offsets = fragments.pop(0)
        if len(fragments) == self.count:
            return [[fragment] for fragment in fragments]
        return self._grouped(offsets, fragments)

    def _fragments(self, size: int) -> list[tuple[int, int]]:
        """(offset, length) of each item, the offset table first."""
        stream = self._stream
        items: list[tuple[int, int]] = []
        while True:
            head = stream.read(8)
            if len(head) < 8:
                raise DamagedSlideError(self._path, f"ends inside frame {max(1, len(items))}; {_CURE}")
            group, element, length = struct.unpack("<HHI", head)
            if (group, element) == _END and items:
                return items
            at = stream.tell()
            if (group, element) != _ITEM or at + length > size:
                raise DamagedSlideError(self._path, f"ends inside frame {max(1, len(items))}; {_CURE}")
            items.append((at, length))
            stream.seek(at + length)

    def _grouped(
        self, table: tuple[int, int], fragments: list[tuple[int, int]]
    ) -> list[list[tuple[int, int]]]:
        """Frames of several fragments each, told apart by the offset table."""
        if table[1] < 4 * self.count or not fragments:
            problem = f"holds {len(fragments)} pieces for {self.count} frames"
            raise DamagedSlideError(self._path, f"{problem}; {_CURE}")
        self._stream.seek(table[0])
        offsets = struct.unpack(f"<{self.count}I", self._stream.read(4 * self.count))
        begin = fragments[0][0] - 8
        edges = [begin + offset for offset in offsets] + [2**63]
        frames: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        frame = 0
        for at, length in fragments:
            while at - 8 >= edges[frame + 1]:
                frame += 1
            frames[frame].append((at, length))
        return frames
