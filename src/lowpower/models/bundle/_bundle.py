"""The model bundle: a folder with model.safetensors, bundle.json and README.md. No pickle anywhere.

A late fusion holds its members, bundles themselves, in `members/`; it and a measured model have no weights.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lowpower.bundles import CARD_FILE, MEMBERS, SPEC_FILE, find_bundle
from lowpower.cohort import SCHEMES, LabelScheme
from lowpower.errors import BundleError, ConfigError, wrong_value
from lowpower.files import make_folder, sha256_of, write_bytes, write_text
from lowpower.models.bundle._blueprint import Blueprint
from lowpower.models.bundle._bundle_spec import BundleSpec
from lowpower.models.bundle._card import render_card
from lowpower.models.bundle._decision import ConformalLimits, Decision
from lowpower.models.encoders import Encoder, encoder_of
from lowpower.models.mil import BagNetwork, create_aggregator
from lowpower.models.network import SlideNetwork
from lowpower.views import LowResRecipe

__all__ = ["Bundle", "load_bundle", "module_of", "save_bundle", "weights_of"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to use.

    Attributes:
        name: What it is called.
        folder: Where it was loaded from.
        spec: Everything bundle.json says.
        module: What has weights: a slide or patch network, or an aggregator (`BagNetwork`), float32, in
            evaluation mode; None for measured models and late fusions.
        encoder: What makes a MIL model's features; None for other kinds.
        members: Of a late fusion, in its order.
    """

    name: str
    folder: Path
    spec: BundleSpec
    module: nn.Module | None = None
    encoder: Encoder | None = None
    members: tuple[Bundle, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # Between processes a bundle goes by its folder and is loaded there once: weights are never pickled.
        return _same, (self.name, str(self.folder.absolute()), self.spec.fingerprint())

    @property
    def network(self) -> SlideNetwork:
        """The slide or patch network.

        Raises:
            BundleError: this kind of model has none.
        """
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


def save_bundle(
    folder: str | Path,
    network: nn.Module | None,
    spec: BundleSpec,
    notes: str = "",
) -> Bundle:
    """Write a bundle and load it back.

    Args:
        folder: Where to; made if absent, an earlier bundle there is replaced. A late fusion's members lie in
            its folder `members/` already.
        network: The trained network or aggregator; None for kinds without weights.
        spec: What bundle.json is to say; a network's architecture and the checksum are filled in here.
        notes: Markdown appended to the model card (how it was trained, what it must not be used for).

    Returns:
        The bundle as it will be loaded, its weights rounded to the spec's storage type.

    Raises:
        BundleError: if the network does not fit the spec's classes.
        OutputError: if the folder cannot be written.
    """
    folder = make_folder(folder)
    if isinstance(network, SlideNetwork):
        if network.classes != len(spec.classes):
            raise BundleError(f"{folder}: a network of {network.classes} classes cannot serve {spec.scheme}.")
        spec = spec.model_copy(update={"architecture": network.spec})
    digest = spec.numbers_sha256
    if network is not None:
        data = weights_of(network, getattr(torch, spec.weights_dtype))
        write_bytes(folder / spec.weights_file, data)
        digest = hashlib.sha256(data).hexdigest()
    spec = spec.model_copy(update={"weights_sha256": digest})
    write_text(folder / CARD_FILE, render_card(spec, notes))
    write_text(folder / SPEC_FILE, spec.model_dump_json(indent=2) + "\n")
    return load_bundle(folder)


def weights_of(network: nn.Module, dtype: torch.dtype = torch.float32) -> bytes:
    """A network's weights as a safetensors file, floating ones rounded to `dtype`."""
    state = network.state_dict()
    return save(
        {
            name: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
            for name, value in sorted(state.items())
        }
    )


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
    return Bundle(
        spec.name,
        folder,
        spec,
        module_of(spec, len(spec.classes), weights) if spec.has_weights else None,
        None if spec.mil is None else encoder_of(spec.mil.encoder, folder),
        () if spec.late_fusion is None else _members(spec, folder),
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


def module_of(blueprint: Blueprint, classes: int, weights: Path) -> nn.Module:
    """The network or aggregator that a blueprint describes, with its weights.

    Raises:
        BundleError: the weights do not fit it.
    """
    try:
        module = _built(blueprint, classes)
        state = {
            name: value.float() if value.is_floating_point() else value
            for name, value in load_file(weights).items()
        }
        module.load_state_dict(state)
    except (SafetensorError, RuntimeError, ConfigError) as error:
        reason = str(error).strip().split("\n")[0]
        raise BundleError(
            f"{weights}: the weights do not fit the architecture in {SPEC_FILE} ({reason}); get the bundle "
            "again."
        ) from error
    return module.eval()


def _built(blueprint: Blueprint, classes: int) -> nn.Module:
    """The same with fresh weights."""
    if blueprint.architecture is not None:
        return SlideNetwork(blueprint.architecture, classes).to(memory_format=torch.channels_last)
    mil = blueprint.mil
    assert mil is not None
    aggregator = create_aggregator(mil.aggregator, mil.encoder.dim, classes, mil.head, **mil.options)
    size = mil.encoder.dim
    return BagNetwork(aggregator, torch.zeros(size), torch.ones(size), mil.patches.mpp)
