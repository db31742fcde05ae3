"""`check`: every problem of a cohort at once, before hours of work."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort._schemes import SCHEMES
from lowpower.cohort._table import Problem
from lowpower.cohort.copies import SAME_TISSUE, likeness, near_pairs, overview
from lowpower.cohort.manifest import SlideInput, parse_manifest
from lowpower.engine import map_items
from lowpower.errors import LowpowerError, NoTissueError, RegionsError, SlideError, StorageError, one_line
from lowpower.geometry import check_mask
from lowpower.storage import full_name, is_there, size_of
from lowpower.tissue import ControlHabit, control_habit, find_tissue, wrong_control

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["CohortCheck", "check_cohort", "check_slides"]

Progress = Callable[[int, int], None]
Row = dict[str, Any]

_FOLD_PATIENTS, _MOST_FOLDS = 3, 10
"""Patients of each class that folds need (one to train, to validate and to test), and folds worth naming."""
_DOUBTFUL: Final = (
    "some of its tissue may be on-slide control; say in the column control what it is: none, an end such as "
    "left, or X,Y,WIDTH,HEIGHT in base pixels."
)


@dataclass(frozen=True, slots=True)
class CohortCheck:
    """What `check_cohort` found.

    Attributes:
        slides: Rows of the manifest that name a slide.
        patients: Different patients among them.
        problems: Everything found, by row; empty means the cohort can be used.
        control: At which end the slides have their control tissue, where it was looked for.
        notes: What was taken for granted in reading the manifest.
        classes: Marker, class, slides and patients: of HER2 the scores as given, of another marker the
            classes of its first scheme, of which folds are made.
        sites: Names of the sites.
        doubtful: Names of the slides on which it is doubtful, in the manifest's order.
    """

    slides: int
    patients: int
    problems: tuple[Problem, ...]
    control: ControlHabit | None = None
    doubtful: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    classes: tuple[tuple[str, str, int, int], ...] = ()
    sites: tuple[str, ...] = ()

    def summary(self) -> list[str]:
        """The cohort in a few sentences: slides and patients per marker and score, sites, folds possible."""
        said = []
        for marker in sorted({marker for marker, *_ in self.classes}):
            scores = [
                (score, slides, patients) for name, score, slides, patients in self.classes if name == marker
            ]
            counts = [f"{score} on {slides}" for score, slides, _ in scores]
            counts[0] += " slide" if scores[0][1] == 1 else " slides"
            said.append(f"{marker}: {', '.join(counts)}; {_folds(scores)}.")
        if self.sites:
            said.append(f"Sites: {', '.join(self.sites)}.")
        return said


def _folds(scores: Sequence[tuple[str, int, int]]) -> str:
    """How many folds are possible of (score, slides, patients), or who is missing for any."""
    fewest = min(patients for *_, patients in scores)
    if fewest >= _FOLD_PATIENTS:
        return f"up to {min(fewest, _MOST_FOLDS)} folds"
    few = [(score, patients) for score, _, patients in scores if patients < _FOLD_PATIENTS]
    there = ", ".join(f"{score} has {patients}" for score, patients in few)
    return f"not yet enough for folds, which need {_FOLD_PATIENTS} patients of each score: {there}"


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one slide showed: an error, or its likeness; code and end of its control tissue, if any."""

    error: tuple[str, str] | None
    likeness: NDArray[np.float32] | None
    control: tuple[str, str | None] | None = None


def check_cohort(
    path: str | Path, *, find_control: bool = False, workers: int = 1, progress: Progress | None = None
) -> CohortCheck:
    """Find everything wrong with a manifest and the slides it names.

    Every slide is opened and seen whole at low resolution; files of equal size are hashed. Found are: what
    `read_cohort` would refuse, unreadable slides, missing microns per pixel, missing masks, one patient with
    two labels on one marker and block, patients spelled in two ways, slides of equal content, and slides that
    look like copies of each other. Never raises for what it finds.

    Args:
        path: The manifest.
        find_control: Also look for on-slide control tissue, on every slide whose row says nothing of it:
            some seconds a whole slide.
        workers: Processes that look at slides.
        progress: Called with (slides looked at, slides in all).
    """
    # A slide is looked at whatever else is wrong in its row: damage must not wait for the next look.
    cohort, problems = parse_manifest(path, keep=("slide",))
    if cohort is None:
        return CohortCheck(0, 0, tuple(problems))
    rows = list(cohort.table.iter_rows(named=True))
    problems = problems + _two_labels(rows) + _ish_discordant(rows)
    found = _check_rows(rows, problems, find_control, workers, progress)
    return replace(
        found,
        patients=cohort.table["patient"].drop_nulls().n_unique(),
        notes=cohort.notes,
        classes=_classes(rows),
        sites=tuple(sorted({row["site"] for row in rows if row["site"]})),
    )


