"""Slides with a few bytes changed: does one hang, crash, or read otherwise in silence?

    python benchmarks/mutations.py [--slides 300] [--side 1024] [--seed 20260] [--limit 60]

A simulated disc is written as an SVS, as pyramidal TIFFs of four codecs and as a DICOM series; with
`--side 256` it is one tile a level. Each mutated copy has one to eight bytes of a file changed at random
places, is opened in a process that can be ended, and read whole at its finest level. Counted: hung (longer
than `--limit` seconds), crashed, refused with a sentence, the same pixels, other pixels with the damage
named, other pixels in silence. A byte that changes a colour and nothing that a decoder could tell by is of
the last kind: only a checksum would know.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from lowpower.errors import LowpowerError
from lowpower.simulate import sample
from lowpower.slides import open_slide

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slides"))
import _dicom_writer

MPP = 0.5
OUTCOMES = ("hung", "crashed", "refused", "same pixels", "damage named", "other pixels in silence")
Image = NDArray[np.uint8]


def levels_of(image: Image) -> list[Image]:
    """Three levels, each half the one before."""
    return [image] + [
        cv2.resize(image, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA) for step in (2, 4)
    ]  # fmt: skip


def write_tiff(path: Path, image: Image, compression: str, description: str | None) -> None:
    with tifffile.TiffWriter(path) as out:
        for number, level in enumerate(levels_of(image)):
            out.write(
                level, tile=(256, 256), compression=compression, photometric="rgb", metadata=None,
                subfiletype=int(number > 0), description=description,
                resolution=(1e4 / (MPP * 2**number),) * 2, resolutionunit="CENTIMETER",
            )  # fmt: skip


def write_dicom(path: Path, image: Image) -> None:
    path.mkdir()
    uids = _dicom_writer.new_uids()
    for number, level in enumerate(levels_of(image)):
        _dicom_writer.write_level(path / f"{number}.dcm", level, MPP * 2**number, uids, number=number + 1)


KINDS: dict[str, tuple[str, Callable[[Path, Image], None]]] = {
    "SVS": ("a.svs", lambda path, image: write_tiff(path, image, "jpeg", f"Aperio x|MPP = {MPP}")),
    "TIFF, JPEG": ("a.tif", lambda path, image: write_tiff(path, image, "jpeg", None)),
    "TIFF, JPEG 2000": ("a.tif", lambda path, image: write_tiff(path, image, "jpeg2000", None)),
    "TIFF, LZW": ("a.tif", lambda path, image: write_tiff(path, image, "lzw", None)),
    "TIFF, deflate": ("a.tif", lambda path, image: write_tiff(path, image, "zlib", None)),
    "DICOM": ("series", write_dicom),
}


def read(path: str) -> tuple[str, Image | None]:
    """What came of it, and the pixels."""
    try:
        with open_slide(path) as slide:
            pixels = slide.overview(slide.mpp)
            return ("damage named" if slide.damage() else "read"), pixels
    except LowpowerError:
        return "refused", None


def serve(pipe: Connection) -> None:
    """Read whatever is asked until the other end closes."""
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(read(pipe.recv()))


class Reader:
    """A process that reads slides and may die of one."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=serve, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def read(self, path: Path) -> tuple[str, Image | None]:
        """What came of one slide."""
        self._pipe.send(str(path))
        try:
            if self._pipe.poll(self._limit):
                return self._pipe.recv()
            self._process.kill()
            outcome = "hung"
        except EOFError:
            outcome = "crashed"
        self._process.join()
        self._begin()
        return outcome, None


def mutate(path: Path, rng: np.random.Generator) -> None:
    """Change one to eight bytes of a file, or of one of a folder's."""
    files = sorted(path.glob("*")) if path.is_dir() else [path]
    file = files[rng.choice(len(files), p=np.array([f.stat().st_size for f in files]) / sum(
        f.stat().st_size for f in files))]  # fmt: skip
    data = bytearray(file.read_bytes())
    for place in rng.integers(0, len(data), rng.integers(1, 9)):
        data[place] ^= int(rng.integers(1, 256))
    file.write_bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=300, help="mutated copies of each kind")
    parser.add_argument("--side", type=int, default=1024, help="of the finest level, px")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a slide hangs")
    options = parser.parse_args()
    with open_slide(sample()) as slide:
        image = slide.overview(slide.mpp)[700 : 700 + options.side, 700 : 700 + options.side].copy()
    reader = Reader(options.limit)
    print("kind".ljust(16), *(name.rjust(len(name) + 2) for name in OUTCOMES))
    for kind, (name, write) in KINDS.items():
        rng, counts = np.random.default_rng(options.seed), Counter[str]()
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / name
            write(whole, image)
            _, want = reader.read(whole)
            assert want is not None
            for number in range(options.slides):
                copy = Path(folder) / str(number) / name
                copy.parent.mkdir()
                (shutil.copytree if whole.is_dir() else shutil.copy)(whole, copy)
                mutate(copy, rng)
                outcome, pixels = reader.read(copy)
                if outcome == "read":
                    outcome = "same pixels" if np.array_equal(pixels, want) else "other pixels in silence"
                counts[outcome] += 1
                shutil.rmtree(copy.parent)
        print(kind.ljust(16), *(str(counts[one]).rjust(len(one) + 2) for one in OUTCOMES), flush=True)


if __name__ == "__main__":
    main()
