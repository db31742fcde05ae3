"""Patch features on disk: one HDF5 file and one JSON sidecar a slide, written as they are made.

`features` (N x D, float16) and `coords` (N x 2, base pixels) with attributes: bags that TRIDENT's and CLAM's
readers understand. A file is used again only when its sidecar equals what would be made now.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowpower.errors import NoTissueError, as_text
from lowpower.files import atomic_path, output_errors, sha256_of, write_json
from lowpower.made_by import made_by
from lowpower.tissue import refuse_damaged
from lowpower.views._feature_sidecar import FeatureSidecar, features_path, find_features
from lowpower.views._patch_pass import ahead, inspected
from lowpower.views._patch_qc import PATCH_REASONS, PatchQC, reason_counts
from lowpower.views._patches import PatchGrid, PatchRecipe, plan_patches

if TYPE_CHECKING:
    import h5py

    from lowpower.slides import Slide
    from lowpower.tissue import Tissue

__all__ = ["Encode", "FeatureRun", "FeatureTimes", "make_features"]

Encode = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""Patches (B, H, W, 3) uint8 RGB -> features (B, D)."""

_ROWS = 256


@dataclass(frozen=True, slots=True)
class FeatureTimes:
    """Where the time went, seconds: waiting for pixels, in the encoder, writing, in all."""

    waiting: float = 0.0
    encoding: float = 0.0
    writing: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class FeatureRun:
    """Features of one slide.

    Attributes:
        path: The HDF5 file.
        sidecar: What it was made from.
        reused: Whether it was there already.
        times: Where the time went; zeros if reused.
    """

    path: Path
    sidecar: FeatureSidecar
    reused: bool
    times: FeatureTimes