def check_slides(
    slides: Sequence[SlideInput],
    *,
    find_control: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> CohortCheck:
    """Find what is wrong with slides that no manifest describes: unreadable, without um/px, copies.

    Args:
        slides: As `slide_inputs` gives them.
        find_control: Also look for on-slide control tissue.
        workers: Processes that look at slides.
        progress: Called with (slides looked at, slides in all).
    """
    rows: list[Row] = [
        {
            "slide": full_name(slide.path), "slide_name": one_line(slide.path), "manifest_row": None,
            "patient": None, "marker": slide.marker, "mpp": slide.mpp, "mask": slide.mask,
            "control": slide.control,
        }
        for slide in slides
    ]  # fmt: skip
    return _check_rows(rows, [], find_control, workers, progress)


def _check_rows(
    rows: Sequence[Row],
    problems: list[Problem],
    find_control: bool,
    workers: int,
    progress: Progress | None,
) -> CohortCheck:
    """What the slides themselves show, beside the problems that are known already."""
    present = {str(row["slide"]): is_there(row["slide"]) for row in rows}
    problems = problems + _missing_files(rows, present)
    # A slide listed twice is its own problem; looking at it once is enough.
    first = {row["slide"]: number for number, row in reversed(list(enumerate(rows)))}
    there = [rows[number] for number in sorted(first.values()) if present[rows[number]["slide"]]]
    looked = _look_at_all(there, find_control, workers, progress)
    for row, seen in zip(there, looked, strict=True):
        if seen.error is not None:
            problems.append(Problem(row["manifest_row"], row["slide_name"], *seen.error))
    copies, same = _equal_content(there, looked)
    problems += copies + _near_duplicates(there, looked, same)
    problems += [
        Problem(row["manifest_row"], row["slide_name"], "doubtful_control", _DOUBTFUL)
        for row, seen in zip(there, looked, strict=True)
        if seen.control is not None and seen.control[0] == "control_doubtful"
    ]
    ordered = sorted(problems, key=lambda problem: (problem.row or 0, problem.kind))
    controls = [
        (row["slide_name"], *seen.control) for row, seen in zip(there, looked, strict=True) if seen.control
    ]
    habit = control_habit(
        [end for _, code, end in controls if code == "control"],
        [end for _, code, end in controls if code == "control_doubtful"],
    )
    return CohortCheck(
        len(rows),
        0,
        tuple(ordered),
        habit if find_control else None,
        tuple(name for name, code, _ in controls if code == "control_doubtful"),
    )


def _look_at_all(
    rows: Sequence[Row], find_control: bool, workers: int, progress: Progress | None
) -> list[_Looked]:
    asked = [
        (row["slide"], row["mpp"], find_control and row["mask"] is None and row["control"] in (None, "auto"))
        for row in rows
    ]
    return map_items(
        _look, asked, workers=workers, reads=lambda item: item[:1], lost=_lost, progress=progress
    )


def _lost(item: tuple[str, float | None, bool], why: str) -> _Looked:
    return _Looked(("worker_lost", f"{why[0].upper()}{why[1:]}."), None)


def _look(item: tuple[str, float | None, bool]) -> _Looked:
    from lowpower.slides import open_slide

    path, mpp, find_control = item
    try:
        with open_slide(path, mpp=mpp) as slide:
            image = overview(slide)
            control = _control_of(slide) if find_control else None
            damaged = slide.damage()
    except (SlideError, StorageError) as error:
        return _Looked((error.code, _without_path(error, path)), None)
    if damaged:
        first = f"{damaged[0].name} is damaged ({damaged[0].reason}) and read as glass"
        rest = len(damaged) - 1
        more = ("", ", as is 1 other")[rest] if rest < 2 else f", as are {rest} others"
        return _Looked(("damaged", f"{first}{more}; copy or export it again."), likeness(image), control)
    return _Looked(None, likeness(image), control)


def _control_of(slide: Slide) -> tuple[str, str | None] | None:
    """Code and end of what is said of a slide's control tissue."""
    try:
        flags = find_tissue(slide).qc.flags
    except NoTissueError:
        return None
    return next(((f.code, f.end) for f in flags if f.code in ("control", "control_doubtful")), None)


def _without_path(error: LowpowerError, path: str) -> str:
    """The sentence alone: the slide has its own column."""
    return str(error).removeprefix(f"{one_line(path)}: ")


def _missing_files(rows: Sequence[Row], present: Mapping[str, bool]) -> list[Problem]:
    problems = []
    for row in rows:
        number, name = row["manifest_row"], row["slide_name"]
        if not present[row["slide"]]:
            relative = "" if number is None else "; paths are relative to the manifest"
            message = f"no such file ({row['slide']}){relative}."
            problems.append(Problem(number, name, "missing_slide", message))
        mask = row["mask"]
        if mask is not None and not os.path.isfile(mask):
            problems.append(Problem(number, name, "missing_mask", f"its mask {mask} does not exist."))
        elif mask is not None:
            try:
                check_mask(mask)
            except RegionsError as error:
                problems.append(Problem(number, name, "unreadable_mask", f"its mask {error}"))
        control = row["control"]
        wrong = None if control is None else wrong_control(control)
        if wrong is not None:
            problems.append(Problem(number, name, "missing_control", f"its control {control} {wrong}"))
    return problems


def _two_labels(rows: Sequence[Row]) -> list[Problem]:
    """One patient, marker and block with different scores; different blocks may differ."""
    groups: dict[tuple[str, str, str | None], dict[tuple[str, str], list[int]]] = defaultdict(dict)
    names: dict[int, str] = {}
    for row in rows:
        if row["score"] is None or row["marker"] is None or row["patient"] is None:
            continue
        # ISH only matters where it decides.
        label = (row["score"], row["ish"] or "unknown") if row["score"] == "2+" else (row["score"], "")
        place = (row["patient"], row["marker"], row["block"])
        groups[place].setdefault(label, []).append(row["manifest_row"])
        names[row["manifest_row"]] = row["slide_name"]
    problems = []
    for (patient, marker, block), labels in groups.items():
        if len(labels) < 2:
            continue
        said = "; ".join(
            f"{score}{f' (ISH {ish})' if ish else ''} in row {', '.join(map(str, numbers))}"
            for (score, ish), numbers in labels.items()
        )
        where = f"block {block!r}" if block else "no block given"
        message = (
            f"patient {patient!r} has different {marker} labels ({where}): {said}. Correct them, or name the "
            "blocks in the column block if the tissue differs."
        )
        first = min(number for numbers in labels.values() for number in numbers)
        problems.append(Problem(first, names[first], "two_labels", message))
    return problems


def _classes(rows: Sequence[Row]) -> tuple[tuple[str, str, int, int], ...]:
    groups: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for row in rows:
        if row["marker"] and row["score"] and row["patient"]:
            groups[row["marker"], *_class_of(row["marker"], row["score"])].append(row["patient"])
    return tuple((key[0], key[2], len(people), len(set(people))) for key, people in sorted(groups.items()))


def _class_of(marker: str, score: str) -> tuple[int, str]:
    """Place and name of a score's class."""
    scheme = next((scheme for scheme in SCHEMES.values() if scheme.marker == marker), None)
    if marker == "HER2" or scheme is None:
        return 0, score
    index = scheme.label(score).index
    return index, scheme.classes[index]


def _ish_discordant(rows: Sequence[Row]) -> list[Problem]:
    """In-situ hybridisation that contradicts the score: 0 or 1+ amplified."""
    return [
        Problem(
            row["manifest_row"],
            row["slide_name"],
            "ish_discordant",
            f"score {row['score']} with ISH positive is a discordance: check the score and the test.",
        )
        for row in rows
        if row["score"] in ("0", "null", "ultralow", "1+") and row["ish"] == "positive"
    ]


def _equal_content(
    rows: Sequence[Row], looked: Sequence[_Looked]
) -> tuple[list[Problem], set[tuple[int, int]]]:
    """Slides of equal content, and their pairs of positions. Only files of equal size need hashing."""
    from lowpower.slides import open_slide

    by_size: dict[int, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        if looked[position].error is None:
            by_size[size_of(row["slide"])].append(position)
    by_hash: dict[str, list[int]] = defaultdict(list)
    for same_size in by_size.values():
        for position in same_size if len(same_size) > 1 else ():
            with open_slide(rows[position]["slide"], mpp=rows[position]["mpp"]) as slide:
                by_hash[slide.content_hash()].append(position)
    problems, pairs = [], set()
    for positions in by_hash.values():
        for second in positions[1:]:
            pairs |= {(first, second) for first in positions if first < second}
            problems.append(
                _copy_problem(rows[positions[0]], rows[second], "duplicate", "has the content of")
            )
    return problems, pairs


def _near_duplicates(
    rows: Sequence[Row], looked: Sequence[_Looked], same: set[tuple[int, int]]
) -> list[Problem]:
    """Slides that look alike. Another marker of the same patient may: serial sections of one block do."""
    positions = [position for position, seen in enumerate(looked) if seen.likeness is not None]
    if len(positions) < 2:
        return []
    likenesses = np.stack([seen.likeness for seen in looked if seen.likeness is not None])
    problems = []
    for first, second, similarity in near_pairs(likenesses, SAME_TISSUE):
        pair = positions[first], positions[second]
        one, other = rows[pair[0]], rows[pair[1]]
        one_person = one["patient"] is not None and one["patient"] == other["patient"]
        serial = one_person and one["marker"] != other["marker"]
        if pair not in same and not serial:
            looks = f"looks like (similarity {similarity:.2f})"
            problems.append(_copy_problem(one, other, "near_duplicate", looks))
    return problems


def _copy_problem(first: Row, second: Row, kind: str, verb: str) -> Problem:
    if first["manifest_row"] is None:
        message = f"{verb} {first['slide_name']}; keep one, or see that both are meant."
        return Problem(None, second["slide_name"], kind, message)
    if first["patient"] is None or second["patient"] is None:
        people = "and whose they are is not said"
    elif first["patient"] == second["patient"]:
        people = "of the same patient, and would count twice"
    else:
        people = f"of patient {first['patient']!r}, and would leak between parts as {second['patient']!r}"
    message = (
        f"{verb} row {first['manifest_row']} ({first['slide_name']}), {people}; "
        "keep one, or correct the patient."
    )
    return Problem(second["manifest_row"], second["slide_name"], kind, message)
