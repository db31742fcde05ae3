"""Which encoders there are: the card of each, and the network it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lowpower.models.encoders._encoder_remaps import ConvStem, ctranspath_state, phikon_state, plain_state

__all__ = ["CARDS", "EncoderCard", "register_encoder", "virchow_features"]

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPTIMUS = ((0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517))
State = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], dict[str, Tensor]]
Build = Callable[[], nn.Module]
Kind = TypeVar("Kind", bound=Build)


@dataclass(frozen=True)
class EncoderCard:
    """What one must know of an encoder.

    Attributes:
        name: Its name here.
        dim: Length of a feature.
        mean: What RGB in 0..1 is normalised by.
        std: What RGB in 0..1 is normalised by.
        input_size: Side it takes, pixels: other patches are resized; None takes any.
        mpp_range: um/px it was made for.
        licence: Licence of the weights; CC-BY-NC and the like forbid commercial use.
        gated: Whether its owners give the weights on request only.
        hub: Hugging Face repository, None where there is none.
        file: Weight file inside the repository.
        needs_white_point: Whether it measures against the slide's glass.
    """

    name: str
    dim: int
    mean: tuple[float, float, float] = IMAGENET[0]
    std: tuple[float, float, float] = IMAGENET[1]
    input_size: int | None = 224
    mpp_range: tuple[float, float] = (0.4, 0.6)
    licence: str = "unknown"
    gated: bool = False
    hub: str | None = None
    file: str = "pytorch_model.bin"
    needs_white_point: bool = False

    def suits(self, mpp: float) -> bool:
        """Whether the encoder was made for this um/px, within 10 %."""
        return self.mpp_range[0] * 0.9 <= mpp <= self.mpp_range[1] * 1.1


@dataclass(frozen=True)
class Entry:
    """A card, how to build the network (None: special), how to name its weights, what its output becomes."""

    card: EncoderCard
    build: Build | None = None
    state: State = plain_state
    finish: Callable[[Tensor], Tensor] = lambda output: output


CARDS: dict[str, Entry] = {}
NC = "CC-BY-NC-ND-4.0"


def register_encoder(
    card: EncoderCard, state: State = plain_state, finish: Callable[[Tensor], Tensor] | None = None
) -> Callable[[Kind], Kind]:
    """Decorator of a function that builds the network: make the encoder known by its card's name.

    Raises:
        ValueError: if the name is taken.
    """

    def register(build: Kind) -> Kind:
        if card.name in CARDS:
            raise ValueError(f"an encoder named {card.name!r} is registered already")
        CARDS[card.name] = Entry(card, build, state, finish or (lambda output: output))
        return build

    return register


def virchow_features(tokens: Tensor) -> Tensor:
    """Class token beside the mean of the patch tokens, as on Virchow2's card: (B, 261, 1280) -> (B, 2560)."""
    return torch.cat([tokens[:, 0], tokens[:, 5:].mean(1)], -1)


CARDS["efficientnet-lite0"] = Entry(
    EncoderCard(
        "efficientnet-lite0",
        1280,
        (0.5,) * 3,
        (0.5,) * 3,
        None,
        (0.05, 64.0),
        "Apache-2.0",
        file="PyPI wheel",
    )
)
CARDS["stain"] = Entry(
    EncoderCard(
        "stain", 36, input_size=None, mpp_range=(0.2, 2.0), licence="Apache-2.0", needs_white_point=True
    )
)
CARDS["conch"] = Entry(
    EncoderCard(
        "conch", 512, input_size=448, mpp_range=(0.4, 1.1), licence=NC, gated=True, hub="MahmoodLab/CONCH"
    )
)


def _vit(name: str, **options: Any) -> nn.Module:
    import timm

    network: nn.Module = timm.create_model(
        name, pretrained=False, img_size=224, init_values=1e-5, num_classes=0, **options
    )
    return network


@register_encoder(EncoderCard("uni", 1024, licence=NC, gated=True, hub="MahmoodLab/UNI"))
def _uni() -> nn.Module:
    return _vit("vit_large_patch16_224", dynamic_img_size=True)


@register_encoder(EncoderCard("uni2-h", 1536, licence=NC, gated=True, hub="MahmoodLab/UNI2-h"))
def _uni2() -> nn.Module:
    from timm.layers.mlp import SwiGLUPacked

    return _vit(
        "vit_giant_patch14_224",
        patch_size=14, depth=24, num_heads=24, embed_dim=1536, mlp_ratio=2.66667 * 2, no_embed_class=True,
        mlp_layer=SwiGLUPacked, act_layer=nn.SiLU, reg_tokens=8, dynamic_img_size=True,
    )  # fmt: skip


@register_encoder(
    EncoderCard("virchow2", 2560, mpp_range=(0.25, 2.0), licence=NC, gated=True, hub="paige-ai/Virchow2"),
    finish=virchow_features,
)
def _virchow2() -> nn.Module:
    from timm.layers.mlp import SwiGLUPacked

    return _vit(
        "vit_huge_patch14_224",
        mlp_ratio=5.3375, global_pool="", mlp_layer=SwiGLUPacked, act_layer=nn.SiLU, reg_tokens=4,
        dynamic_img_size=True,
    )  # fmt: skip


@register_encoder(
    EncoderCard("h-optimus-0", 1536, *OPTIMUS, licence="Apache-2.0", gated=True, hub="bioptimus/H-optimus-0")
)
def _optimus0() -> nn.Module:
    return _vit("vit_giant_patch14_reg4_dinov2", dynamic_img_size=False)


@register_encoder(
    EncoderCard("h-optimus-1", 1536, *OPTIMUS, licence=NC, gated=True, hub="bioptimus/H-optimus-1")
)
def _optimus1() -> nn.Module:
    return _vit("vit_giant_patch14_reg4_dinov2", dynamic_img_size=False)


@register_encoder(
    EncoderCard(
        "phikon-v2", 1024, licence="Owkin non-commercial", hub="owkin/phikon-v2", file="model.safetensors"
    ),
    state=phikon_state,
)
def _phikon() -> nn.Module:
    return _vit("vit_large_patch16_224", dynamic_img_size=True)


@register_encoder(
    EncoderCard(
        "ctranspath",
        768,
        mpp_range=(0.4, 1.1),
        licence="GPL-3.0",
        hub="jamesdolezal/CTransPath",
        file="ctranspath.pth",
    ),
    state=ctranspath_state,
)
def _ctranspath() -> nn.Module:
    import timm

    network: nn.Module = timm.create_model(
        "swin_tiny_patch4_window7_224", pretrained=False, num_classes=0, embed_layer=ConvStem
    )
    return network
