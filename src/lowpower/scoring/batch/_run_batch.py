"""Many slides: each one's failure becomes its recorded state, the rest go on; results add up in a folder."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, overload

import polars as pl

from lowpower.cohort import SlideInput
from lowpower.engine import Needs, map_items
from lowpower.errors import (
    LowpowerError,
    NotASlideError,
    OutputError,
    StorageError,
    address_of,
    as_text,
    one_line,
)
from lowpower.files import make_folder, write_text
from lowpower.scoring.batch._folder_page import render_page, short_names
from lowpower.scoring.batch._results_folder import ResultsFolder, content_hash
from lowpower.scoring.records import Attachments, SlideRecord, write_attachments
from lowpower.scoring.requests import ScoreRequest
from lowpower.slides import slide_name
from lowpower.storage import is_there

if TYPE_CHECKING:
    import pandas as pd

    from lowpower.scoring.batch._reader_agreement import ReaderAgreement

__all__ = ["Batch", "Work", "run_batch"]

R = TypeVar("R", bound=SlideRecord)

_THREADS: Final = 2
_SHOWN: Final = 5
_MEMORY_GB: Final = 2.0
"""What a slide takes of a cluster's machine where nothing else is said."""


@dataclass(frozen=True)
class Batch(Sequence[R]):
    """What a run gave: a sequence of records, one a slide in the order given, and a table of them.

    Attributes:
        records: The records; refused and failed ones say why.
        out: Folder with everything; its table and page hold earlier runs' slides too.
        reused: How many records were already there.
        set_aside: Where `fresh` put what was there before; None if nothing was.
        notes: What a user should know of the run as a whole, one sentence each.
        agreement: With the labels of a manifest, where it has any.
    """

    records: tuple[R, ...]
    out: Path
    reused: int = 0
    set_aside: Path | None = None
    notes: tuple[str, ...] = ()
    agreement: ReaderAgreement | None = field(default=None)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[R, ...]: ...
    def __getitem__(self, index: int | slice) -> R | tuple[R, ...]:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def to_polars(self) -> pl.DataFrame:
        """One row a slide, as in the folder's CSV."""
        return pl.DataFrame([table_row(record) for record in self.records], infer_schema_length=None)

    def to_pandas(self) -> pd.DataFrame:
        """The same as a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(self.to_polars().to_dicts())

    def __str__(self) -> str:
        return "\n".join([*(str(record) for record in self.records), self.closing])

    def __repr__(self) -> str:
        return f"<{self.closing.rstrip('.')}; in {self.out}>"

    def _repr_html_(self) -> str:
        return f"{self.to_polars()._repr_html_()}<p>{self.closing}</p>"

    @property
    def names(self) -> list[str]:
        """Each slide as a person reads it: its file's name, or its path where names repeat."""
        return short_names([record.file for record in self.records])

    @property
    def closing(self) -> str:
        """The counts in one line."""
        states = [record.outcome for record in self.records]
        named = ("ok", "issued", "refer", "refused", "failed")
        counts = [f"{states.count(s)} {s}" for s in named if s in states]
        total = f"{len(states)} slide{'' if len(states) == 1 else 's'}"
        was = "was" if self.reused == 1 else "were"
        there = f"; {self.reused} of {len(states)} {was} already there" if self.reused else ""
        return f"{total}: {', '.join(counts)}{there}."


class Work(Protocol[R]):
    """What a verb does with each slide of a batch; pickled where slides go to other machines."""

    @property
    def request(self) -> ScoreRequest:
        """What is asked of every slide."""

    def reusable(self, held: R, slide: SlideInput) -> bool:
        """Whether an earlier record of the slide's very bytes answers what is asked now."""

    def make(self, slide: SlideInput) -> R:
        """The slide's record, with its attachments; may raise."""

    def stopped(self, slide: SlideInput, **about: Any) -> R:
        """The record of a slide that ended in an error."""


