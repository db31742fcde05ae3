"""An open slide: levels, microns per pixel, and reading any box at any um/px."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowpower.errors import as_text, one_line
from lowpower.files import sha256_of
from lowpower.slides._damage import DamagedTile
from lowpower.slides._icc import colour_transform, unusable_profile
from lowpower.slides._in_storage import told_as
from lowpower.slides._mpp import contradictions, mpp_claims, mpp_notes
from lowpower.slides._padding import GLASS, PADDING_BLOCK, fill_padding
from lowpower.slides._reader import Reader
from lowpower.slides._show import as_html
from lowpower.slides.averaging import Axis, fill_grid
from lowpower.storage import Copy
from lowpower.units import Box, Mpp, scaled_size

__all__ = ["Level", "Slide"]

_SAME = 1e-5  # relative; a scanner's calibration is no better, and whole factors average much faster
_COARSER_ALLOWED = 1e-3
_VERIFIED, _VERIFIED_ACROSS = 1 << 22, 4096  # pixels of one piece, and its width


@dataclass(frozen=True, slots=True)
class Level:
    """One stored resolution of a slide.

    Attributes:
        width: Pixels, inside the scanner's bounds.
        height: Pixels, inside the scanner's bounds.
        downsample: Base pixels per pixel of this level.
        mpp: Microns per pixel of this level.
    """

    width: int
    height: int
    downsample: float
    mpp: Mpp


class _Associated(Mapping[str, NDArray[np.uint8]]):
    """Label, macro, thumbnail: decoded when asked for."""

    def __init__(self, slide: Slide, reader: Reader) -> None:
        self._path, self._file, self._reader = slide.path, slide.file, reader

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        if name not in self._reader.stored.associated:
            raise KeyError(name)
        with told_as(self._path, self._file):
            return self._reader.associated(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._reader.stored.associated)

    def __len__(self) -> int:
        return len(self._reader.stored.associated)


class Slide:
    """A slide open for reading; make one with `open_slide`. Reads may run in several threads at once.

    Attributes:
        path: The file or folder, or its address in storage.
        file: The same on this machine: `path`, or the copy of what lies in storage.
        backend: "fastslide", "openslide", "tifffile", "wsidicom", "pydicom" or "image".
        size: (width, height) in base pixels, inside the scanner's bounds.
        mpp: Microns per base pixel.
        mpp_source: "option", or the metadata key that gave mpp.
        mpp_claims: What each key of the metadata says of um/px: (key, text), the most trusted first.
        mpp_doubts: A sentence for each of them that differs from `mpp` by more than 3 %; among `notes` too.
        levels: Stored resolutions, finest first.
        vendor: Who made the file, if it says so.
        scanner: Which scanner, if it says so.
        associated: Label, macro, thumbnail and the like by name, (H, W, 3) uint8, decoded when asked for.
        icc_applied: Whether colours were converted to sRGB by the file's ICC profile.
        scenes: Names of the scenes and optical paths that can be chosen.
        scene: The one that is read.
        planes: Focal planes of the scene.
        plane: Number (from 1) of the one that is read.
        notes: Sentences about the file that a user should read: what was chosen, um/px that disagree.
    """

    def __init__(
        self,
        path: Path,
        reader: Reader,
        mpp: Mpp,
        mpp_source: str,
        threads: int,
        copy: Copy | None,
        release: Callable[[], None],
    ) -> None:
        self.path = path
        self.file = path if copy is None else copy.file
        self._copy = copy
        self.mpp = mpp
        self.mpp_source = mpp_source
        self.mpp_claims = mpp_claims(reader.stored)
        self._reader = reader
        self._bounds = reader.stored.bounds
        self.backend = reader.backend
        self.vendor = reader.stored.vendor
        self.scanner = reader.stored.scanner
        self.scenes = reader.stored.scenes
        self.scene = reader.stored.scenes[reader.stored.scene]
        self.planes = reader.stored.planes
        self.plane = reader.stored.plane + 1
        self.mpp_doubts = contradictions(mpp, mpp_source, reader.stored)
        self.notes = (
            *reader.stored.notes,
            *unusable_profile(reader.stored.icc),
            *mpp_notes(mpp, mpp_source, reader.stored),
        )
        self._colours = colour_transform(reader.stored.icc)
        self.icc_applied = self._colours is not None
        self.associated: Mapping[str, NDArray[np.uint8]] = _Associated(self, reader)
        self.size = (self._bounds.width, self._bounds.height)
        self.levels = tuple(self._level(index) for index in range(len(reader.stored.sizes)))
        self._hash: str | None = None
        self._threads = threads
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        # A slide that nobody closed closes with its last reference.
        self._release = weakref.finalize(self, release)

    def _level(self, index: int) -> Level:
        base_width, base_height = self._reader.stored.sizes[0]
        width, height = self._reader.stored.sizes[index]
        downsample = (base_width / width + base_height / height) / 2
        # Levels are halved with a row cut off or filled up: 3001 -> 1500 is a factor of 2, not 2.0007.
        whole = round(downsample)
        if abs(base_width - whole * width) < whole and abs(base_height - whole * height) < whole:
            downsample = float(whole)
        if self.size != (base_width, base_height):  # the canvas is larger than what was scanned
            width = max(1, round(self._bounds.width / downsample))
            height = max(1, round(self._bounds.height / downsample))
        return Level(width, height, downsample, Mpp(self.mpp * downsample))

    def read(self, box: Box, mpp: float) -> NDArray[np.uint8]:
        """The pixels of `box` at `mpp` um/px, averaged over area from the cheapest level that is fine enough.

        Pixel (row, column) covers exactly mpp x mpp um, beginning at the box's upper left corner. Finer
        than level 0 it is interpolated. Outside the slide, and where the scanner stored nothing, it is
        glass (white). Memory is bounded by the output and a few bands of tiles.

        Args:
            box: Base pixels; may reach over the slide's edge.
            mpp: Microns per pixel, above 0.

        Returns:
            (H, W, 3) uint8 RGB with W, H = scaled_size(box.width, box.height, self.mpp, mpp).

        Raises:
            ValueError: if mpp is not above 0.
            DamagedSlideError: if the pixels cannot be decoded.
        """
        if not mpp > 0:
            raise ValueError(f"mpp must be above 0 um/px, got {mpp}")
        index = self._level_for(mpp)
        width, height = scaled_size(box.width, box.height, self.mpp, mpp)
        stored = self._reader.stored
        factor = self.levels[index].downsample
        step = mpp / (self.mpp * factor)
        if abs(step - round(step)) <= _SAME * step:
            step = float(round(step))
        left, right = self._extent(self._bounds.x, self._bounds.right, factor, stored.sizes[index][0])
        top, bottom = self._extent(self._bounds.y, self._bounds.bottom, factor, stored.sizes[index][1])
        columns = Axis((self._bounds.x + box.x) / factor, step, width, left, right)
        rows = Axis((self._bounds.y + box.y) / factor, step, height, top, bottom)
        out = np.full((height, width, 3), GLASS, np.uint8)
        with told_as(self.path, self.file):
            fill_grid(out, self._bands(index), columns, rows, stored.rows[index], self._pool())
        if self._colours is not None:
            inside = out[rows.first_cell : rows.last_cell, columns.first_cell : columns.last_cell]
            self._colours.apply(inside)
        return out

    def _bands(self, level: int) -> Callable[[int, int, int, int], NDArray[np.uint8]]:
        """Reads stored pixels of a level, with black padding turned into glass."""
        stored_width, stored_height = self._reader.stored.sizes[level]

        def band(x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
            # Padding is told block by block, so that every read of a pixel comes to the same verdict.
            left, top = x - x % PADDING_BLOCK, y - y % PADDING_BLOCK
            right = min(stored_width, x + width + -(x + width) % PADDING_BLOCK)
            bottom = min(stored_height, y + height + -(y + height) % PADDING_BLOCK)
            pixels = fill_padding(self._reader.read(level, left, top, right - left, bottom - top))
            return pixels[y - top : y - top + height, x - left : x - left + width]

        return band

    def overview(self, mpp: float) -> NDArray[np.uint8]:
        """The whole slide at `mpp` um/px, (H, W, 3) uint8 RGB; see `read`."""
        return self.read(Box(0, 0, *self.size), mpp)

    def thumbnail(self, longest: int = 1024) -> Image.Image:
        """The whole slide, its longer side at most `longest` pixels."""
        mpp = float(self.mpp) * max(1.0, max(self.size) / longest)
        return Image.fromarray(self.overview(mpp))

    def content_hash(self) -> str:
        """SHA-256 of the file, hexadecimal; of several data files (DICOM, MRXS), of their hashes in order."""
        if self._hash is None and self._copy is not None:
            self._hash = self._copy.content_hash()
        if self._hash is None:
            files = self._reader.stored.files or (self.file,)
            hashes = sorted(sha256_of(file) for file in files)
            joined = hashlib.sha256("".join(hashes).encode()).hexdigest()
            self._hash = hashes[0] if len(hashes) == 1 else joined
            if self._copy is not None:
                self._copy.remember(self._hash)
        return self._hash

    def verify(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Decode every stored pixel of every level once; `damage` then names all that warned.

        Args:
            progress: Called with pixels done and pixels in all.

        Raises:
            DamagedSlideError: naming the first tile that cannot be decoded.
        """
        boxes: list[tuple[int, int, int, int, int]] = []
        for level, (width, height) in enumerate(self._reader.stored.sizes):
            rows = self._reader.stored.rows[level]
            tall = max(rows, _VERIFIED // (_VERIFIED_ACROSS * rows) * rows)
            boxes += [
                (level, x, y, min(_VERIFIED_ACROSS, width - x), min(tall, height - y))
                for y in range(0, height, tall)
                for x in range(0, width, _VERIFIED_ACROSS)
            ]

        def read(box: tuple[int, int, int, int, int]) -> int:
            with told_as(self.path, self.file):
                self._reader.read(*box)
            return box[3] * box[4]

        pool = self._pool()
        total, done = sum(box[3] * box[4] for box in boxes), 0
        for pixels in map(read, boxes) if pool is None else pool.map(read, boxes):
            done += pixels
            if progress is not None:
                progress(done, total)

    def damage(self) -> tuple[DamagedTile, ...]:
        """Tiles whose decoder warned, of those read so far: they are read as glass."""
        return self._reader.damage.tiles()

    def close(self) -> None:
        """Release the file and the threads; calling it twice does no harm."""
        with self._lock:
            if self._executor is not None:
                self._executor.shutdown()
                self._executor = None
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        width, height = self.size
        facts = {
            "size": f"{width:,} x {height:,} px",
            "um/px": f"{self.mpp:.4g} (from {self.mpp_source})",
            "opened by": self.backend,
        }
        return as_html(one_line(self.path.name), facts, self.thumbnail(512))

    def __repr__(self) -> str:
        width, height = self.size
        return f"Slide({as_text(self.path)!r}, {width} x {height} px, {self.mpp:g} um/px, {self.backend})"

    def _level_for(self, mpp: float) -> int:
        fit = [i for i, level in enumerate(self.levels) if level.mpp <= mpp * (1 + _COARSER_ALLOWED)]
        return max(fit, key=lambda i: self.levels[i].downsample) if fit else 0

    @staticmethod
    def _extent(begin: int, end: int, factor: float, limit: int) -> tuple[int, int]:
        """The level pixels that hold base pixels [begin, end), at least one."""
        low = min(int(begin / factor), limit - 1)
        return low, max(low + 1, min(-int(-end // factor), limit))

    def _pool(self) -> ThreadPoolExecutor | None:
        if self._threads < 2:
            return None
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="lowpower-slide")
            return self._executor
