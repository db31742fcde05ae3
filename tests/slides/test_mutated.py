"""A few bytes changed anywhere: read, or refused in a sentence; no other error leaves the reader."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.errors import SlideError
from lowpower.slides import open_slide

COPIES = 60


def _mutate(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes())
    for place in rng.integers(0, len(data), rng.integers(1, 9)):
        data[place] ^= int(rng.integers(1, 256))
    path.write_bytes(data)


def _read(path: Path) -> str:
    try:
        with open_slide(path, mpp=0.25) as slide:
            slide.overview(slide.mpp)
    except SlideError as error:
        return "refused" if path.name in str(error) else "refused without its name"
    return "read"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["jpeg.svs", "jpeg.tif", "zlib.tif", "lzw.tif", "jpeg2000.tif"])
def test_a_mutated_tiff(
    tmp_path: Path,
    picture: Callable[..., NDArray[np.uint8]],
    write_pyramid: Callable[..., Path],
    kind: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    codec, description = kind.split(".")[0], "Aperio x|MPP = 0.25" if kind.endswith("svs") else None
    whole = write_pyramid(
        tmp_path / kind, picture(130, 100), levels=2, compression=codec, description=description
    )
    rng = np.random.default_rng(7)
    outcomes = []
    for number in range(COPIES):
        copy = tmp_path / f"{number}-{kind}"
        shutil.copy(whole, copy)
        _mutate(copy, rng)
        outcomes.append(_read(copy))
    assert set(outcomes) <= {"read", "refused"}
    assert "refused" in outcomes
    assert capfd.readouterr().out == ""


@pytest.mark.timeout(120)
def test_a_mutated_dicom_series(tmp_path: Path, picture: Callable[..., Any], dicom: Any) -> None:
    whole, uids = tmp_path / "whole", dicom.new_uids()
    whole.mkdir()
    for number in range(2):
        level = picture(128 >> number, 128 >> number)
        dicom.write_level(whole / f"{number}.dcm", level, 0.25 * 2**number, uids, number=number + 1)
    rng = np.random.default_rng(7)
    outcomes = []
    for number in range(COPIES):
        copy = tmp_path / str(number)
        shutil.copytree(whole, copy)
        _mutate(copy / f"{number % 2}.dcm", rng)
        try:
            with open_slide(copy) as slide:
                slide.overview(slide.mpp)
            outcomes.append("read")
        except SlideError:
            outcomes.append("refused")
    assert "refused" in outcomes
