"""Opening a file with the first backend that serves it."""

from __future__ import annotations

from pathlib import Path

from lowpower.errors import NotASlideError
from lowpower.slides._mpp import choose_mpp
from lowpower.slides._reader import Reader
from lowpower.slides._slide import Slide

__all__ = ["open_slide"]


def open_slide(path: str | Path, mpp: float | None = None, *, threads: int = 2) -> Slide:
    """Open a slide or a plain image; close it, or use it as a context manager.

    Args:
        path: SVS, NDPI, MRXS, TIFF, OME-TIFF, DICOM (a file or folder), or a PNG/JPEG/TIFF field of view.
        mpp: Microns per pixel of the finest level, overriding the file's metadata.
        threads: Threads that decode one large read.

    Raises:
        NotASlideError: if it is missing, a folder, empty, or no known format.
        DamagedSlideError: if it is a slide, but truncated or corrupt.
        MissingMppError: if neither the file nor `mpp` says the microns per pixel.
        InvalidMppError: if they are not plausible.
    """
    path = Path(path)
    if not path.exists():
        raise NotASlideError(path, "does not exist; check the path.")
    reader = _reader(path)
    try:
        value, source = choose_mpp(path, mpp, reader.stored)
    except BaseException:
        reader.close()
        raise
    return Slide(path, reader, value, source, threads)


def _reader(path: Path) -> Reader:
    from lowpower.slides._fastslide import FastSlideReader
    from lowpower.slides._image import ImageReader

    if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp"}:
        return ImageReader(path)
    return FastSlideReader(path)
