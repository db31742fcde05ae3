"""Many slides: each one's failure becomes its recorded state, and the rest go on."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

import lowpower
from lowpower.errors import LowpowerError, OutputError
from lowpower.files import atomic_path, make_folder, sha256_of, write_text
from lowpower.models import Bundle, load_bundle
from lowpower.scoring._attachments import Attachments, remove_attachments, write_attachments
from lowpower.scoring._folders import control_for, folders_of, write_table
from lowpower.scoring._measure_slide import FieldProgress, check_intense
from lowpower.scoring._measured import cell_network
from lowpower.scoring._page import render_results
from lowpower.scoring._result import Result
from lowpower.scoring._score import model_identity, score
from lowpower.stain import INTENSE_OD
from lowpower.tissue import control_name

__all__ = ["score_files"]


def score_files(
    files: Sequence[str | Path],
    *,
    model: str | Path | Bundle = "her2-sim",
    mpp: float | None = None,
    out: str | Path = "lowpower-results",
    force: bool = False,
    fresh: bool = False,
    measure: bool = True,
    control: str | Path = "auto",
    intense_od: float | None = None,
    progress: FieldProgress | None = None,
    on_result: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Score slides one after another, writing `<out>/<slide>/result.json` and pictures as each is done.

    A killed run loses the slide in hand; the same command skips slides whose result was made from the same
    bytes by the same model, um/px and software version, unless `fresh`.

    Args:
        files: Slides or fields of view.
        model: A bundle, or what `load_bundle` takes.
        mpp: um/px for every file, overriding what the files say.
        out: Folder for results; also gets `results.csv` and `report.html`.
        force: Go on where the stain does not look like the marker's.
        fresh: Score again what `out` already holds.
        measure: Also measure the stain of each slide, cell by cell.
        control: On-slide control tissue: "auto" (found and left out), "none" (all tissue is sample), or
            a word or file as `find_tissue` takes it, or a folder with SLIDE.geojson or SLIDE.png for each.
        intense_od: HER2: DAB OD from which a complete membrane is intense; the usual one if None.
        progress: Called with measured fields done and fields in all of the slide in hand.
        on_result: Called after each slide.

    Returns:
        One result a file, in order; refused and failed ones say why.

    Raises:
        BundleError: the model cannot be loaded.
        ConfigError: `intense_od` is no such OD, or the model is no HER2 model.
        OutputError: results cannot be written; nothing more is tried then.
    """
    bundle = model if isinstance(model, Bundle) else load_bundle(model)
    check_intense(intense_od, bundle.scheme.marker)
    out = make_folder(out)
    with atomic_path(out / "report.html") as probe:  # a folder that cannot be written is told before any work
        probe.write_text("in progress")
    results = []
    request = _Request(bundle, mpp, force, measure, control, intense_od, progress)
    for file, folder in zip(files, folders_of(files, out), strict=True):
        result = None if fresh else _finished(Path(file), folder, request)
        if result is None:
            result = _score_one(Path(file), folder, request)
        results.append(result)
        if on_result is not None:
            on_result(result)
    write_table(out / "results.csv", [result.summary_row() for result in results])
    write_text(out / "report.html", render_results(results, folders_of(files, out), out, bundle))
    return results


@dataclass(frozen=True)
class _Request:
    """What is asked of every slide."""

    bundle: Bundle
    mpp: float | None
    force: bool
    measure: bool
    control: str | Path
    intense_od: float | None
    progress: FieldProgress | None

    def control_of(self, file: Path) -> str | Path:
        """What is said of one slide's control tissue."""
        return control_for(self.control, file)


def _finished(file: Path, folder: Path, request: _Request) -> Result | None:
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
        and result.control == control_name(request.control_of(file))
        and (result.mpp == mpp if mpp is not None else result.mpp_source != "option")
        and (folder / "overlay.png").exists()
    )
    if not same_request or not file.is_file() or sha256_of(file) != result.slide_sha256:
        return None
    return result.attach(Attachments(folder))


def _same_cells(result: Result, request: _Request) -> bool:
    """Whether what was measured, if anything, was measured with this cell network and this intense OD."""
    told = result.measured
    if told is None or told.mpp is None:
        return True
    asked = request.intense_od or INTENSE_OD
    return told.cell_network == cell_network() and told.intense_od in (None, asked)


def _score_one(file: Path, folder: Path, request: _Request) -> Result:
    started = time.perf_counter()
    bundle = request.bundle
    make_folder(folder)
    remove_attachments(folder)
    try:
        result = score(
            file,
            model=bundle,
            mpp=request.mpp,
            force=request.force,
            measure=request.measure,
            control=request.control_of(file),
            intense_od=request.intense_od,
            progress=request.progress,
        )
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
