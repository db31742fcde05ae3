"""What is asked of a slide, in one object: the same from the command line, Python and the service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypedDict, Unpack

from lowpower.engine import default_workers
from lowpower.errors import ConfigError
from lowpower.models import Bundle, load_bundle
from lowpower.scoring._folders import control_for, file_for
from lowpower.stain import INTENSE_OD, Marker
from lowpower.tissue import Control, is_control_word

__all__ = ["ScoreOptions", "ScoreRequest", "asked"]

_LEAST_OD, _MOST_OD = 0.1, 2.0
Model: TypeAlias = str | Path | Bundle


@dataclass(frozen=True)
class ScoreRequest:
    """What is asked of one slide, or of each of many.

    A file given for many slides may be a folder with one for each, named like the slide (`for_slide`).

    Attributes:
        model: A loaded bundle, a bundled model's name, a folder or `hf://owner/name`.
        marker: What is measured where no model answers (`measure_files`); a model has its own.
        mpp: um/px, overriding what the file says.
        control: On-slide control tissue, left out: as `find_tissue` takes it.
        regions: GeoJSON of tumour regions in base pixels: only cells inside count.
        mask: Tissue as its owner drew it: a PNG over the whole slide or QuPath's GeoJSON.
        intense_od: HER2: DAB OD from which a complete membrane is intense; the usual one if None.
        force: Go on where the stain does not look like the marker's; the result says so.
        measure: Also measure the stain, cell by cell at about 0.5 um/px; takes longer than the network.
        pictures: Also draw the pictures.
        workers: Threads that measure; as many as there are processors if None. They change no number.
    """

    model: Model = "her2-sim"
    marker: Marker = "HER2"
    mpp: float | None = None
    control: Control = "auto"
    regions: str | Path | None = None
    mask: str | Path | None = None
    intense_od: float | None = None
    force: bool = False
    measure: bool = True
    pictures: bool = True
    workers: int | None = None

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

    def for_slide(self, slide: str | Path) -> ScoreRequest:
        """The same for one slide: in place of a folder, the file in it that has the slide's name."""
        slide = Path(slide)
        control = self.control
        if isinstance(control, str | Path) and not is_control_word(str(control)):
            control = control_for(control, slide)
        regions = None if self.regions is None else file_for(Path(self.regions), slide)
        mask = None if self.mask is None else file_for(Path(self.mask), slide)
        return replace(self, control=control, regions=regions, mask=mask)

    def check_intense(self, marker: str) -> None:
        """Say what is wrong with the OD from which a membrane is to be intense, before any work.

        Raises:
            ConfigError: it is no such OD, or the marker has no membranes to judge.
        """
        if self.intense_od is None:
            return
        if marker != "HER2":
            raise ConfigError(f"--intense-od is about HER2's membranes, and the marker is {marker}.")
        if not _LEAST_OD <= self.intense_od <= _MOST_OD:
            raise ConfigError(
                f"--intense-od {self.intense_od:g} is no optical density of an intense membrane: give "
                f"{_LEAST_OD:g} to {_MOST_OD:g} (usual: {INTENSE_OD:g}; 0.8 times the membrane_od of known "
                "3+ tissue)."
            )


class ScoreOptions(TypedDict, total=False):
    """The attributes of `ScoreRequest` that calls take by keyword; `model` has a place of its own."""

    marker: Marker
    mpp: float | None
    control: Control
    regions: str | Path | None
    mask: str | Path | None
    intense_od: float | None
    force: bool
    measure: bool
    pictures: bool
    workers: int | None


def asked(request: ScoreRequest | None, model: Model | None, **options: Unpack[ScoreOptions]) -> ScoreRequest:
    """A request with what was said beside it: `model` and `options` go before what `request` says."""
    request = request or ScoreRequest()
    return replace(request, **options) if model is None else replace(request, model=model, **options)