def run_batch(
    slides: Sequence[SlideInput],
    folder: ResultsFolder[R],
    work: Work[R],
    *,
    fresh: bool = False,
    one_file: bool = False,
    on_result: Callable[[R, int, int], None] | None = None,
) -> Batch[R]:
    """Work on slides, one after another here or side by side on a cluster (`run_on`).

    Table and page are made from all records that the folder then holds.

    Args:
        slides: What to work on.
        folder: Where to.
        work: What to do.
        fresh: Set aside what the folder holds, and start anew.
        one_file: Embed the pictures in the page.
        on_result: Called after each slide, with how many are done and how many there are.

    Raises:
        OutputError: something cannot be written; nothing more is tried then.
        KeyboardInterrupt: with a sentence that says what is done and how to go on.
    """
    aside = folder.set_aside() if fresh else None
    done: dict[int, R] = {}

    def told(job: _Job[R], record: R) -> None:
        done[job.number] = record
        if on_result is not None:
            on_result(record, len(done), len(slides))
        if record.interrupted:
            raise KeyboardInterrupt

    try:
        for jobs in _rounds(slides, folder, work):
            map_items(
                _one,
                jobs,
                needs=Needs(work.request.workers or _THREADS, _MEMORY_GB),
                reads=_files,
                writes=[folder.out],
                lost=_lost,
                on_done=told,
            )
    except KeyboardInterrupt:
        folder.forget_absent(slides)
        publish(folder, one_file=one_file)
        partly = sum(record.interrupted for record in done.values())
        left = len(slides) - len(done) + partly
        raise KeyboardInterrupt(
            f"stopped; {'one slide was read in part, as its record says; ' if partly else ''}"
            f"{len(done) - partly} of {len(slides)} slides are done and in {folder.told(folder.out)}. "
            f"The same command {'without --fresh ' if fresh else ''}goes on with the other "
            f"{'one' if left == 1 else left}."
        ) from None
    folder.forget_absent(slides)
    publish(folder, one_file=one_file)
    records = tuple(done[number] for number in range(len(slides)))
    notes = (*_earlier(records), *_made_anew(records), *_left_out(folder.unreadable()))
    return Batch(
        records,
        Path(folder.told(folder.out)),
        sum(record.reused for record in records),
        aside if aside is None else Path(folder.told(aside)),
        notes,
    )


def _left_out(unreadable: Sequence[str]) -> tuple[str, ...]:
    """What table and page lack: nothing is missing there without a word."""
    if not unreadable:
        return ()
    shown = ", ".join(map(one_line, unreadable[:_SHOWN]))
    more = f" and {len(unreadable) - _SHOWN} more" if len(unreadable) > _SHOWN else ""
    whose = "a record that" if len(unreadable) == 1 else "records that"
    return (
        f"not in table and page: {shown}{more}, {whose} cannot be read (damaged, or of another version of "
        "lowpower).",
    )


def _earlier(records: Sequence[SlideRecord]) -> tuple[str, ...]:
    """What became of earlier results, where that is to be said."""
    return tuple(f"{one_line(one.file)}: {one.earlier}" for one in records if one.earlier is not None)


def _made_anew(records: Sequence[SlideRecord]) -> tuple[str, ...]:
    """That results which were there are of another software: nothing is done twice without a word."""
    others = [one.outdated for one in records if one.outdated is not None]
    if not others:
        return ()
    slides = "1 slide had a result" if len(others) == 1 else f"{len(others)} slides had results"
    states = ", ".join(sorted(set(others)))
    return (f"{slides} of another state of lowpower ({states}), so each was looked at anew.",)


def publish(folder: ResultsFolder[R], *, one_file: bool = False) -> None:
    """Make table and page from the records on disk."""
    with folder.locked():
        found = folder.records()
        if not found:
            return
        rows = [{"folder": place.name} | table_row(record) for place, record in found]
        if one_file:
            folder.bring_pictures()
        folder.write_books(
            rows, render_page(found, folder.out, names_in=folder.names_in(), one_file=one_file)
        )


def table_row(record: SlideRecord) -> dict[str, Any]:
    """One flat row, with what tells one slide and one run from another."""
    row = dict(record.summary_row())
    row["slide_sha256"], row["software_version"] = record.slide_sha256, record.software_version
    return row


@dataclass(frozen=True)
class _Job(Generic[R]):
    """One slide of a batch, as it travels to where it is worked on."""

    number: int
    slide: SlideInput
    folder: ResultsFolder[R]
    work: Work[R]


def _rounds(slides: Sequence[SlideInput], folder: ResultsFolder[R], work: Work[R]) -> Iterator[list[_Job[R]]]:
    """The slides, then those whose name an earlier one has: that one is to get the folder of the name."""
    names: set[str] = set()
    first: list[_Job[R]] = []
    later: list[_Job[R]] = []
    for number, slide in enumerate(slides):
        name = slide_name(slide.path).lower()
        (later if name in names else first).append(_Job(number, slide, folder, work))
        names.add(name)
    yield first
    if later:
        yield later


def _files(job: _Job[R]) -> list[Path]:
    asked = job.work.request.for_slide(job.slide)
    return [Path(path) for path in (job.slide.path, asked.mask, asked.regions) if path is not None]


def _one(job: _Job[R]) -> R:
    slide, folder, work = job.slide, job.folder, job.work
    with folder.claimed(slide.path) as (place, held):
        if held is not None and not _is_gone(slide.path) and work.reusable(held, slide):
            return _kept(held, slide, place, folder)
        record, trace = _made(slide, folder.told(place), work)
        if slide.absent is not None and held is None:
            return record  # a name that was mistyped is told, and leaves no row
        try:
            return _written(folder, place, held, record, trace)
        except OutputError:
            raise
        except Exception as error:  # what was made cannot be written: this slide's failure, not the batch's
            record, trace = _surprise(error, slide, folder.told(place), work)
            return _written(folder, place, held, record, trace)


