"""What is known of a simulated slide, as files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import lowpower
from lowpower.errors import ConfigError
from lowpower.files import atomic_path, write_bytes, write_json
from lowpower.simulate._her2_truth import Score, membrane_class, score_from_cells
from lowpower.simulate._simulation_spec import SlideSpec
from lowpower.simulate.stain import NuclearTruth, Piece, nuclear_class
from lowpower.simulate.tissue import KINDS

__all__ = ["MASK_UM", "SlideTruth", "truth_path", "write_truth"]

MASK_UM = 4.0
"""Microns per pixel of the masks."""


class SlideTruth(BaseModel):
    """The truth of one simulated slide.

    Attributes:
        schema_version: Version of this model.
        simulated: Always true: this is not a real specimen.
        slide: File name of the slide.
        score: By `score_from_cells` on the cells of the specimen (control tissue left out); None for a
            nuclear marker.
        ultralow: Score 0 with some stained tumour cells.
        shares: Shares of tumour cells of membrane (or nuclear) class 0, 1, 2, 3.
        nuclear: Of a nuclear marker.
        tumour_cells: How many there are.
        width: Pixels of level 0.
        height: Pixels of level 0.
        mpp: Microns per pixel of level 0.
        mask_mpp: Microns per pixel of the masks.
        tissue_mm2: Area of tissue, control left out.
        cells: File name of the per-cell table.
        tissue_mask: File name of the tissue mask, control included (255 = tissue).
        control_mask: File name of the control's mask, if there is one.
        spec: What was asked for.
        versions: Software that made it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    simulated: Literal[True] = True
    slide: str
    score: Score | None
    ultralow: bool
    shares: tuple[float, float, float, float]
    nuclear: NuclearTruth | None = Field(None, exclude_if=lambda nuclear: nuclear is None)
    tumour_cells: int
    width: int
    height: int
    mpp: float
    mask_mpp: float
    tissue_mm2: float
    cells: str
    tissue_mask: str
    control_mask: str | None
    spec: SlideSpec
    versions: dict[str, str]

    @classmethod
    def read(cls, path: str | Path) -> SlideTruth:
        """Read `NAME.truth.json`.

        Raises:
            ConfigError: if it cannot be read or is not a truth file.
        """
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
        except ValidationError as error:
            raise ConfigError(f"{path}: is not the truth of a simulated slide; simulate it again.") from error


def truth_path(slide: str | Path) -> Path:
    """Where the truth of a slide lies."""
    return Path(slide).with_suffix(".truth.json")


def _cell_table(pieces: list[Piece], mpp: float) -> pl.DataFrame:
    tables = []
    for piece in pieces:
        cells, place = piece.cells, piece.plan.place
        columns = {
            "x": ((cells.x + place.x) / mpp).astype(np.float32),
            "y": ((cells.y + place.y) / mpp).astype(np.float32),
            "type": pl.Series(np.array(KINDS)[cells.kind]),
        }
        if piece.spec.nuclear is None:
            columns["class"] = membrane_class(cells.completeness, cells.intensity)
            columns |= {"completeness": cells.completeness, "intensity": cells.intensity}
        else:
            columns |= {"class": nuclear_class(cells.nuclear), "intensity": cells.nuclear}
        columns["control"] = np.full(len(cells), place.control)
        tables.append(pl.DataFrame(columns))
    return pl.concat(tables)


def _shares(grades: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    none, weak, moderate, strong = (float(count) / len(grades) for count in np.bincount(grades, minlength=4))
    return none, weak, moderate, strong


def _mask(pieces: list[Piece], size: tuple[int, int], mpp: float) -> NDArray[np.uint8]:
    columns, rows = max(1, round(size[0] * mpp / MASK_UM)), max(1, round(size[1] * mpp / MASK_UM))
    mask = np.zeros((rows, columns), np.uint8)
    for piece in pieces:
        place, outline = piece.plan.place, piece.plan.outline.astype(np.float32)
        step_x, step_y = place.width / outline.shape[1], place.height / outline.shape[0]
        matrix = np.array(
            [
                [MASK_UM / step_x, 0, (0.5 * MASK_UM - place.x) / step_x - 0.5],
                [0, MASK_UM / step_y, (0.5 * MASK_UM - place.y) / step_y - 0.5],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        inside = cv2.warpAffine(
            outline, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=-60.0
        )
        mask[inside > 0] = 255
    return mask


def _write_png(path: Path, mask: NDArray[np.uint8]) -> None:
    write_bytes(path, cv2.imencode(".png", mask)[1].tobytes())


def write_truth(spec: SlideSpec, pieces: list[Piece], size: tuple[int, int], slide: Path) -> SlideTruth:
    """Write the truth files of a slide, the JSON last."""
    mpp = spec.scanner.mpp
    cells = _cell_table(pieces, mpp)
    counted = cells.filter(~pl.col("control"))
    score = score_from_cells(counted) if spec.nuclear is None else None
    if score is not None and score.score != spec.score:
        raise RuntimeError(f"{slide}: cells say {score.score}, the spec says {spec.score}")
    grades = counted.filter(pl.col("type") == "tumour")["class"].to_numpy()
    cells_file = slide.with_suffix(".cells.parquet")
    with atomic_path(cells_file) as temporary:
        cells.write_parquet(temporary)
    tissue_file = slide.with_suffix(".tissue.png")
    _write_png(tissue_file, _mask(pieces, size, mpp))
    specimen = [piece for piece in pieces if not piece.plan.place.control]
    control = [piece for piece in pieces if piece.plan.place.control]
    control_file = slide.with_suffix(".control.png") if control else None
    if control_file is not None:
        _write_png(control_file, _mask(control, size, mpp))
    truth = SlideTruth(
        slide=slide.name,
        score=spec.score,
        ultralow=score is not None and score.score == "0" and not score.null,
        shares=_shares(grades),
        nuclear=None if score is not None else NuclearTruth.of(spec.marker, counted),
        tumour_cells=len(grades),
        width=size[0],
        height=size[1],
        mpp=mpp,
        mask_mpp=MASK_UM,
        tissue_mm2=float((_mask(specimen, size, mpp) > 0).sum()) * (MASK_UM / 1000) ** 2,
        cells=cells_file.name,
        tissue_mask=tissue_file.name,
        control_mask=control_file.name if control_file else None,
        spec=spec,
        versions={"lowpower": lowpower.__version__, "numpy": np.__version__, "opencv": cv2.__version__},
    )
    write_json(truth_path(slide), truth.model_dump(mode="json"))
    return truth
