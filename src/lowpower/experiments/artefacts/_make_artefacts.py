"""Making what arms need of slides: once a slide, with its cost, used again by every arm and fold."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch
from pydantic import ValidationError

from lowpower.cohort import Cohort
from lowpower.engine import Needs, map_items
from lowpower.errors import LowpowerError, OutputError
from lowpower.experiments.artefacts._makers import MAKERS, Artefact, Job, Opened, record_path
from lowpower.experiments.plan import Need
from lowpower.files import make_folder, sha256_of, write_json
from lowpower.made_by import Made, made_by
from lowpower.slides import open_slide
from lowpower.tissue import control_name

__all__ = ["digest_of", "load_artefacts", "make_artefacts"]

_MADE: Final[dict[str, Made]] = {
    "tissue": "tissue", "view": "view", "patches": "view", "bag": "features", "measure": "stain",
}  # fmt: skip
"""What decides the numbers of each kind of need."""
_MEMORY_GB: Final = 2.0
"""At the height of preparing a slide, its encoder and its batches of patches in memory."""


def make_artefacts(
    needs: Sequence[Need],
    cohort: Cohort,
    rows: Sequence[int],
    cache: Path,
    *,
    workers: int,
    threads: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[int, Artefact]]:
    """Make every need of every row, or find that it was made.

    `progress` is called with (done, total) over slides, once for all needs without an encoder and once an
    encoder.

    Returns:
        By the need's key, then by row.

    Raises:
        OutputError: the cache cannot be written; everything else is recorded with its slide.
    """
    groups: dict[tuple[str | None, str | None], list[Need]] = {}
    for need in needs:
        groups.setdefault((need.encoder, need.weights), []).append(need)
    jobs = []
    for group in groups.values():  # one encoder after the other, so that memory holds one
        for row in rows:
            entry = cohort.table.row(row, named=True)
            place = (entry["slide"], entry["mpp"], entry["mask"], entry["control"] or "auto")
            jobs.append(Job(tuple(group), row, *place, str(cache), threads))
    made = map_items(
        _make_all,
        jobs,
        workers=workers,
        needs=Needs(threads, _MEMORY_GB),
        reads=_files,
        writes=[make_folder(cache)],
        lost=_lost,
        progress=progress,
    )
    found: dict[str, dict[int, Artefact]] = {need.key: {} for need in needs}
    for job, artefacts in zip(jobs, made, strict=True):
        for need, artefact in zip(job.needs, artefacts, strict=True):
            found[need.key][job.row] = artefact
    return found


def load_artefacts(need: Need, cohort: Cohort, rows: Sequence[int], cache: Path) -> dict[int, Artefact]:
    """The records `make_artefacts` left, by row."""
    slides = cohort.table["slide"]
    records = {row: record_path(str(cache), need, slides[row]) for row in rows}
    return {row: Artefact.model_validate_json(path.read_bytes()) for row, path in records.items()}


def digest_of(name: str | None) -> str | None:
    """SHA-256 of a local weight file; None where the name is of something else."""
    return sha256_of(name) if name is not None and Path(name).is_file() else None


def _files(job: Job) -> list[str]:
    return [path for path in (job.slide, job.mask, job.control) if path is not None]


def _lost(job: Job, why: str) -> list[Artefact]:
    made = Artefact(row=job.row, state="failed", reason=f"{job.slide}: {why}.")
    for need in job.needs:
        write_json(job.record(need), made.model_dump(mode="json"))
    return [made] * len(job.needs)


def _make_all(job: Job) -> list[Artefact]:
    """A group of needs of one slide, which is opened, hashed and searched for tissue once."""
    torch.set_num_threads(job.threads)
    with contextlib.ExitStack() as stack:
        opened: Opened | None = None
        made = []
        for need in job.needs:
            try:
                if opened is None:
                    opened = Opened(stack.enter_context(open_slide(job.slide, job.mpp)), job)
                artefact = _make(opened, need, job)
            except OutputError:
                raise
            except LowpowerError as error:
                artefact = Artefact(row=job.row, state=error.state, reason=str(error))
            except Exception as error:  # the batch boundary: one slide's surprise must not end the others
                reason = f"{job.slide}: stopped by an unforeseen {type(error).__name__}: {error}"
                artefact = Artefact(row=job.row, state="failed", reason=reason)
            write_json(job.record(need), artefact.model_dump(mode="json"))
            made.append(artefact)
    return made


def _make(opened: Opened, need: Need, job: Job) -> Artefact:
    """What a need asks for, from an earlier run where that is there and right."""
    content = opened.slide.content_hash()  # before any clock: an arm in use needs no hash
    mask = None if job.mask is None else sha256_of(job.mask)
    weights = [digest_of(name) for name in (need.encoder, need.weights)]
    said = control_name(job.control)
    by = made_by(_MADE[need.kind])
    request = json.dumps([need.model_dump(mode="json"), weights, content, job.mpp, mask, said, by])
    digest = hashlib.sha256(request.encode()).hexdigest()
    found = _found(job.record(need), digest)
    if found is not None:
        return found.model_copy(update={"row": job.row})
    artefact = MAKERS[need.kind](opened, need, job.folder(need))
    flags = tuple(flag.code for flag in opened.tissue()[0].qc.flags)
    return artefact.model_copy(update={"content": content, "request": digest, "flags": flags})


def _found(record: Path, request: str) -> Artefact | None:
    """What was made before from the same slide by the same request, and is unaltered."""
    try:
        artefact = Artefact.model_validate_json(record.read_bytes())
        if artefact.request != request or artefact.state != "ok":
            return None
        whole = artefact.file is None or sha256_of(artefact.file) == artefact.sha256
    except (OSError, ValidationError):
        return None
    return artefact if whole else None
