"""Small slides of every kind, written on the spot, and an exact area average to hold reads against."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def _picture(width: int, height: int, seed: int = 0) -> Pixels:
    """Smooth colours with fine texture, nowhere black."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 240, (height // 40 + 2, width // 40 + 2, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(smooth + rng.integers(-12, 13, (height, width, 3)), 1, 255).astype(np.uint8)


def _halved(image: Pixels) -> Pixels:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return np.asarray(
        cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    )


def _write_pyramid(
    path: Path,
    image: Pixels,
    mpp: float | None = 0.25,
    levels: int = 1,
    compression: str | None = "zlib",
    tile: tuple[int, int] | None = (64, 64),
    **options: Any,
) -> Path:
    """A TIFF of `levels` levels, each half the one before."""
    with tifffile.TiffWriter(
        path, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("order", "<")
    ) as out:
        for level in range(levels):
            resolution = None if mpp is None else (1e4 / (mpp * 2**level),) * 2
            out.write(
                image,
                tile=tile,
                compression=compression,
                photometric="rgb",
                resolution=resolution,
                resolutionunit=None if mpp is None else "CENTIMETER",
                subfiletype=int(level > 0),
                metadata=None,
                **options,
            )
            image = _halved(image)
    return path


def _area_average(
    image: Pixels, x: float, y: float, step: float, width: int, height: int
) -> NDArray[np.float64]:
    """Means over cells of step x step pixels from (x, y), by integrals; cells are clipped to the image."""

    def along(values: NDArray[np.float64], start: float, count: int) -> NDArray[np.float64]:
        size = values.shape[0]
        integral = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        edges = np.clip(start + step * np.arange(count + 1), 0, size)
        whole = np.minimum(edges.astype(int), size - 1)
        part = (edges - whole).reshape(-1, *[1] * (values.ndim - 1))
        at = integral[whole] + part * values[whole]
        return np.diff(at, axis=0) / np.diff(edges).reshape(-1, *[1] * (values.ndim - 1))

    down = along(image.astype(np.float64), y, height)
    return along(down.swapaxes(0, 1), x, width).swapaxes(0, 1)


@pytest.fixture(scope="session")
def picture() -> Callable[..., Pixels]:
    """picture(width, height, seed) -> (H, W, 3)."""
    return _picture


@pytest.fixture(scope="session")
def write_pyramid() -> Callable[..., Path]:
    """write_pyramid(path, image, mpp, levels, compression, tile, ...) -> path."""
    return _write_pyramid


@pytest.fixture(scope="session")
def area_average() -> Callable[..., NDArray[np.float64]]:
    """area_average(image, x, y, step, width, height) -> float64 means."""
    return _area_average


def _dicom_writer() -> Any:
    """The module beside this one; tests are not a package."""
    spec = importlib.util.spec_from_file_location(
        "_dicom_writer", Path(__file__).with_name("_dicom_writer.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def dicom() -> Any:
    """Module with new_uids() and write_level(path, image, mpp, uids, ...)."""
    return _dicom_writer()


@pytest.fixture
def series(tmp_path: Path, dicom: Any) -> tuple[Path, Pixels]:
    """A folder with a DICOM series of three levels and a label, and its level 0."""
    folder = tmp_path / "series"
    folder.mkdir()
    image = level = np.asarray(cv2.GaussianBlur(_picture(700, 500), (0, 0), 2.0), np.uint8)
    uids = dicom.new_uids()
    for number in range(3):
        dicom.write_level(folder / f"{number}.dcm", level, 0.25 * 2**number, uids, number=number + 1)
        level = _halved(level)
    dicom.write_level(folder / "label.dcm", image[:64, :64], 4.0, uids, kind="LABEL", number=9)
    return folder, image
