"""Making what arms need of slides: once a slide, with its cost, used again by every arm and fold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pydantic import ValidationError

from lowpower.cohort import Cohort
from lowpower.engine import map_items
from lowpower.errors import LowpowerError, OutputError
from lowpower.files import sha256_of, write_json
from lowpower.slides import open_slide
from lowpower.study._makers import MAKERS, Artefact, Job, record_path
from lowpower.study._needs import Need

__all__ = ["digest_of", "load_artefacts", "make_artefacts"]


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

    Returns:
        By the need's key, then by row.

    Raises:
        OutputError: the cache cannot be written; everything else is recorded with its slide.
    """
    jobs = []
    for need in needs:
        for row in rows:
            entry = cohort.table.row(row, named=True)
            jobs.append(Job(need, row, entry["slide"], entry["mpp"], entry["mask"], str(cache), threads))
    done = 0

    def count(job: Job, artefact: Artefact) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(jobs))

    made = map_items(_make, jobs, workers=workers, on_done=count)
    found: dict[str, dict[int, Artefact]] = {need.key: {} for need in needs}
    for job, artefact in zip(jobs, made, strict=True):
        found[job.need.key][job.row] = artefact
    return found


def load_artefacts(need: Need, cohort: Cohort, rows: Sequence[int], cache: Path) -> dict[int, Artefact]:
    """The records `make_artefacts` left, by row."""
    slides = cohort.table["slide"]
    records = {row: record_path(str(cache), need, slides[row]) for row in rows}
    return {row: Artefact.model_validate_json(path.read_bytes()) for row, path in records.items()}


def digest_of(name: str | None) -> str | None:
    """SHA-256 of a local weight file; None where the name is of something else."""
    return sha256_of(name) if name is not None and Path(name).is_file() else None


def _make(job: Job) -> Artefact:
    torch.set_num_threads(job.threads)
    try:
        with open_slide(job.slide, job.mpp) as slide:
            content = slide.content_hash()  # before the clock starts: an arm in use needs no hash
            mask = None if job.mask is None else sha256_of(job.mask)
            weights = [digest_of(name) for name in (job.need.encoder, job.need.weights)]
            request = json.dumps([job.need.model_dump(mode="json"), weights, content, job.mpp, mask])
            digest = hashlib.sha256(request.encode()).hexdigest()
            artefact = _found(job, digest) or MAKERS[job.need.kind](slide, job).model_copy(
                update={"content": content, "request": digest}
            )
    except OutputError:
        raise
    except LowpowerError as error:
        artefact = Artefact(row=job.row, state=error.state, reason=str(error))
    except Exception as error:  # the batch boundary: one slide's surprise must not end the others
        reason = f"{job.slide}: stopped by an unforeseen {type(error).__name__}: {error}"
        artefact = Artefact(row=job.row, state="failed", reason=reason)
    write_json(job.record, artefact.model_dump(mode="json"))
    return artefact


def _found(job: Job, request: str) -> Artefact | None:
    """What was made before from the same slide by the same request, and is unaltered."""
    try:
        artefact = Artefact.model_validate_json(job.record.read_bytes())
        if artefact.request != request or artefact.state != "ok":
            return None
        whole = artefact.file is None or sha256_of(artefact.file) == artefact.sha256
    except (OSError, ValidationError):
        return None
    return artefact.model_copy(update={"row": job.row}) if whole else None
