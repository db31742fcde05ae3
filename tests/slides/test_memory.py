"""A large flat slide does not fill the memory, whatever its size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

SIDE = 16_384  # a flat read of this is 805 MB
LIMIT_MB = 380
READ = r"""
import re, sys
from lowpower.slides import open_slide
with open_slide(sys.argv[1]) as slide:
    for mpp in (8.0, 2.03):
        view = slide.overview(mpp)
        assert abs(int(view[5, 5, 0]) - 200) < 3, view[5, 5]
# VmHWM starts anew with the program; ru_maxrss would be inherited from the process that runs the tests.
print(int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("tiled", [True, False], ids=["tiles", "strips"])
def test_a_large_flat_slide(tmp_path: Path, tiled: bool) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc, which this system has not")
    path = tmp_path / "flat.tif"
    rows = 16
    piece = np.full((256, 256, 3) if tiled else (rows, SIDE, 3), 200, np.uint8)
    data = imagecodecs.zlib_encode(piece, level=1)
    count = SIDE * SIDE * 3 // piece.size
    tifffile.imwrite(
        path, (data for _ in range(count)), shape=(SIDE, SIDE, 3), dtype=np.uint8, photometric="rgb",
        metadata=None, resolution=(40_000, 40_000), resolutionunit="CENTIMETER", bigtiff=True,
        compression="zlib", tile=(256, 256) if tiled else None, rowsperstrip=None if tiled else rows,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT_MB


@pytest.mark.slow
def test_a_plain_image_of_one_strip(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc, which this system has not")
    path = tmp_path / "plain.tif"
    tifffile.imwrite(
        path, (np.full((SIDE, 3), 200, np.uint8) for _ in range(SIDE)), shape=(SIDE, SIDE, 3), dtype=np.uint8,
        photometric="rgb", metadata=None, resolution=(40_000, 40_000), resolutionunit="CENTIMETER",
        bigtiff=True, rowsperstrip=SIDE, contiguous=False,
    )  # fmt: skip
    with tifffile.TiffFile(path) as file:
        assert len(file.pages[0].dataoffsets) == 1
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT_MB
