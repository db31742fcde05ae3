"""What is asked of a slide, in one object: the same from the command line, Python and the service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict, Unpack, get_args

from lowpower.cohort import SlideInput, check_asked, check_budget
from lowpower.engine import default_workers
from lowpower.errors import OptionError
from lowpower.graphs import Precision, check_precision
from lowpower.models import Bundle, load_bundle
from lowpower.scoring.records import Asked
from lowpower.scoring.requests._folders import control_for, file_for
from lowpower.stain import (
    DEFAULT_CUTOFFS,
    Cutoffs,
    Effort,
    Laboratory,
    Marker,
    laboratory_doubts,
    laboratory_for,
)
from lowpower.tissue import Control, control_name, is_control_word

__all__ = ["ScoreOptions", "ScoreRequest", "asked"]

Model: TypeAlias = str | Path | Bundle


@dataclass(frozen=True)
class ScoreRequest:
    """What is asked of one slide, or of each of many.

    A file given for many slides may be a folder with one for each, named like the slide (`for_slide`).

    Attributes:
        model: A loaded bundle, a bundled model's name, a folder or `hf://owner/name`.
        marker: What is measured where no model answers (`measure_files`); a model has its own.
        mpp: um/px, overriding what the file says.
        scene: Scene or optical path to read, by name or number, of files with several; the largest if None.
        plane: Number (from 1) of the focal plane; the middle one if None.
        control: On-slide control tissue, left out: as `find_tissue` takes it.
        regions: GeoJSON of tumour regions in base pixels: only cells inside count; a network sees only them.
        region_classes: Classes of `regions` that count beside Tumor; "unclassified" for areas without one.
        mask: Tissue as its owner drew it: an image over the whole slide or QuPath's GeoJSON.
        laboratory: Whose cut-offs count in measuring, or the file that `lowpower calibrate` wrote of it; the
            usual ones if None.
        cells: Which cells count in measuring: tumour-like ones, or all of 3 um and more, where only tumour
            is in view or inside `regions`.
        force: Go on where the stain does not look like the marker's; the result says so.
        measure: Also measure the stain, cell by cell at about 0.5 um/px; takes longer than the network.
        pictures: Also draw the pictures.
        workers: Threads that measure; as many as there are processors if None. They change no number.
        effort: Measuring reads every field ("full"), or draws fields until the score is settled ("guided").
        seconds: Budget of guided reading, a slide; None for none.
        seed: Of guided draws.
        precision: Networks run by ONNX Runtime in 32 bits ("exact": the same numbers on every machine), or by
            OpenVINO ("fast": in bfloat16 where the processor has it).

    Raises:
        OptionError: if `seconds` is not above 0, or given without `effort="guided"`.
    """

    model: Model = "her2-sim"
    marker: Marker = "HER2"
    mpp: float | None = None
    scene: str | None = None
    plane: int | None = None
    control: Control = "auto"
    regions: str | Path | None = None
    region_classes: tuple[str, ...] = ()
    mask: str | Path | None = None
    laboratory: Laboratory | str | Path | None = None
    cells: Literal["tumour", "all"] = "tumour"
    force: bool = False
    measure: bool = True
    pictures: bool = True
    workers: int | None = None
    effort: Effort = "full"
    seconds: float | None = None
    seed: int = 0
    precision: Precision = "exact"

    def __post_init__(self) -> None:
        check_budget(self.seconds, self.effort)

    @property
    def threads(self) -> int:
        """Threads that measure."""
        return self.workers or default_workers()

    @property
    def bundle(self) -> Bundle:
        """The model, loaded if it is not yet.

        Raises:
            BundleError: it cannot be loaded.
        """
        return self.model if isinstance(self.model, Bundle) else load_bundle(self.model)

    def check(self) -> None:
        """Refuse what can be asked of no slide, before any is opened.

        Raises:
            OptionError: um/px, scene, plane, control, marker, cells, workers or precision that cannot be, or
                a file that is not there.
        """
        check_asked(
            mpp=self.mpp,
            scene=self.scene,
            plane=self.plane,
            control=self.control,
            regions=self.regions,
            mask=self.mask,
            laboratory=None if isinstance(self.laboratory, Laboratory) else self.laboratory,
        )
        for name, value, known in (
            ("marker", self.marker, get_args(Marker)),
            ("cells", self.cells, ("tumour", "all")),
        ):
            if value not in known:
                raise OptionError(f"--{name} is one of {', '.join(known)}, not '{value}'.")
        check_precision(self.precision)
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"--workers must be 1 or more, not {self.workers}.")

    def for_slide(self, slide: str | Path | SlideInput) -> ScoreRequest:
        """The same for one slide: what a manifest says of it, and in place of a folder its own file there."""
        told = slide if isinstance(slide, SlideInput) else SlideInput(Path(slide))
        control = self.control if told.control is None else told.control
        if isinstance(control, str | Path) and not is_control_word(str(control)):
            control = control_for(control, told.path)
        regions = None if self.regions is None else file_for(Path(self.regions), told.path)
        mask = told.mask if told.mask is not None else self.mask
        return replace(
            self,
            mpp=self.mpp if told.mpp is None else told.mpp,
            control=control,
            regions=regions,
            mask=None if mask is None else file_for(Path(mask), told.path),
        )

    def record(self) -> Asked:
        """The options as a record keeps them, files by name and SHA-256."""
        return Asked(
            mpp=self.mpp,
            scene=self.scene,
            plane=self.plane,
            control=control_name(self.control),
            region_classes=self.region_classes,
            regions=None if self.regions is None else control_name(self.regions),
            mask=None if self.mask is None else control_name(self.mask),
            laboratory=self.laboratory_name,
            cells=self.cells,
            force=self.force,
            measure=self.measure,
            pictures=self.pictures,
            effort=self.effort,
            seconds=self.seconds,
            seed=self.seed,
            precision=self.precision,
        )

    def with_laboratory(self, marker: str) -> ScoreRequest:
        """The same with the laboratory's file read, and held against the marker, before any work.

        Raises:
            ConfigError: the file cannot be read, or is another marker's or another cell network's.
        """
        if self.laboratory is None:
            return self
        return replace(self, laboratory=laboratory_for(self.laboratory, marker))

    @property
    def cutoffs(self) -> Cutoffs:
        """From which values on a stain counts; of `with_laboratory`'s request."""
        return self.laboratory.cutoffs() if isinstance(self.laboratory, Laboratory) else DEFAULT_CUTOFFS

    @property
    def laboratory_doubts(self) -> tuple[str, ...]:
        """What speaks against the laboratory's file, a sentence each; of `with_laboratory`'s request."""
        return laboratory_doubts(self.laboratory) if isinstance(self.laboratory, Laboratory) else ()

    @property
    def laboratory_name(self) -> str | None:
        """How a record names whose cut-offs counted."""
        own = self.laboratory
        return f"{own.name} ({own.signature[:12]})" if isinstance(own, Laboratory) else None


class ScoreOptions(TypedDict, total=False):
    """The attributes of `ScoreRequest` that calls take by keyword; `model` has a place of its own."""

    marker: Marker
    mpp: float | None
    scene: str | None
    plane: int | None
    control: Control
    regions: str | Path | None
    region_classes: tuple[str, ...]
    mask: str | Path | None
    laboratory: Laboratory | str | Path | None
    cells: Literal["tumour", "all"]
    force: bool
    measure: bool
    pictures: bool
    workers: int | None
    effort: Effort
    seconds: float | None
    seed: int
    precision: Precision


def asked(request: ScoreRequest | None, model: Model | None, **options: Unpack[ScoreOptions]) -> ScoreRequest:
    """A request with what was said beside it: `model` and `options` go before what `request` says.

    Raises:
        OptionError: something that can be asked of no slide.
    """
    request = request or ScoreRequest()
    request = replace(request, **options) if model is None else replace(request, model=model, **options)
    request.check()
    return request