def make_features(
    slide: Slide,
    tissue: Tissue,
    recipe: PatchRecipe,
    encode: Encode,
    folder: str | Path,
    *,
    encoder: str,
    qc: PatchQC | None = None,
    option_mpp: float | None = None,
    batch: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> FeatureRun:
    """Encode a slide's patches into `folder`, or find that it was done.

    Two threads read while the encoder works; features are appended batch by batch, so that memory does not
    grow with the number of patches. Rows are in reading order: by bands of columns, then row by row.

    Args:
        slide: The open slide.
        tissue: Where patches may lie; its white point serves the inspection.
        recipe: The patch grid.
        encode: Patches (B, H, W, 3) uint8 to features (B, D).
        folder: Where feature files are kept.
        encoder: Name that identifies `encode` with its weights; another name makes other features.
        qc: Thresholds of the patch inspection; None inspects nothing.
        option_mpp: um/px given for the slide by the user, if any.
        batch: Patches an encoder sees at once.
        progress: Called with (patches read, patches planned).

    Raises:
        MppOutOfRangeError: if the slide stores nothing that fine.
        NoTissueError: if no patch holds enough tissue, or none passes the inspection.
        DamagedSlideError: if a tile cannot be decoded, or too many only with a warning.
        ValueError: if the encoder gives another number of rows, or values that float16 cannot hold.
        OutputError: if it cannot be written.
    """
    made_of = _made_of(slide, tissue, recipe, encoder, qc, option_mpp)
    path = features_path(folder, slide.path, made_of["content_hash"], recipe, encoder)
    found = find_features(path, made_of)
    if found is not None:
        return FeatureRun(path, found, True, FeatureTimes())
    grid = plan_patches(slide, tissue, recipe)
    with atomic_path(path) as temporary:
        written, times = _write(slide, grid, encode, temporary, made_of["white_point"], qc, batch, progress)
        refuse_damaged(slide, tissue)
        with output_errors(path):
            _describe(temporary, grid, recipe, encoder, slide)
    sidecar = FeatureSidecar(
        **made_of,
        slide=as_text(slide.path),
        slide_mpp=slide.mpp,
        slide_mpp_source=slide.mpp_source,
        mpp=grid.mpp,
        patches=written.rows,
        dim=written.dim,
        planned=len(grid),
        candidates=grid.candidates,
        reasons={str(reason): count for reason, count in reason_counts(written.reasons).items()},
        damaged=tuple(tile.name for tile in slide.damage()),
        h5_sha256=sha256_of(path),
    )
    write_json(path.with_suffix(".json"), sidecar.model_dump(mode="json"))
    return FeatureRun(path, sidecar, False, times)


def _made_of(
    slide: Slide,
    tissue: Tissue,
    recipe: PatchRecipe,
    encoder: str,
    qc: PatchQC | None,
    option_mpp: float | None,
) -> dict[str, Any]:
    """All that decides the features, by the sidecar's names."""
    mask = np.packbits(tissue.mask).tobytes() + str(tissue.mask.shape).encode()
    return {
        "recipe": recipe,
        "qc": qc,
        "encoder": encoder,
        "content_hash": slide.content_hash(),
        "option_mpp": option_mpp,
        "mask_sha256": hashlib.sha256(mask).hexdigest(),
        "white_point": tuple(float(value) for value in tissue.white_point),
        "software": made_by("features"),
    }


@dataclass(frozen=True, eq=False)
class _Written:
    rows: int
    dim: int
    reasons: NDArray[np.uint8]


def _write(
    slide: Slide,
    grid: PatchGrid,
    encode: Encode,
    path: Path,
    white: tuple[float, float, float],
    qc: PatchQC | None,
    batch: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[_Written, FeatureTimes]:
    import h5py

    reasons = np.zeros(len(grid), np.uint8)
    rows = dim = seen = 0
    waiting = encoding = writing = 0.0
    begin = mark = time.perf_counter()
    with h5py.File(path, "w", libver="latest") as file:
        for images, index, told in ahead(inspected(slide, grid, white, qc, batch)):
            waiting += (now := time.perf_counter()) - mark
            reasons[index] = told
            keep = told == PATCH_REASONS.index("ok")
            values = _encoded(encode, images[keep]) if keep.any() else None
            encoding += (mark := time.perf_counter()) - now
            if values is not None:
                with output_errors(path):
                    _append(file, values, grid.coords[index[keep]], rows)
                rows, dim = rows + len(values), values.shape[1]
            seen += len(index)
            if progress is not None:
                progress(seen, len(grid))
            writing += (now := time.perf_counter()) - mark
            mark = now
    if rows == 0:
        raise NoTissueError(
            slide.path, f"none of {len(grid)} patches passed the inspection: {reason_counts(reasons)}."
        )
    times = FeatureTimes(waiting, encoding, writing, time.perf_counter() - begin)
    return _Written(rows, dim, reasons), times


def _encoded(encode: Encode, images: NDArray[np.uint8]) -> NDArray[np.float16]:
    values = np.asarray(encode(images))
    if values.ndim != 2 or len(values) != len(images):
        raise ValueError(f"the encoder gave {values.shape} for {len(images)} patches, not ({len(images)}, D)")
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError("the encoder gave values that float16 cannot hold (beyond 65504, or not a number)")
    return half


def _append(file: h5py.File, values: NDArray[np.float16], coords: NDArray[np.int64], row: int) -> None:
    if "features" not in file:
        dim = values.shape[1]
        file.create_dataset("features", (0, dim), np.float16, maxshape=(None, dim), chunks=(_ROWS, dim))
        file.create_dataset("coords", (0, 2), np.int64, maxshape=(None, 2), chunks=(4096, 2))
    for name, data in (("features", values), ("coords", coords)):
        file[name].resize(row + len(data), axis=0)
        file[name][row:] = data


def _describe(path: Path, grid: PatchGrid, recipe: PatchRecipe, encoder: str, slide: Slide) -> None:
    """Attributes: ours on the file, those that TRIDENT and CLAM look for on `coords`."""
    import h5py

    with h5py.File(path, "r+", libver="latest") as file:
        ours: dict[str, Any] = {
            "format": "lowpower.features/1",
            "encoder": encoder,
            "mpp": grid.mpp,
            "requested_mpp": grid.requested_mpp,
            "slide_mpp": slide.mpp,
            "patch_size": grid.size,
            "recipe": recipe.model_dump_json(),
        }
        file.attrs.update(ours)
        file["coords"].attrs.update(
            {
                "patch_size": grid.size,
                "patch_size_level0": grid.side,
                "patch_level": 0,
                "overlap": round(grid.size * recipe.overlap),
                "level0_width": slide.size[0],
                "level0_height": slide.size[1],
                "name": slide.path.stem,
            }
        )
