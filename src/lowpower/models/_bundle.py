"""The model bundle: a folder with model.safetensors, bundle.json and README.md. No pickle anywhere."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from lowpower.cohort import SCHEMES, LabelScheme
from lowpower.errors import BundleError, ConfigError, WeightsError
from lowpower.files import make_folder, sha256_of, write_bytes, write_text
from lowpower.models._bundle_spec import BundleSpec
from lowpower.models._card import render_card
from lowpower.models._decision import Abstention, Decision
from lowpower.models._hub import HUB, hub_file, parse_hub
from lowpower.models._network import SlideNetwork
from lowpower.views import LowResRecipe

__all__ = ["Bundle", "bundled_models", "load_bundle", "save_bundle"]

_SPEC_FILE = "bundle.json"
_CARD_FILE = "README.md"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to use.

    Attributes:
        name: What it is called.
        folder: Where it was loaded from.
        spec: Everything bundle.json says.
        network: The slide network, float32, in evaluation mode.
    """

    name: str
    folder: Path
    spec: BundleSpec
    network: SlideNetwork

    @property
    def recipe(self) -> LowResRecipe:
        """How views for this model are made."""
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
    def abstention(self) -> Abstention | None:
        """Which classes stay possible, None if never fitted."""
        return self.spec.abstention

    @property
    def decision(self) -> Decision | None:
        """When an answer is issued, None if never fitted."""
        return self.spec.decision

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        path = self.folder / _CARD_FILE
        return path.read_text(encoding="utf-8") if path.is_file() else render_card(self.spec)


def save_bundle(folder: str | Path, network: SlideNetwork, spec: BundleSpec, notes: str = "") -> Bundle:
    """Write a bundle and load it back.

    Args:
        folder: Where to; made if absent, an earlier bundle there is replaced.
        network: The trained network.
        spec: What bundle.json is to say; architecture and checksum are filled in here.
        notes: Markdown appended to the model card (how it was trained, what it must not be used for).

    Returns:
        The bundle as it will be loaded, its weights rounded to the spec's storage type.

    Raises:
        BundleError: if the network does not fit the spec's classes.
        OutputError: if the folder cannot be written.
    """
    folder = make_folder(folder)
    if network.classes != len(spec.classes):
        raise BundleError(f"{folder}: a network of {network.classes} classes cannot serve {spec.scheme}.")
    dtype = getattr(torch, spec.weights_dtype)
    state = {
        name: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in sorted(network.state_dict().items())
    }
    data = save(state)
    spec = spec.model_copy(
        update={"architecture": network.spec, "weights_sha256": hashlib.sha256(data).hexdigest()}
    )
    write_bytes(folder / spec.weights_file, data)
    write_text(folder / _CARD_FILE, render_card(spec, notes))
    write_text(folder / _SPEC_FILE, spec.model_dump_json(indent=2) + "\n")
    return load_bundle(folder)


def load_bundle(name: str | Path) -> Bundle:
    """Load a bundle: a bundled model's name, a bundle's folder or the run's that holds it, or `hf://owner/name`.

    Raises:
        BundleError: if there is none of this name, or a file of it is missing, altered or does not fit.
    """
    folder = _find(name)
    spec_path = folder / _SPEC_FILE
    try:
        spec = BundleSpec.model_validate_json(spec_path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(
            f"{spec_path}: cannot be used ({where}: {first['msg']}); get the bundle again."
        ) from error
    weights = folder / spec.weights_file
    if not weights.is_file():
        raise BundleError(f"{weights}: the bundle's weight file is missing; get the bundle again.")
    found = sha256_of(weights)
    if found != spec.weights_sha256:
        raise BundleError(
            f"{weights}: the weights were altered (SHA-256 {found[:12]}..., {_SPEC_FILE} says "
            f"{spec.weights_sha256[:12] or 'nothing'}...); get the bundle again."
        )
    return Bundle(spec.name, folder, spec, _network_of(spec, weights))


def bundled_models() -> dict[str, Path]:
    """Models that come with lowpower: name -> folder."""
    root = Path(str(resources.files("lowpower"))) / "bundled"
    if not root.is_dir():
        return {}
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{_SPEC_FILE}"))}


def _find(name: str | Path) -> Path:
    text = str(name)
    if text.startswith(HUB):
        return _from_hub(text)
    bundled = bundled_models()
    if text in bundled:
        return bundled[text]
    folder = Path(name)
    if folder.is_dir():
        return _within(folder)
    if folder.name == _SPEC_FILE and folder.is_file():
        return folder.parent
    near = difflib.get_close_matches(text, bundled, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    known = ", ".join(bundled) or "none"
    raise BundleError(
        f"no model {text!r}: {hint}bundled models: {known}; otherwise name a bundle folder or hf://owner/name."
    )


def _within(folder: Path) -> Path:
    """The folder itself, or the one bundle that a run's or a study's folder holds."""
    if (folder / _SPEC_FILE).is_file():
        return folder
    found = sorted(
        path.parent for depth in ("*", "*/*", "*/*/*") for path in folder.glob(f"{depth}/{_SPEC_FILE}")
    )
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(bundle) for bundle in found[:5]) + (", ..." if len(found) > 5 else "")
        raise BundleError(f"{folder}: holds {len(found)} bundles; name one of them: {names}.")
    raise BundleError(
        f"{folder / _SPEC_FILE}: is missing, and no folder in {folder} holds one; a bundle is a folder with "
        f"{_SPEC_FILE} and model.safetensors, which `lowpower train` writes when it ends."
    )


def _from_hub(address: str) -> Path:
    """Download (or find in the cache) a hub repository that is a bundle; its local folder."""
    try:
        repository, revision, _ = parse_hub(address)
        hub_file(repository, "model.safetensors", revision)
        return hub_file(repository, _SPEC_FILE, revision).parent
    except WeightsError as error:
        raise BundleError(str(error)) from error


def _network_of(spec: BundleSpec, weights: Path) -> SlideNetwork:
    try:
        network = SlideNetwork(spec.architecture, len(spec.classes))
        state = {
            name: value.float() if value.is_floating_point() else value
            for name, value in load_file(weights).items()
        }
        network.load_state_dict(state)
    except (SafetensorError, RuntimeError, ConfigError) as error:
        reason = str(error).strip().split("\n")[0]
        raise BundleError(
            f"{weights}: the weights do not fit the architecture in {_SPEC_FILE} ({reason}); get the bundle "
            "again."
        ) from error
    return network.to(memory_format=torch.channels_last).eval()