def _lost(job: _Job[R], why: str) -> R:
    """The record of a slide whose process died each time."""
    sentence = f"{one_line(job.slide.path)}: {why}."
    record = _stopped(job.slide, job.work, "failed", sentence, "worker_lost", time.perf_counter())
    with job.folder.claimed(job.slide.path) as (place, held):
        return _written(job.folder, place, held, record, None)


def _written(folder: ResultsFolder[R], place: Path, held: R | None, record: R, trace: str | None) -> R:
    """The record in its folder, its pictures and cells beside it."""
    if held is not None and _is_loss(held, record):
        stays = f"{record.reason} The earlier result in {folder.told(place)} stays."
        return record.model_copy(update={"reason": stays})
    earlier = None
    if held is None and record.slide_sha256 is not None:
        other = folder.of_other_bytes(Path(record.file), place)
        if other is not None:
            earlier = f"is another slide than in an earlier run, whose result stays in {folder.told(other)}."
    if held is not None and held.state == "ok" and held.was_measured and not record.was_measured:
        earlier = (
            f"its earlier result, with a measurement, is kept in {folder.told(folder.set_aside_one(place))}."
        )
    elif held is not None and held.state == "ok" and folder.keeps_earlier:
        # A copy: who looks at it meanwhile still finds it.
        aside = folder.told(folder.set_aside_one(place, copy=True))
        earlier = f"its earlier result is kept in {aside}."
    make_folder(place)
    write_attachments(place, record.attached())
    if trace is not None:
        write_text(place / "error.txt", trace)
    folder.write(place, record)
    # Pictures and cells of ten thousand slides would not fit in memory: from here on they are read back.
    outdated = None
    if held is not None and held.state == "ok" and held.software_version != record.software_version:
        outdated = held.software_version
    return record.attach(Attachments(place), earlier=earlier, outdated=outdated)


def _is_loss(held: SlideRecord, made: SlideRecord) -> bool:
    """Whether a result would give way to a refusal that, of one slide and software, options alone explain.

    Nor does it give way to none: a slide that is gone says nothing new.
    """
    if held.state != "ok" or made.state == "ok":
        return False
    return held.software_version == made.software_version or _is_gone(made.file)


def _is_gone(file: str | Path) -> bool:
    """Whether a slide is no longer there; storage that cannot be asked does not say so."""
    try:
        return not is_there(file)
    except StorageError:
        return False


def _kept(held: R, slide: SlideInput, place: Path, folder: ResultsFolder[R]) -> R:
    """An earlier record; it follows its slide to a new place, unless that is a second copy."""
    if _is_gone(held.file) and not _is_gone(slide.path):
        held = held.model_copy(update={"file": as_text(slide.path)})
        folder.write(place, held, anew=False)
    return held.attach(Attachments(place), reused=True)


def _made(slide: SlideInput, told: str, work: Work[R]) -> tuple[R, str | None]:
    """The slide's record, and the traceback where an unforeseen error ended it."""
    started = time.perf_counter()
    try:
        if slide.absent is not None:
            raise NotASlideError(slide.path, slide.absent)
        if address_of(slide.path) is None and as_text(slide.path) != str(slide.path):
            raise NotASlideError(slide.path, "has a name that is no text in UTF-8; rename it.")
        return work.make(slide), None
    except OutputError:
        raise
    except LowpowerError as error:
        return _stopped(slide, work, error.state, str(error), error.code, started), None
    except Exception as error:  # the batch boundary: one slide's surprise must not end the others
        return _surprise(error, slide, told, work, started)


def _surprise(
    error: Exception, slide: SlideInput, told: str, work: Work[R], started: float | None = None
) -> tuple[R, str]:
    """The record of a slide that ended in an error nobody foresaw, and its traceback."""
    trace = "".join(traceback.format_exception(error))
    sentence = (
        f"{one_line(slide.path)}: stopped by an unforeseen {type(error).__name__}; please report "
        f"{told}/error.txt."
    )
    began = time.perf_counter() if started is None else started
    return _stopped(slide, work, "failed", sentence, "unforeseen", began), trace


def _stopped(slide: SlideInput, work: Work[R], state: str, sentence: str, code: str, started: float) -> R:
    return work.stopped(
        slide,
        file=as_text(slide.path),
        state=state,
        reason=sentence,
        reason_code=code,
        slide_sha256=content_hash(slide.path),
        seconds=round(time.perf_counter() - started, 3),
        manifest=None if slide.manifest is None or not _is_gone(slide.path) else as_text(slide.manifest),
    )
