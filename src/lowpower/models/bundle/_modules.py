"""What has weights: the module that a blueprint describes, its weights as a file, a bundle written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lowpower.bundles import CARD_FILE, SPEC_FILE
from lowpower.errors import BundleError, ConfigError
from lowpower.files import make_folder, write_bytes, write_text
from lowpower.models.bundle._blueprint import Blueprint
from lowpower.models.bundle._bundle import Bundle, load_bundle
from lowpower.models.bundle._bundle_spec import BundleSpec
from lowpower.models.bundle._card import render_card
from lowpower.models.mil import BagNetwork, create_aggregator
from lowpower.models.network import SlideNetwork

__all__ = ["module_of", "save_bundle", "weights_of"]


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
