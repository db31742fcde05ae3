"""Pictures for docs/simulator.md: simulated discs beside real cores, the four scores, what goes wrong.

    python benchmarks/simulator_pictures.py [--out docs/pictures]

The real crops are of the cores described in the README of the data folder (Apache-2.0); without that
folder the picture that shows them is left out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TypeAlias, get_args

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from skimage.data import immunohistochemistry

from common.patches import REPOSITORY, data_folder
from common.realism_sets import _LABORATORY, _SCANNER
from lowpower.files import write_bytes
from lowpower.simulate import (
    Artefact,
    SlideSpec,
    draw_laboratory,
    draw_nuclear_slide,
    draw_scanner,
    draw_slide,
    simulate_slide,
)
from lowpower.slides import Slide, open_slide
from lowpower.units import Box

CELL = 340
SCALES = (8.0, 2.0, 0.25)
REAL = {
    "0_ccb66c10": (2600, 3000),
    "1_154ae963": (3500, 3400),
    "2_0123a214": (1400, 3700),
    "2_da5928b4": (3600, 3400),
}
"""Centre of the crops, base pixels."""
Image: TypeAlias = NDArray[np.uint8]


def cell(slide: Slide, centre: tuple[float, float], mpp: float, caption: str) -> Image:
    """A square of `CELL` pixels at `mpp`; at 8 um/px the whole disc, enlarged."""
    times = 2 if mpp >= 8 else 1
    side = round(CELL / times * mpp / slide.mpp)
    width, height = slide.size
    x, y = (width / 2, height / 2) if mpp >= 8 else centre
    box = Box(round(x - side / 2), round(y - side / 2), side, side)
    image = cv2.resize(slide.read(box, mpp), (CELL, CELL), interpolation=cv2.INTER_NEAREST)
    cv2.rectangle(image, (0, 0), (9 * len(caption) + 6, 20), (255, 255, 255), -1)
    cv2.putText(image, caption, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.48, (0, 0, 0), 1, cv2.LINE_AA)
    return image


def column(path: Path, centre: tuple[float, float], caption: str) -> Image:
    with open_slide(path, mpp=0.25 if path.suffix == ".jpg" else None) as slide:
        return np.concatenate([cell(slide, centre, mpp, f"{caption}, {mpp:g} um/px") for mpp in SCALES])


def busiest(folder: Path, name: str, mpp: float) -> tuple[float, float]:
    """Where tumour cells stain most, pixels."""
    cells = pl.read_parquet(folder / f"{name}.cells.parquet").filter(
        (pl.col("type") == "tumour") & ~pl.col("control")
    )
    x, y = cells["x"].to_numpy(), cells["y"].to_numpy()
    weight = 0.2 + cells["intensity"].to_numpy() * cells["completeness"].to_numpy()
    step = 80.0 / mpp
    grid, rows, columns = np.histogram2d(
        y, x, bins=[int(np.ptp(y) / step) + 1, int(np.ptp(x) / step) + 1], weights=weight
    )
    row, col = np.unravel_index(np.argmax(grid), grid.shape)
    return float(columns[col : col + 2].mean()), float(rows[row : row + 2].mean())


def simulated_column(folder: Path, spec: SlideSpec, caption: str) -> Image:
    name = f"simulated-{spec.seed}"
    simulate_slide(spec, folder / f"{name}.tif")
    return column(folder / f"{name}.tif", busiest(folder, name, spec.scanner.mpp), caption)


def save(path: Path, image: Image) -> None:
    ok, data = cv2.imencode(".png", image[..., ::-1])
    assert ok
    write_bytes(path, data.tobytes())


def beside_real(folder: Path, out: Path) -> None:
    cores = data_folder() / "her2_cores"
    columns = []
    for (name, centre), seed in zip(REAL.items(), (2001, 2003, 2005, 2012), strict=True):
        score = name[0] + ("+" if name[0] != "0" else "")
        found = sorted(cores.glob(f"{name}*"))
        if not found:
            print(f"no {name} in {cores}: no picture beside real")
            return
        columns.append(column(found[0], centre, f"real {score}"))
        spec = draw_slide(seed, score, _LABORATORY, _SCANNER)
        columns.append(simulated_column(folder, spec, f"simulated {score}"))
    save(out / "simulated_beside_real.png", np.concatenate(columns, axis=1))


def scores(folder: Path, out: Path) -> None:
    rows = []
    for number, seed in enumerate((41, 47)):
        row = []
        for index, score in enumerate(("0", "1+", "2+", "3+")):
            spec = draw_slide(
                seed + 10 * index, score, draw_laboratory(9, 4 * number + index),
                draw_scanner(9, 4 * number + index, (0.25, 0.25)),
            )  # fmt: skip
            row.append(simulated_column(folder, spec, score))
        rows.append(np.concatenate(row, axis=1))
    save(out / "simulated_scores.png", np.concatenate(rows, axis=1))


def artefacts(folder: Path, out: Path) -> None:
    cells = []
    for name in get_args(Artefact):
        spec = draw_slide(77, "2+", draw_laboratory(9, 2), draw_scanner(9, 1, (0.5, 0.5)))
        spec = spec.model_copy(update={"artefacts": (name,), "looseness": 0.5})
        simulate_slide(spec, folder / f"simulated-{name}.tif")
        with open_slide(folder / f"simulated-{name}.tif") as slide:
            cells.append(cell(slide, (slide.size[0] / 2, slide.size[1] / 2), 4.0, name))
    save(out / "simulated_artefacts.png", np.concatenate(cells, axis=1))


def nuclear(folder: Path, out: Path) -> None:
    """Nuclear markers beside scikit-image's colon (a membrane stain: compare hue and texture, not place)."""
    shown = ((2, "ER", "negative"), (1, "ER", "low positive"), (5, "ER", "positive"), (3, "PR", "positive"))
    columns = []
    for number, marker, status in shown:
        spec = draw_nuclear_slide(
            900 + number, status, draw_laboratory(12, number), draw_scanner(12, number, (0.25, 0.25)),
            marker=marker,
        )  # fmt: skip
        path = folder / f"simulated-nuclear-{number}.tif"
        truth = simulate_slide(spec, path).nuclear
        assert truth is not None
        cells = pl.read_parquet(path.with_suffix(".cells.parquet")).filter(pl.col("type") == "tumour")
        x, y, stained = (cells[name].to_numpy() for name in ("x", "y", "class"))
        # The square with most tumour cells; where hardly any is stained, one that holds some.
        rows = np.histogram2d(y, x, bins=16, weights=1 + 4.0 * (stained > 0))
        row, col = np.unravel_index(np.argmax(rows[0]), rows[0].shape)
        centre = (float(rows[2][col : col + 2].mean()), float(rows[1][row : row + 2].mean()))
        with open_slide(path) as slide:
            caption = f"{marker} {truth.percent:.1f} %"
            places = ((slide.size[0] / 2, slide.size[1] / 2), 4.0), (centre, 0.25)
            columns.append(
                np.concatenate([cell(slide, at, mpp, f"{caption}, {mpp:g} um/px") for at, mpp in places])
            )
    real = immunohistochemistry()
    crop = cv2.resize(real[100 : 100 + CELL, 60 : 60 + CELL], (CELL, CELL))
    whole = cv2.resize(real, (CELL, CELL), interpolation=cv2.INTER_AREA)
    columns.append(np.concatenate([whole, crop]))
    save(out / "simulated_nuclear.png", np.concatenate(columns, axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "pictures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for make in (beside_real, scores, artefacts, nuclear):
            make(Path(scratch), options.out)


if __name__ == "__main__":
    main()
