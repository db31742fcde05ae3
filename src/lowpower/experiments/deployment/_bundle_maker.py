"""What a study keeps of a trained arm, made a bundle, with what was fitted on validation slides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
from pydantic import ValidationError
from torch import nn

from lowpower.cohort import Cohort, Folds
from lowpower.engine import of_stage
from lowpower.errors import ConfigError, LowpowerError
from lowpower.evaluation import Calibration, DecisionOptions, evaluate_predictions, fit_decision
from lowpower.experiments.artefacts import with_measured
from lowpower.experiments.collect import arm_label, is_simulated
from lowpower.experiments.deployment._blueprints import blueprint_of, kept, mean_of
from lowpower.experiments.deployment._card_notes import card_notes
from lowpower.experiments.plan import BUNDLES, Arm, Experiment, FusionArm, MeasuredArm
from lowpower.experiments.units import (
    CROSS,
    FEW_TO_CALIBRATE,
    FITTED,
    FUSION_WEIGHTS,
    WEIGHTS,
    Done,
    Fitted,
    unit_folder,
)
from lowpower.files import make_folder
from lowpower.models import (
    Blueprint,
    Bundle,
    BundleMetric,
    BundleSpec,
    Decision,
    load_bundle,
    module_of,
    save_bundle,
    software_versions,
)
from lowpower.slides import open_slide

__all__ = ["Maker"]

_USUAL: Final = (0.1, 1.1)
"""um/px of slides that a model may be used on, where those it learnt from cannot tell."""
_ALL: Final = ("train", "validation", "test")
_WIDER: Final = 2.0
"""Slides of half to double the um/px that was learnt from are taken."""


@dataclass(eq=False)
class Maker:
    """Makes bundles of one arm.

    Attributes:
        config: The study, its folder where it lies now.
        cohort: Its cohort.
        folds: Its folds.
        arm: The arm.
        finished: The arm's finished folds.
        why: Why this arm.
        refit: Of a model trained again on every slide; None for the folds' own.
        workers: Processes that measure slides.
        progress: Called with (stage, done, total).
        notes: What a user should know, gathered on the way.
    """

    config: Experiment
    cohort: Cohort
    folds: Folds
    arm: Arm
    finished: Mapping[int, Done]
    why: str
    refit: Done | None = None
    workers: int = 1
    progress: Callable[[str, int, int], None] | None = None
    notes: list[str] = field(default_factory=list)

    def replace(self, fold: int | Literal["all"]) -> Bundle:
        """Write the bundle of a fold's model, or of all folds' together, in the place of an earlier one.

        An earlier one stays until the new one is whole.
        """
        place = make_folder(self.config.folder / BUNDLES) / self.arm.name
        part = place.with_name(f".{place.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        self._make(part, fold)
        shutil.rmtree(place, ignore_errors=True)
        part.replace(place)
        return load_bundle(place)

    def _make(self, folder: Path, fold: int | Literal["all"]) -> Bundle:
        folds = tuple(self.finished) if fold == "all" else (fold,)
        common = self._common(folds)
        if fold != "all":
            blueprint, module = self._model(folder, self.arm, fold, common)
            told = common | {"temperature": self._calibration(self.arm, fold).temperature}
        elif len(folds) < 2:
            raise ConfigError(f"{self.config.folder}: one fold alone is no ensemble; name it with --fold.")
        else:
            made = [
                self._member(folder / "members", f"fold{number}", self.arm, number, common)
                for number in folds
            ]
            blueprint, module = mean_of("folds", made, [1 / len(made)] * len(made)), None
            told = dict(common)
        decision = self._decision(fold)
        spec = BundleSpec.model_validate(
            blueprint.model_dump()
            | told
            | {
                "name": self.arm.name,
                "abstention": decision.network.conformal,
                "decision": decision,
                "metrics": self._metrics(),
            }
        )
        return save_bundle(folder, module, spec, self._card(fold))

    def _common(self, folds: Sequence[int]) -> dict[str, Any]:
        """What the bundle and its members say alike."""
        scheme = self.config.label_scheme
        rows = sorted(
            {row for fold in folds for part in self._parts for row in self.folds.folds[fold].parts()[part]}
        )
        which = f"fold {folds[0]}" if len(folds) == 1 else f"folds {', '.join(map(str, folds))}"
        kind = "simulated slides" if is_simulated(self.cohort) else "slides"
        about = f"{self.cohort.path.name}: {len(rows)} {kind}"
        options = self.config.bundle
        return {
            "version": options.version,
            "licence": options.licence,
            "trained_on": options.trained_on or f"{about}, {which} of {self.config.name}.",
            "description": options.description or f"Arm {self.arm.name}: {arm_label(self.arm)}.",
            "scheme": scheme.name,
            "marker": scheme.marker,
            "classes": scheme.classes,
            "laboratory": self.config.own_laboratory,
            "slide_mpp_range": options.slide_mpp_range or self._mpp_range(rows),
            "cohort_fingerprint": self.cohort.fingerprint,
            "seed": self.config.seed_of(self.arm),
            "software": software_versions(),
            "weights_dtype": options.weights_dtype,
        }

    def _model(
        self, folder: Path, arm: Arm, fold: int, common: Mapping[str, Any]
    ) -> tuple[Blueprint, nn.Module | None]:
        """An arm's model of a fold; a fusion's members are written into `folder`."""
        unit = self._unit(arm, fold)
        if isinstance(arm, FusionArm):
            weights = json.loads(kept(unit / FUSION_WEIGHTS))
            arms = [other for name in arm.of for other in self.config.arms if other.name == name]
            made = [self._member(folder / "members", one.name, one, fold, common) for one in arms]
            return mean_of("arms", made, [weights[one.name] for one in arms]), None
        try:
            fitted = Fitted.model_validate_json(kept(unit / FITTED))
        except ValidationError as error:
            raise ConfigError(f"{unit / FITTED}: was altered; run lowpower study --fresh.") from error
        blueprint = blueprint_of(self.config, arm, fitted, unit)
        if not blueprint.has_weights:
            return blueprint, None
        kept(unit / WEIGHTS)
        return blueprint, module_of(blueprint, len(common["classes"]), unit / WEIGHTS)

    def _unit(self, arm: Arm, fold: int) -> Path:
        return unit_folder(self.config, arm, fold, refit=self.refit is not None)

    @property
    def _parts(self) -> tuple[str, ...]:
        """The parts of a fold that the model has seen."""
        return _ALL[:2] if self.refit is None else _ALL

    def _member(self, folder: Path, name: str, arm: Arm, fold: int, common: Mapping[str, Any]) -> Bundle:
        """A member of a late fusion: calibrated, without a decision of its own."""
        place = folder / name
        blueprint, module = self._model(place, arm, fold, common)
        content = blueprint.model_dump() | dict(common)
        content |= {"name": name, "temperature": self._calibration(arm, fold).temperature}
        return save_bundle(place, module, BundleSpec.model_validate(content))

    def _calibration(self, arm: Arm, fold: int) -> Calibration:
        file = self._unit(arm, fold) / "calibration.json"
        try:
            return Calibration.model_validate_json(kept(file))
        except ValidationError as error:
            raise ConfigError(f"{file}: was altered; run lowpower study --fresh.") from error

    def _tables(self, name: str, folds: Sequence[int]) -> list[pl.DataFrame]:
        return [
            pl.read_parquet(unit_folder(self.config, self.arm, fold) / f"{name}.parquet") for fold in folds
        ]

    def _calibrated(self, fold: int | Literal["all"]) -> pl.DataFrame:
        """Predictions, calibrated, on slides that their model had not learnt from; one row a slide."""
        if fold != "all":
            unit = self._unit(self.arm, fold)
            if (unit / f"{CROSS}.parquet").is_file():
                return pl.read_parquet(unit / f"{CROSS}.parquet")
            own = pl.read_parquet(unit / "validation.parquet")
            if own.height >= FEW_TO_CALIBRATE or len(self.finished) == 1:
                return own
        return (
            pl.concat(self._tables("validation", list(self.finished)))
            .unique("row", keep="first", maintain_order=True)
            .sort("row")
        )

    def _decision(self, fold: int | Literal["all"]) -> Decision:
        table, told = self._calibrated(fold), self.config.bundle
        scheme = self.config.label_scheme
        if told.measured and not isinstance(self.arm, MeasuredArm):  # what is measured answers as well
            table = with_measured(
                table,
                self.cohort,
                scheme,
                self.config.cache_folder,
                laboratory=self.config.own_laboratory,
                workers=self.workers,
                progress=of_stage(self.progress, "measuring"),
            )
        options = DecisionOptions(told.error, told.cutoff_error, told.confidence, self.config.coverage)
        decision = fit_decision(table, scheme, options=options)
        # That no measurement takes part is no news of a model that answers from it.
        return decision.model_copy(update={"notes": ()}) if isinstance(self.arm, MeasuredArm) else decision

    def _metrics(self) -> dict[str, BundleMetric]:
        """Of the arm, over the test slides of its finished folds, each by the model of its fold."""
        tested = pl.concat(self._tables("test", list(self.finished)))
        if tested.is_empty():  # of a training, whose test slides nobody has looked at yet
            return {}
        evaluation = evaluate_predictions(tested, self.config.label_scheme)
        return {
            name: BundleMetric(value=metric.value, low=metric.low, high=metric.high, n=metric.n)
            for name, metric in evaluation.metrics.items()
            if metric.value is not None
        }

    def _mpp_range(self, rows: Sequence[int]) -> tuple[float, float]:
        """Half to double the um/px of the slides that it learnt from."""
        found = []
        for done, row in enumerate(rows, 1):
            entry = self.cohort.table.row(row, named=True)
            try:
                with open_slide(entry["slide"], entry["mpp"]) as slide:
                    found.append(float(slide.mpp))
            except LowpowerError:  # it may be gone by now; the others tell
                continue
            finally:
                if self.progress is not None:
                    self.progress("um/px of the slides", done, len(rows))
        if not found:
            self.notes.append(
                f"no slide of the cohort could be opened; the usual {_USUAL[0]:g} to {_USUAL[1]:g} um/px are "
                "taken."
            )
            return _USUAL
        return round(min(found) / _WIDER, 4), round(max(found) * _WIDER, 4)

    def _card(self, fold: int | Literal["all"]) -> str:
        unit = None if fold == "all" else self._unit(self.arm, fold)
        own = 0 if unit is None else pl.read_parquet(unit / "validation.parquet").height
        return card_notes(
            self.config,
            self.arm.name,
            self.why,
            fold=fold,
            parts={part: len(self.folds.folds[0 if fold == "all" else fold].parts()[part]) for part in _ALL},
            finished=tuple(self.finished),
            refit=self.refit is not None,
            tested=not pl.concat(self._tables("test", list(self.finished))).is_empty(),
            crossed=unit is not None and (unit / f"{CROSS}.parquet").is_file(),
            calibrated=(self._calibrated(fold).height, own),
        )
