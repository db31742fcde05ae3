"""How each need is made of an open slide."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from lowpower.errors import LowpowerError, NoTissueError
from lowpower.experiments.artefacts._costs import NOTHING, Cost, together, watch
from lowpower.experiments.plan import Need
from lowpower.files import atomic_path, sha256_of
from lowpower.models import Encoder, appearance_of, create_encoder, measured_inputs
from lowpower.slides import Slide
from lowpower.stain import DEFAULT_CUTOFFS, Measurement, measure
from lowpower.tissue import Tissue, find_tissue
from lowpower.views import (
    PATCH_REASONS,
    inspect_patches,
    keep_open_view,
    make_features,
    plan_patches,
    read_patches,
)

__all__ = ["MAKERS", "Artefact", "Job", "Opened", "record_path"]


class Artefact(BaseModel):
    """What became of one slide for one need; a file beside what was made.

    Attributes:
        row: Index into the cohort's table.
        state: ok, refused (no tissue, too coarse, ...) or failed (damaged, weights absent, unforeseen).
        reason: One sentence, None when ok.
        content: The slide's content hash, None where it could not be opened.
        request: Digest of all that decides the content.
        file: What was made, a path; None for a measurement, or the tissue alone.
        sha256: Of the file.
        values: Numbers of a measurement.
        appearance: Of a measured slide (`lowpower.models.appearance_of`); empty in records of before.
        white_point: Of the slide's glass.
        mpp: um/px of what was made.
        flags: Codes of the tissue's quality flags.
        patches: How many patches are kept, and how many the grid had.
        read: Cost of finding the tissue, and of making the view.
        features: Cost of patches, features or cells.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    row: int
    state: Literal["ok", "refused", "failed"]
    reason: str | None = None
    content: str | None = None
    request: str | None = None
    file: str | None = None
    sha256: str | None = None
    values: tuple[float, ...] = ()
    appearance: tuple[float, ...] = ()
    white_point: tuple[float, float, float] = (255.0, 255.0, 255.0)
    mpp: float = 0.0
    flags: tuple[str, ...] = ()
    patches: tuple[int, int] = (0, 0)
    read: Cost = NOTHING
    features: Cost = NOTHING


@dataclass(frozen=True)
class Job:
    """One slide and what is needed of it."""

    needs: tuple[Need, ...]
    row: int
    slide: str
    mpp: float | None
    mask: str | None
    control: str
    cache: str
    threads: int

    def folder(self, need: Need) -> Path:
        """Where what is made lies."""
        return Path(self.cache) / need.key

    def record(self, need: Need) -> Path:
        """The file that says what became of it."""
        return record_path(self.cache, need, self.slide)


class Opened:
    """An open slide; its tissue is searched for once, and each need bears the cost: an arm alone would.

    Args:
        slide: The slide.
        job: What it was opened for.
    """

    def __init__(self, slide: Slide, job: Job) -> None:
        self.slide, self.job = slide, job
        self._tissue: tuple[Tissue, Cost] | None = None

    def tissue(self) -> tuple[Tissue, Cost]:
        """The tissue, the user's mask where there is one, and what finding it cost."""
        if self._tissue is None:
            with watch() as finding:
                found = find_tissue(self.slide, mask=self.job.mask, control=self.job.control)
            self._tissue = found, finding.cost
        return self._tissue


def record_path(cache: str, need: Need, slide: str) -> Path:
    """Where the record of a slide's need lies."""
    tag = hashlib.sha256(slide.encode()).hexdigest()[:12]
    return Path(cache) / need.key / f"{Path(slide).stem}-{tag}.slide.json"


def _tissue(opened: Opened, need: Need, folder: Path) -> Artefact:
    return Artefact(row=opened.job.row, state="ok", read=opened.tissue()[1])


def _view(opened: Opened, need: Need, folder: Path) -> Artefact:
    assert need.view is not None
    job = opened.job
    tissue, finding = opened.tissue()
    with watch() as reading:
        view, picture = keep_open_view(
            opened.slide, job.mpp, need.view, folder, job.mask, job.control, tissue
        )
    return Artefact(
        row=job.row,
        state="ok",
        file=str(picture),
        sha256=sha256_of(picture),
        mpp=view.mpp,
        read=_stored(together([finding, reading.cost]), picture),
    )


