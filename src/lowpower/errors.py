"""The one exception tree. Each message is the one sentence a user reads.

```
LowpowerError
├── SlideError               a slide file cannot serve
│   ├── NotASlideError         missing, a folder, empty, or no known slide or image format
│   ├── DamagedSlideError      a slide format, but pixels cannot be decoded (truncated, corrupt)
│   ├── MissingMppError        no microns per pixel in the file, none given
│   ├── InvalidMppError        microns per pixel given or stored are not plausible
│   ├── StructureError         levels, scenes, planes or parts do not hold together as the file says
│   └── RefusedError           the slide is readable, but a score would be a guess
│       ├── NoTissueError          nothing but glass
│       ├── UnexpectedStainError   does not look like the marker's stain (for instance H&E given as HER2)
│       ├── PoorQualityError       out of focus, clipped, next to no tissue
│       ├── MppOutOfRangeError     the model was not made for this resolution
│       └── RegionsError           a mask or regions that cannot be read, or were not drawn on this slide
├── CohortError              the manifest or folds cannot be used
├── PredictionsError         a table of predictions or an evaluation cannot be used
├── BundleError              a model bundle is incomplete, altered or unknown
├── WeightsError             pretrained weights cannot be had (offline, gated, absent)
├── ConfigError              a configuration file is wrong
│   └── OptionError            an option or argument has a value that cannot be: wrong usage, before any work
├── EngineError              work cannot run where it should: no Ray, an unlike machine, workers that die
├── StorageError             storage that is no local disk: not reached, not allowed, not there, no room here
└── OutputError              results cannot be written (permission, full disk)
```

A sentence names the file, says what is wrong and what to do.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

__all__ = [
    "BundleError",
    "CohortError",
    "ConfigError",
    "DamagedSlideError",
    "EngineError",
    "InvalidMppError",
    "LowpowerError",
    "MissingMppError",
    "MppOutOfRangeError",
    "NoTissueError",
    "NotASlideError",
    "OptionError",
    "OutputError",
    "PoorQualityError",
    "PredictionsError",
    "RefusedError",
    "RegionsError",
    "SlideError",
    "StorageError",
    "StructureError",
    "UnexpectedStainError",
    "WeightsError",
    "address_of",
    "as_sentence",
    "as_text",
    "install_with",
    "one_line",
    "spoken_as_options",
    "wrong_value",
]


_SPOKEN: Final = "LOWPOWER_MESSAGES"
_OPTION: Final = re.compile(
    r"(?P<command>(?<![\w/.-])(?:lowpower [a-z]+|pip install)[^;`]*)|"  # a whole command stays as it is typed
    r"(?<![\w-])--(?P<name>[a-z][a-z-]*)(?: (?P<value>'[^']*'|\d[\d.,]*\d|\d|none\b|auto\b))?"
)
_DECIMAL_COMMA: Final = re.compile(r"-?\d+,\d+")
_LIMITS: Final = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}
_ADDRESS: Final = re.compile(r"(s3|gs|gcs|az|abfs|abfss|http|https|sftp|hdfs|memory):/+(?=[^/])", re.I)
"""What storage that is no local disk begins with."""
_PLAIN_WORD: Final = re.compile(r"[a-z]+(?=[ ,;:]|$)")
_SWITCHES: Final = {"force": "force=True", "fresh": "fresh=True", "no-measure": "measure=False"}


@contextlib.contextmanager
def spoken_as_options() -> Iterator[None]:
    """Let messages name the command line's options; processes started meanwhile do so too."""
    before = os.environ.get(_SPOKEN)
    os.environ[_SPOKEN] = "options"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SPOKEN]
        else:
            os.environ[_SPOKEN] = before


