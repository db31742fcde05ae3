"""The model bundle: a folder with model.safetensors, bundle.json and README.md. No pickle anywhere.

A late fusion holds its members, bundles themselves, in `members/`; it and a measured model have no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from lowpower.bundles import CARD_FILE, MEMBERS, SPEC_FILE, find_bundle
from lowpower.cohort import SCHEMES, LabelScheme
from lowpower.errors import BundleError, wrong_value
from lowpower.files import sha256_of
from lowpower.models._slide_graph import SlideGraph, slide_graph
from lowpower.models.bundle._bundle_spec import BundleSpec
from lowpower.models.bundle._card import render_card
from lowpower.models.bundle._decision import ConformalLimits, Decision
from lowpower.models.encoders import encoder_of
from lowpower.views import LowResRecipe

if TYPE_CHECKING:
    from torch import nn

    from lowpower.models.encoders import Encoder
    from lowpower.models.network import SlideNetwork

__all__ = ["Bundle", "load_bundle"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to use.

    Attributes:
        name: What it is called.
        folder: Where it was loaded from.
        spec: Everything bundle.json says.
        loaded: The module where it was loaded with the bundle; `module` loads it where it was not.
        encoder: What makes a MIL model's features; None for other kinds.
        members: Of a late fusion, in its order.
        graph: A slide network as it runs without PyTorch, where the bundle holds it so.
    """

    name: str
    folder: Path
    spec: BundleSpec
    loaded: nn.Module | None = None
    encoder: Encoder | None = None
    members: tuple[Bundle, ...] = ()
    graph: SlideGraph | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Between processes a bundle goes by its folder and is loaded there once: weights are never pickled.
        return _same, (self.name, str(self.folder.absolute()), self.spec.fingerprint())

    @cached_property
    def module(self) -> nn.Module | None:
        """What has weights: a slide or patch network, or an aggregator (`BagNetwork`).

        In float32 and evaluation mode; None for measured models and late fusions.
        """
        if self.loaded is not None or not self.spec.has_weights or self.graph is None:
            return self.loaded
        from lowpower.models.bundle._modules import module_of

        return module_of(self.spec, len(self.spec.classes), self.folder / self.spec.weights_file)

    @property
    def network(self) -> SlideNetwork:
        """The slide or patch network.

        Raises:
            BundleError: this kind of model has none.
        """
        from lowpower.models.network import SlideNetwork

        if not isinstance(self.module, SlideNetwork):
            raise BundleError(
                f"{self.folder}: is a model of kind {self.spec.kind}, which has no slide network."
            )
        return self.module

    @property
    def recipe(self) -> LowResRecipe:
        """How a slide network's views are made.

        Raises:
            BundleError: this kind of model looks at no view.
        """
        if self.spec.recipe is None:
            raise BundleError(
                f"{self.folder}: is a model of kind {self.spec.kind}; this takes a slide network's bundle."
            )
        return self.spec.recipe

    @property
    def scheme(self) -> LabelScheme:
        """The label scheme whose classes it predicts."""
        return SCHEMES[self.spec.scheme]

    @property
    def temperature(self) -> float:
        """What calibrated probabilities are tempered with."""
        return self.spec.temperature

    @property
    def abstention(self) -> ConformalLimits | None:
        """Which classes stay possible, None if never fitted."""
        return self.spec.abstention

    @property
    def decision(self) -> Decision | None:
        """When an answer is issued, None if never fitted."""
        return self.spec.decision

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        path = self.folder / CARD_FILE
        return path.read_text(encoding="utf-8") if path.is_file() else render_card(self.spec)


@lru_cache(maxsize=2)
def _same(name: str, folder: str, fingerprint: str) -> Bundle:
    """The bundle that another process has; a bundled one lies where this process's lowpower does."""
    bundle = load_bundle(folder if Path(folder).is_dir() else name)
    if bundle.spec.fingerprint() != fingerprint:
        raise BundleError(f"{bundle.folder}: is not the model that the run began with; get the bundle again.")
    return bundle


def load_bundle(name: str | Path) -> Bundle:
    """Load a bundle: a bundled model's name, a bundle's folder or the run's that holds it, or `hf://owner/name`.

    Raises:
        BundleError: if there is none of this name, or a file of it is missing, altered or does not fit.
        WeightsError: if the encoder it needs is not here.
    """
    folder = find_bundle(name)
    spec_path = folder / SPEC_FILE
    try:
        spec = BundleSpec.model_validate_json(spec_path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(
            f"{spec_path}: cannot be used ({wrong_value(where, first)}); get the bundle again."
        ) from error
    weights = folder / spec.weights_file
    if spec.has_weights and not weights.is_file():
        raise BundleError(f"{weights}: the bundle's weight file is missing; get the bundle again.")
    found = sha256_of(weights) if spec.has_weights else spec.numbers_sha256
    if found != spec.weights_sha256:
        raise BundleError(
            f"{weights if spec.has_weights else spec_path}: the weights were altered (SHA-256 "
            f"{found[:12]}..., {SPEC_FILE} says {spec.weights_sha256[:12] or 'nothing'}...); get the bundle "
            "again."
        )
    graph = slide_graph(folder, spec.weights_sha256) if spec.kind == "slide_network" else None
    module = None
    if spec.has_weights and graph is None:
        from lowpower.models.bundle._modules import module_of  # PyTorch: seconds

        module = module_of(spec, len(spec.classes), weights)
    return Bundle(
        spec.name,
        folder,
        spec,
        module,
        None if spec.mil is None else encoder_of(spec.mil.encoder, folder),
        () if spec.late_fusion is None else _members(spec, folder),
        graph,
    )


def _members(spec: BundleSpec, folder: Path) -> tuple[Bundle, ...]:
    """The bundles of a late fusion, each the one it was fitted with."""
    assert spec.late_fusion is not None
    found = tuple(load_bundle(folder / MEMBERS / name) for name in spec.late_fusion.members)
    for member, digest in zip(found, spec.late_fusion.sha256, strict=True):
        if member.spec.weights_sha256 != digest or member.spec.scheme != spec.scheme:
            raise BundleError(
                f"{member.folder}: is not the model that {folder.name} was fitted with; get the bundle again."
            )
    return found