def _bag(opened: Opened, need: Need, folder: Path) -> Artefact:
    assert need.patches is not None
    assert need.encoder is not None
    encoder = _encoder(need.encoder, need.weights)
    slide, (tissue, finding) = opened.slide, opened.tissue()
    with watch() as making:
        run = make_features(
            slide,
            tissue,
            need.patches,
            encoder.for_slide(tissue.white_point),
            folder,
            encoder=encoder.identity,
            qc=need.qc,
            option_mpp=opened.job.mpp,
        )
    return Artefact(
        row=opened.job.row,
        state="ok",
        file=str(run.path),
        sha256=run.sidecar.h5_sha256,
        white_point=run.sidecar.white_point,
        mpp=run.sidecar.mpp,
        patches=(run.sidecar.patches, run.sidecar.candidates),
        read=finding,
        features=_stored(making.cost, run.path),
    )


def _encoder(name: str, weights: str | None) -> Encoder:
    """Loaded once a process, not once a slide; so are weights that cannot be had missed once.

    Raises:
        ConfigError: as `create_encoder`.
        WeightsError: likewise.
    """
    found = _loaded_encoder(name, weights)
    if isinstance(found, LowpowerError):
        raise found.with_traceback(None)
    return found


@functools.lru_cache(maxsize=1)
def _loaded_encoder(name: str, weights: str | None) -> Encoder | LowpowerError:
    try:
        return create_encoder(name, weights=weights)
    except LowpowerError as error:
        return error


def _pixels(opened: Opened, need: Need, folder: Path) -> Artefact:
    assert need.patches is not None
    slide, (tissue, finding) = opened.slide, opened.tissue()
    with watch() as making:
        grid = plan_patches(slide, tissue, need.patches)
        images = np.empty((len(grid), grid.size, grid.size, 3), np.uint8)
        for batch in read_patches(slide, grid):
            images[batch.index] = batch.images
        if need.qc is not None:
            told = inspect_patches(images, tissue.white_point, grid.mpp, need.qc)
            images = images[told == PATCH_REASONS.index("ok")]
        if len(images) == 0:
            raise NoTissueError(slide.path, f"none of {len(grid)} patches passed the inspection.")
        path = folder / opened.job.record(need).name.replace(".slide.json", ".npy")
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, images)
    white = tissue.white_point
    return Artefact(
        row=opened.job.row,
        state="ok",
        file=str(path),
        sha256=sha256_of(path),
        white_point=(float(white[0]), float(white[1]), float(white[2])),
        mpp=grid.mpp,
        patches=(len(images), grid.candidates),
        read=finding,
        features=_stored(making.cost, path),
    )


def _measured(opened: Opened, need: Need, folder: Path) -> Artefact:
    assert need.marker is not None
    slide, (tissue, finding) = opened.slide, opened.tissue()
    with watch() as making:
        cutoffs = DEFAULT_CUTOFFS if need.laboratory is None else need.laboratory.cutoffs()
        measurement = measure(slide, need.marker, tissue, cutoffs=cutoffs)
    values = _values(measurement)
    if values is None:
        return Artefact(
            row=opened.job.row, state="refused", reason=f"{slide.path}: {' '.join(measurement.notes)}"
        )
    return Artefact(
        row=opened.job.row,
        state="ok",
        values=values,
        appearance=_appearance(measurement),
        mpp=float(measurement.mpp or 0),
        read=finding,
        features=making.cost,
    )


def _values(found: Measurement) -> tuple[float, ...] | None:
    """Numbers of a measurement for a regression: shares of cells by grade, H-score, shares of area by DAB."""
    if found.areas is None or found.h_score is None:
        return None
    shares = found.shares.as_tuple() if found.shares is not None else ()
    bins = found.nuclear.bins if found.nuclear is not None else ()
    area = (found.areas.weak, found.areas.moderate, found.areas.strong)
    return measured_inputs((*shares, *bins), found.h_score, area)


def _appearance(found: Measurement) -> tuple[float, ...]:
    if found.white_point is None or found.vectors is None:
        return ()
    return appearance_of(found.white_point, found.vectors.hematoxylin, found.vectors.dab, found.rendering)


def _stored(cost: Cost, path: Path) -> Cost:
    return cost.model_copy(update={"bytes_stored": path.stat().st_size})


MAKERS: dict[str, Callable[[Opened, Need, Path], Artefact]] = {
    "tissue": _tissue,
    "view": _view,
    "bag": _bag,
    "patches": _pixels,
    "measure": _measured,
}