def _as_argument(option: re.Match[str]) -> str:
    """`--mpp 0.25` as `mpp=0.25`, `--force` as `force=True`, `--out` as `out=`."""
    if option["command"]:
        return str(option[0])
    name, value = option["name"], option["value"] or ""
    if name in _SWITCHES:
        return f"{_SWITCHES[name]} {value}".rstrip()
    written = value if not value or value.replace(".", "", 1).isdigit() else repr(value.strip("'"))
    return f"{name.replace('-', '_')}={written}"


def one_line(text: object) -> str:
    """A name or path on one line: a line break in it becomes a space, bytes that are no text are escaped."""
    return "".join(letter if letter.isprintable() else " " for letter in as_text(text))


def address_of(name: object) -> str | None:
    """A name as an address of storage that is no local disk; None where it is an ordinary path.

    `Path` keeps one slash of two: an address that went through it has both again here.

    Examples:
        >>> address_of(Path("s3://bucket/a.svs")), address_of("slides/a.svs")
        ('s3://bucket/a.svs', None)
    """
    plain = str(name).replace(os.sep, "/")
    told = _ADDRESS.match(plain)
    return None if told is None else f"{told[1].lower()}://{plain[told.end() :]}"


def as_sentence(text: str) -> str:
    """A text that stands by itself or between others: a plain word at its beginning has a capital.

    Examples:
        >>> as_sentence("ink lies on it."), as_sentence("um/px 9 is coarse."), as_sentence("a.svs: is empty.")
        ('Ink lies on it.', 'um/px 9 is coarse.', 'a.svs: is empty.')
    """
    return f"{text[0].upper()}{text[1:]}" if _PLAIN_WORD.match(text) else text


def as_text(name: object) -> str:
    """A name as text that can be written: bytes that are none are escaped, an address has its slashes."""
    name = address_of(name) or name
    try:
        plain = str(name).encode(errors="surrogateescape")
    except UnicodeEncodeError:
        plain = str(name).encode(errors="backslashreplace")
    return plain.decode(errors="backslashreplace")


def install_with(extra: str | None = None) -> str:
    """The command that installs lowpower (again), or an extra of it: from a clone, for no index has it."""
    what = "." if extra is None else f"'.[{extra}]'"
    return f"in the folder of its clone run: pip install {what}"


def wrong_value(name: str, problem: Mapping[str, Any]) -> str:
    """What is wrong with a value that a user gave, without the full stop.

    Args:
        name: The key or option.
        problem: One of the `errors()` of a pydantic `ValidationError`.
    """
    kind, given, limits = problem["type"], problem.get("input"), problem.get("ctx") or {}
    said = " ".join(str(problem["msg"]).split()).removeprefix("Value error, ").rstrip(".")
    shown = given if isinstance(given, str | int | float) and not isinstance(given, bool) else None
    if kind in ("float_parsing", "float_type", "int_parsing", "int_type", "int_from_float"):
        what = "a whole number" if kind.startswith("int") else "a number"
        comma = isinstance(given, str) and _DECIMAL_COMMA.fullmatch(given)
        point = f"; write {str(given).replace(',', '.')}, with a point" if comma else ""
        return f"{name} takes {what}, not {given!r}{point}"
    for key, words in _LIMITS.items():
        if key in limits and kind.startswith(("greater", "less")):
            return f"{name} must be {words.format(f'{limits[key]:g}')}, not {shown}"
    if kind == "literal_error" or (kind == "enum" and "expected" in limits):
        return f"{name} is one of {str(limits['expected']).replace(' or ', ', ')}, not {given!r}"
    if said.startswith("Input should"):
        said = said.replace("Input should", "must", 1) + (f", not {shown!r}" if shown is not None else "")
        return f"{name} {said}"
    return f"{name}: {said}"


class LowpowerError(Exception):
    """Root of every error that lowpower raises on purpose.

    Messages are written with the command line's options; without a command line they speak of arguments.

    Attributes:
        code: Short machine-readable name, stable across versions (`no_tissue`, `missing_mpp`, ...).
        state: What a slide's state becomes when this ends its processing.
    """

    code: ClassVar[str] = "error"
    state: ClassVar[Literal["refused", "failed"]] = "failed"

    def __reduce__(self) -> tuple[Any, ...]:
        # By its message: between processes an exception is otherwise made anew from the message as arguments.
        return _as_it_was, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        said = super().__str__()
        return said if os.environ.get(_SPOKEN) == "options" else _OPTION.sub(_as_argument, said)


