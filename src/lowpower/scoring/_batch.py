"""Many slides: each one's failure becomes its recorded state, and the rest go on."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from pydantic import ValidationError

import lowpower
from lowpower.errors import LowpowerError, OutputError
from lowpower.files import atomic_path, make_folder, sha256_of, write_text
from lowpower.models import Bundle
from lowpower.scoring._attachments import Attachments, remove_attachments, write_attachments
from lowpower.scoring._folders import folders_of, write_table
from lowpower.scoring._measure_slide import FieldProgress
from lowpower.scoring._measured import cell_network
from lowpower.scoring._page import render_results
from lowpower.scoring._request import Model, ScoreOptions, ScoreRequest, asked
from lowpower.scoring._result import Result
from lowpower.scoring._score import model_identity, score
from lowpower.tissue import control_name

__all__ = ["score_files"]


def score_files(
    files: Sequence[str | Path],
    *,
    model: Model | None = None,
    request: ScoreRequest | None = None,
    out: str | Path = "lowpower-results",
    fresh: bool = False,
    progress: FieldProgress | None = None,
    on_result: Callable[[Result], None] | None = None,
    **options: Unpack[ScoreOptions],
) -> list[Result]:
    """Score slides one after another, writing `<out>/<slide>/result.json` and pictures as each is done.

    A killed run loses the slide in hand; the same command skips slides whose result was made from the same
    bytes by the same model, um/px and software version, unless `fresh`.

    Args:
        files: Slides or fields of view.
        model: A bundle, or what `load_bundle` takes; before what `request` says.
        request: What is asked of every slide; her2-sim and the usual options if None.
        out: Folder for results; also gets `results.csv` and `report.html`.
        fresh: Score again what `out` already holds.
        progress: Called with measured fields done and fields in all of the slide in hand.
        on_result: Called after each slide.
        **options: Attributes of `ScoreRequest`, before what `request` says.

    Returns:
        One result a file, in order; refused and failed ones say why.

    Raises:
        BundleError: the model cannot be loaded.
        ConfigError: the laboratory is of another marker than the model.
        OutputError: results cannot be written; nothing more is tried then.
    """
    request = asked(request, model, **options)
    bundle = request.bundle
    request = replace(request, model=bundle)  # loaded once
    request = request.with_laboratory(bundle.scheme.marker)
    out = make_folder(out)
    with atomic_path(out / "report.html") as probe:  # a folder that cannot be written is told before any work
        probe.write_text("in progress")
    results = []
    for file, folder in zip(files, folders_of(files, out), strict=True):
        this = request.for_slide(file)
        result = None if fresh else _finished(Path(file), folder, this)
        if result is None:
            result = _score_one(Path(file), folder, this, progress)
        results.append(result)
        if on_result is not None:
            on_result(result)
    write_table(out / "results.csv", [result.summary_row() for result in results])
    write_text(out / "report.html", render_results(results, folders_of(files, out), out, bundle))
    return results


def _finished(file: Path, folder: Path, request: ScoreRequest) -> Result | None:
    """The result that `folder` holds, if this slide's bytes, the model and the options are the same."""
    try:
        result = Result.model_validate_json((folder / "result.json").read_bytes())
    except (OSError, ValidationError):
        return None
    mpp = request.mpp
    same_request = (
        result.state == "ok"
        and result.model == model_identity(request.bundle)
        and result.software_version == lowpower.__version__
        and result.forced == request.force
        and result.was_measured == request.measure
        and _same_cells(result, request)
        and result.control == control_name(request.control)
        and (result.mpp == mpp if mpp is not None else result.mpp_source != "option")
        and (folder / "overlay.png").exists()
    )
    if not same_request or not file.is_file() or sha256_of(file) != result.slide_sha256:
        return None
    return result.attach(Attachments(folder))


def _same_cells(result: Result, request: ScoreRequest) -> bool:
    """Whether what was measured, if anything, was measured with this cell network and this intense OD."""
    told = result.measured
    if told is None or told.mpp is None:
        return True
    return told.cell_network == cell_network() and told.laboratory == request.laboratory_name


def _score_one(file: Path, folder: Path, request: ScoreRequest, progress: FieldProgress | None) -> Result:
    started = time.perf_counter()
    bundle = request.bundle
    make_folder(folder)
    remove_attachments(folder)
    try:
        result = score(file, request=request, progress=progress)
    except OutputError:
        raise
    except LowpowerError as error:
        result = _stopped(file, bundle, error.state, str(error), error.code, started)
    except Exception as error:  # the batch boundary: one slide's surprise must not end the others
        write_text(folder / "error.txt", traceback.format_exc())
        sentence = (
            f"{file}: stopped by an unforeseen {type(error).__name__}; please report {folder / 'error.txt'}."
        )
        result = _stopped(file, bundle, "failed", sentence, "unforeseen", started)
    write_attachments(folder, result.attached())
    write_text(folder / "result.json", result.model_dump_json(indent=2) + "\n")
    # Pictures and cells of ten thousand slides would not fit in memory: from here on they are read back.
    return result.attach(Attachments(folder))


def _stopped(file: Path, bundle: Bundle, state: str, sentence: str, code: str, started: float) -> Result:
    return Result.model_validate(
        {
            "file": str(file),
            "state": state,
            "reason": sentence,
            "reason_code": code,
            "marker": bundle.scheme.marker,
            "scheme": bundle.scheme.name,
            "model": model_identity(bundle),
            "seconds": time.perf_counter() - started,
            "software_version": lowpower.__version__,
        }
    )
