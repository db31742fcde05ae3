"""Tissue kept, glass taken and seconds: ours beside saturation > 8, Otsu on grey and Otsu on saturation.

Prints one table over the real cores, a slide made of twelve of them, a real whole slide with an unscanned
grey block (crc-ihc-8: "glass" is that block) and squares of stain on made glass, and draws
docs/pictures/tissue_cores.png and tissue_squares.png. Kept: share of what the outline holds. Glass: share of
what lies over 12 um outside it. Real images are read from LOWPOWER_DATA or ../shared/data.

    python -m benchmarks.tissue [--no-pictures]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.slides import open_slide
from lowpower.tissue import tissue_mask

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
from tests.tissue.tissue_truth import (  # noqa: E402
    CORES,
    core_image,
    core_truth,
    imprint,
    slide_truth,
    stain_squares,
)

PICTURES = REPOSITORY / "docs" / "pictures"
GLASSES = ((244, 244, 244), (235, 234, 244), (250, 246, 248), (248, 244, 235))
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def ours(image: Image, mpp: float) -> Mask:
    return imprint(tissue_mask(image, mpp).mask, image.shape)


def saturation_above_8(image: Image, mpp: float) -> Mask:
    return cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1] > 8


def otsu_on_grey(image: Image, mpp: float) -> Mask:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1] > 0


def otsu_on_saturation(image: Image, mpp: float) -> Mask:
    saturation = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1])
    return cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1] > 0


RULES: dict[str, Callable[[Image, float], Mask]] = {
    "lowpower": ours,
    "saturation > 8": saturation_above_8,
    "Otsu on grey": otsu_on_grey,
    "Otsu on saturation": otsu_on_saturation,
}
# Name, image, the parts to keep, the glass, um/px.
Case = tuple[str, Image, list[Mask], Mask, float]


def core_cases(folder: Path, mpp: float = 2.0) -> list[Case]:
    cases: list[Case] = []
    for core in CORES:
        image = core_image(folder, core, mpp)
        tissue, glass = core_truth(core, image.shape, mpp)
        cases.append((core, image, [tissue], glass, mpp))
    return cases


def twelve_core_slide(folder: Path, mpp: float = 2.0) -> Case:
    """Four by three cores: the seven, and five again mirrored and dimmed or brightened by up to 2 %."""
    tiles, keep, glass = [], [], []
    side = 0
    for index in range(12):
        core = CORES[index % len(CORES)]
        image = core_image(folder, core, mpp)
        tissue, bare = core_truth(core, image.shape, mpp)
        if index >= len(CORES):
            gain = 1 + 0.02 * (index - 9) / 2
            image = np.clip(image[:, ::-1] * gain, 0, 255).astype(np.uint8)
            tissue, bare = tissue[:, ::-1], bare[:, ::-1]
        side = image.shape[0]
        tiles.append(image)
        keep.append(tissue)
        glass.append(bare)
    rows = [slice(4 * r, 4 * r + 4) for r in range(3)]
    whole = np.vstack([np.hstack(tiles[row]) for row in rows])
    parts = []
    for index, tissue in enumerate(keep):
        part = np.zeros(whole.shape[:2], bool)
        top, left = index // 4 * side, index % 4 * side
        part[top : top + side, left : left + side] = tissue
        parts.append(part)
    return "12-core slide", whole, parts, np.vstack([np.hstack(glass[row]) for row in rows]), mpp


def real_slide(path: Path, mpp: float = 2.3) -> Case:
    """crc-ihc-8.tif, taken for 0.5 um/px: its tissue as one part, and its unscanned block for glass."""
    with open_slide(path, 0.5) as slide:
        image = slide.overview(mpp)
        mpp = float(slide.mpp) * slide.size[0] / image.shape[1]
    pieces, block, _ = slide_truth(image.shape, mpp)
    return "crc-ihc-8", image, [np.any(pieces, axis=0)], block, mpp


def square_cases() -> list[Case]:
    cases: list[Case] = []
    for glass in GLASSES:
        image, labels = stain_squares(glass, 2.0, side_um=240, gap_um=160, noise=2, quality=85)
        parts = [labels == index for index in range(1, 13)]
        cases.append((f"squares on {glass}", image, parts, labels == 0, 2.0))
    return cases


def measure(cases: list[Case], rule: Callable[[Image, float], Mask]) -> tuple[float, float, float, float]:
    """Mean kept, mean glass, worst kept, seconds an image (best of three)."""
    kept, taken, seconds = [], [], []
    for _, image, parts, glass, mpp in cases:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            mask = rule(image, mpp)
            times.append(time.perf_counter() - start)
        seconds.append(min(times))
        kept += [float(mask[part].mean()) for part in parts]
        taken.append(float(mask[glass].mean()))
    return float(np.mean(kept)), float(np.mean(taken)), min(kept), float(np.mean(seconds))


def draw(cases: list[Case], path: Path, columns: int, width: int, gain: float) -> None:
    """Contours of our mask on the images, contrast raised by `gain` so that pale tissue can be seen."""
    tiles = []
    for _, image, _, _, mpp in cases:
        height = round(image.shape[0] * width / image.shape[1])
        shown = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(float)
        shown = np.clip(245 - (245 - shown) * gain, 0, 255).astype(np.uint8)
        outline = imprint(ours(image, mpp), shown.shape).astype(np.uint8)
        contours, _ = cv2.findContours(outline, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, contours, -1, (220, 0, 60), 2)
        tiles.append(cv2.copyMakeBorder(shown, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    sheet = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-pictures", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(2)
    folder = Path(os.environ.get("LOWPOWER_DATA", REPOSITORY.parent / "shared" / "data")) / "her2_cores"
    groups: list[tuple[str, list[Case]]] = []
    if folder.is_dir():
        groups += [("7 cores", core_cases(folder)), ("12-core slide", [twelve_core_slide(folder)])]
    else:
        print(f"no real cores at {folder}: squares only")
    whole = folder.parent / "slides" / "crc-ihc-8.tif"
    if whole.is_file():
        groups.append(("crc-ihc-8", [real_slide(whole)]))
    else:
        print(f"no real slide at {whole}")
    groups.append(("48 squares", square_cases()))
    print(f"{'on':<15}{'rule':<20}{'kept':>7}{'glass':>8}{'worst':>8}{'seconds':>9}")
    for name, cases in groups:
        for rule, function in RULES.items():
            kept, taken, worst, seconds = measure(cases, function)
            print(f"{name:<15}{rule:<20}{kept:>7.3f}{taken:>8.3f}{worst:>8.3f}{seconds:>9.3f}", flush=True)
    if not options.no_pictures:
        draw(groups[-1][1], PICTURES / "tissue_squares.png", 2, 560, 1.0)
        if folder.is_dir():
            draw(groups[0][1], PICTURES / "tissue_cores.png", 4, 360, 2.0)


if __name__ == "__main__":
    main()