def _as_it_was(kind: type[LowpowerError], said: tuple[Any, ...], attributes: dict[str, Any]) -> LowpowerError:
    error = kind.__new__(kind, *said)
    error.__dict__.update(attributes)
    return error


class SlideError(LowpowerError):
    """A slide file cannot serve."""

    code = "slide"

    def __init__(self, path: str | Path, problem: str) -> None:
        self.path = Path(path)
        super().__init__(f"{one_line(self.path)}: {problem}")


class NotASlideError(SlideError):
    """Missing, a folder, empty, or no known slide or image format."""

    code = "not_a_slide"
    state = "refused"


class DamagedSlideError(SlideError):
    """A slide format whose pixels cannot be decoded."""

    code = "damaged"


class MissingMppError(SlideError):
    """No microns per pixel in the file, and none given."""

    code = "missing_mpp"
    state = "refused"

    def __init__(
        self,
        path: str | Path,
        keys_tried: tuple[str, ...] = (),
        unusable: tuple[tuple[str, str], ...] = (),
    ) -> None:
        cure = "give it with --mpp, for instance --mpp 0.25, or in the manifest's column mpp."
        if unusable:
            shown = ", ".join(f"{key} = {' '.join(text.split())[:40]}" for key, text in unusable)
            super().__init__(path, f"says no microns per pixel that can be used ({shown}); {cure}")
            return
        tried = f" (looked for {', '.join(keys_tried)})" if keys_tried else ""
        super().__init__(path, f"has no microns per pixel{tried}; {cure}")


class InvalidMppError(SlideError):
    """Microns per pixel, given or stored, are not plausible."""

    code = "invalid_mpp"
    state = "refused"


class StructureError(SlideError):
    """Levels, scenes, planes or parts do not hold together as the file says."""

    code = "structure"
    state = "refused"


class RefusedError(SlideError):
    """The slide is readable, but a score would be a guess."""

    code = "refused"
    state = "refused"


class NoTissueError(RefusedError):
    """Nothing but glass."""

    code = "no_tissue"


class UnexpectedStainError(RefusedError):
    """The slide does not look like the marker's stain."""

    code = "unexpected_stain"


class PoorQualityError(RefusedError):
    """The slide is too poor to score: out of focus, clipped, next to no tissue."""

    code = "poor_quality"


class MppOutOfRangeError(RefusedError):
    """The model was not made for this resolution."""

    code = "mpp_out_of_range"


class RegionsError(RefusedError):
    """A tissue mask or tumour regions: cannot be read, ambiguous, or not drawn on this slide."""

    code = "regions"


class CohortError(LowpowerError):
    """The manifest or the folds cannot be used."""

    code = "cohort"


class PredictionsError(LowpowerError):
    """A table of predictions or an evaluation cannot be used."""

    code = "predictions"


class BundleError(LowpowerError):
    """A model bundle is incomplete, altered or unknown."""

    code = "bundle"


class WeightsError(LowpowerError):
    """Pretrained weights cannot be had."""

    code = "weights"


class ConfigError(LowpowerError):
    """A configuration file or an option is wrong."""

    code = "config"


class OptionError(ConfigError):
    """An option or argument has a value that cannot be; said before any slide is opened."""

    code = "option"


class EngineError(LowpowerError):
    """Work cannot run where it should: Ray is missing, a machine is unlike the others, workers die."""

    code = "engine"


class StorageError(LowpowerError):
    """Storage that is no local disk: not reached, not allowed, not there, or no room for a copy here."""

    code = "storage"


class OutputError(LowpowerError):
    """Results cannot be written."""

    code = "output"
