"""What is simulated: laboratories, scanners, slides and cohorts as strict, YAML-able models."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from lowpower.errors import ConfigError, wrong_value
from lowpower.files import read_yaml, write_text
from lowpower.simulate._appearance import Laboratory, NuclearStain, Scanner, SpecModel, Traits, Unit
from lowpower.simulate._her2_truth import Score, score_from_shares

__all__ = [
    "Artefact",
    "CohortSpec",
    "Ish",
    "Laboratory",
    "Marker",
    "NuclearStain",
    "Pattern",
    "Scanner",
    "SlideSpec",
    "Specimen",
    "Status",
]

Marker = Literal["HER2", "ER", "PR", "Ki-67"]
Status = Literal["negative", "low positive", "positive"]
"""Percent of stained tumour nuclei: below 1, 1 to 10, above 10."""
Ish = Literal["positive", "negative"]
Specimen = Literal["core", "disc", "fragment", "biopsy", "resection"]
"""core 0.6 mm, as punched for tissue microarrays; disc 1.3 mm; fragment 2 x 5 mm; biopsy 2 x 15 mm; resection
10 x 10 mm."""
Pattern = Literal["solid", "nests", "cords", "tubules", "glands", "ducts", "columnar"]
Artefact = Literal["pen", "fold", "bubble", "blur", "dust", "tear", "edge"]


class SlideSpec(SpecModel):
    """One simulated slide, complete: the same spec gives the same bytes.

    Attributes:
        schema_version: Version of this model.
        seed: Everything random comes from it.
        marker: What is stained.
        score: The HER2 score; `shares` must imply it by the rule of `score_from_cells`. None for the others.
        ish: In-situ hybridisation, given for 2+ only.
        shares: Shares of tumour cells whose membrane is null, 1+, 2+, 3+, or whose nucleus is stained not at
            all, weakly, moderately, strongly; they sum to 1.
        nuclear: Given for nuclear markers only.
        laboratory: Who stained.
        scanner: What pictured.
        specimen: Shape and size of the tissue.
        patterns: How the tumour grows; up to two side by side.
        tumour: Share of tissue taken by tumour epithelium, roughly.
        cellularity: Density of stromal cells and lymphocytes, 1 = usual.
        looseness: 0 = all dense collagen, 1 = loose and torn.
        clone_um: Distance over which neighbouring cells stain alike.
        cell_noise: 0 = staining follows clones alone, 1 = cells differ independently.
        patchiness: Share of 1+ cells whose incomplete membrane is not faint but moderate.
        blush: Cytoplasmic DAB OD of this slide, added to the laboratory's.
        nucleus_um: Mean diameter of tumour nuclei.
        spacing: Distance between tumour cells over `nucleus_um`; below 1.1 nuclei overlap.
        stacking: How much darker it is where two nuclei lie over each other, 1 = both in full.
        rim: How much darker a nucleus is at its membrane, 1 = plainly, 0 = even, 2 = vesicular.
        chromatin: How clumped chromatin is, 1 = usual.
        pleomorphism: How much tumour nuclei differ in size, 1 = usual.
        traits: What makes this tissue hard to read.
        retraction: Microns by which stroma has drawn back from epithelium.
        control: Whether a known 3+ control lies near one end.
        artefacts: What went wrong.
    """

    schema_version: Literal[1] = 1
    seed: int = Field(ge=0)
    marker: Marker = Field("HER2", exclude_if=lambda marker: bool(marker == "HER2"))
    score: Score | None = None
    ish: Ish | None = None
    shares: tuple[Unit, Unit, Unit, Unit]
    nuclear: NuclearStain | None = Field(None, exclude_if=lambda nuclear: nuclear is None)
    laboratory: Laboratory
    scanner: Scanner
    specimen: Specimen = "disc"
    patterns: tuple[Pattern, ...] = Field(("nests",), min_length=1, max_length=2)
    tumour: float = Field(0.4, ge=0.05, le=0.95)
    cellularity: float = Field(1.0, ge=0.0, le=4.0)
    looseness: Unit = 0.4
    clone_um: float = Field(400.0, ge=20.0, le=5000.0)
    cell_noise: Unit = 0.4
    patchiness: Unit = 0.15
    blush: float = Field(0.0, ge=0.0, le=1.0)
    nucleus_um: float = Field(8.5, ge=4.0, le=18.0)
    spacing: float = Field(1.45, ge=0.8, le=3.0)
    stacking: Unit = 0.0
    rim: float = Field(1.0, ge=0.0, le=2.5)
    chromatin: float = Field(1.0, ge=0.0, le=2.5)
    pleomorphism: float = Field(1.0, ge=0.0, le=2.0)
    traits: Traits = Traits()
    retraction: float = Field(0.0, ge=0.0, le=10.0)
    control: bool = False
    artefacts: tuple[Artefact, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if abs(sum(self.shares) - 1.0) > 1e-6:
            raise ValueError(f"shares must sum to 1, they sum to {sum(self.shares):.6f}")
        if (self.nuclear is None) != (self.marker == "HER2"):
            raise ValueError("nuclear is given for ER, PR and Ki-67, and only for them")
        if self.nuclear is not None:
            if self.score is not None or self.ish is not None:
                raise ValueError(f"score and ish belong to HER2, not to {self.marker}")
            return self
        implied = score_from_shares(self.shares)
        if implied != self.score:
            raise ValueError(f"these shares mean score {implied}, not {self.score}")
        if self.ish is not None and self.score != "2+":
            raise ValueError("ish is given for score 2+ only")
        return self


class CohortSpec(SpecModel):
    """A cohort of simulated slides, drawn from one seed.

    Laboratories and scanners are drawn from `site_seed` and `scanner_seed`, so that a second cohort
    with other seeds comes from laboratories never seen before.

    Attributes:
        schema_version: Version of this model.
        name: Prefix of file and patient names.
        seed: Draws patients and slides.
        patients: How many patients.
        second_slide: Share of patients with a second slide, of another block and the same score.
        marker: What is stained, on every slide.
        scores: Relative numbers of patients per HER2 score.
        statuses: Of nuclear markers, relative numbers of patients per status; empty: as in practice.
        sites: How many laboratories.
        site_seed: Draws the laboratories.
        scanners: How many scanners; each laboratory uses one or two of them.
        scanner_seed: Draws the scanners.
        mpp: Lowest and highest um/px of a scanner.
        specimens: Relative numbers per specimen.
        controls: Share of slides with on-slide control tissue.
        artefacts: Share of slides with at least one artefact.
        ish_positive: Share of 2+ patients whose in-situ hybridisation is positive.
        border: Share of patients whose score or status is a matter of few cells: deciding share within two
            points of a 10 % (Ki-67: also 20 %) cut-off, or about 1 %; the others lie farther away. None: as
            usual (HER2, Ki-67 0.15; ER 0.05; PR 0.08).
        wide: Share of laboratories, of scanners and of slides that are drawn from everything seen on real
            glass, rather than from what is usual.
    """

    schema_version: Literal[1] = 1
    name: str = "simulated"
    seed: int = Field(0, ge=0)
    patients: int = Field(16, ge=1, le=100_000)
    second_slide: Unit = 0.15
    marker: Marker = Field("HER2", exclude_if=lambda marker: bool(marker == "HER2"))
    statuses: dict[Status, Annotated[float, Field(ge=0.0)]] = Field({}, exclude_if=lambda given: not given)
    scores: dict[Score, Annotated[float, Field(ge=0.0)]] = Field({"0": 1.0, "1+": 1.0, "2+": 1.0, "3+": 1.0})
    sites: int = Field(4, ge=1, le=1000)
    site_seed: int = Field(0, ge=0)
    scanners: int = Field(3, ge=1, le=1000)
    scanner_seed: int = Field(0, ge=0)
    mpp: tuple[Annotated[float, Field(ge=0.1, le=2.0)], Annotated[float, Field(ge=0.1, le=2.0)]] = (0.25, 0.5)
    specimens: dict[Specimen, Annotated[float, Field(ge=0.0)]] = Field({"disc": 1.0})
    controls: Unit = 0.1
    artefacts: Unit = 0.3
    ish_positive: Unit = 0.25
    border: Unit | None = None
    wide: Unit = 0.4

    @field_validator("name")
    @classmethod
    def _says_simulated(cls, name: str) -> str:
        if "simulated" not in name or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(
                f"{name!r} must hold the word simulated, and letters, digits, - and _ only, for instance "
                "er-simulated"
            )
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mpp[0] > self.mpp[1]:
            raise ValueError("mpp must be given lowest first")
        if not sum(self.scores.values()) > 0 or not sum(self.specimens.values()) > 0:
            raise ValueError("scores and specimens each need a number above 0")
        if self.statuses and (self.marker == "HER2" or not sum(self.statuses.values()) > 0):
            raise ValueError("statuses belong to ER, PR and Ki-67, and need a number above 0")
        return self

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a cohort spec.

        Raises:
            ConfigError: naming the file and every problem: missing, no YAML, unknown key (with the nearest),
                impossible value.
        """
        content = read_yaml(path)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            told = " ".join(_sentence(problem, tuple(cls.model_fields)) for problem in error.errors())
            raise ConfigError(f"{path}: {told}") from error

    def to_yaml(self, path: str | Path) -> None:
        """Write the spec as YAML, atomically."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))


def _sentence(problem: ErrorDetails, known: Sequence[str]) -> str:
    place = [str(part) for part in problem["loc"] if part != "[key]"]
    name = ".".join(place) or "the spec"
    if problem["type"] != "extra_forbidden":
        return f"{wrong_value(name, problem)}."
    near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
    return f"unknown key {name}; {hint}"
