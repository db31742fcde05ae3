"""Weights of pathology encoders under the names of timm's networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ConvStem", "ctranspath_state", "phikon_state", "plain_state"]

_PREFIXES = ("", "module.", "model.", "backbone.", "encoder.", "visual.trunk.", "trunk.")


class ConvStem(nn.Module):
    """CTransPath's patch embedding: two strided 3 x 3 convolutions and one 1 x 1 (Wang et al. 2022).

    In timm's Swin transformer it stands where the patch embedding stands: (B, 3, H, W) -> (B, H/4, W/4, D).
    """

    def __init__(
        self,
        img_size: tuple[int, int] = (224, 224),
        patch_size: int = 4,
        in_chans: int = 3,
        embed_dim: int = 96,
        norm_layer: Any = None,
        **_: Any,
    ) -> None:
        super().__init__()
        self.img_size = img_size
        self.patch_size = (patch_size, patch_size)
        self.grid_size = (img_size[0] // patch_size, img_size[1] // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        layers: list[nn.Module] = []
        channels = in_chans
        for width in (embed_dim // 8, embed_dim // 4):
            layers += [nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.proj = nn.Sequential(*layers, nn.Conv2d(channels, embed_dim, 1))
        self.norm = norm_layer(embed_dim) if norm_layer else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Embed."""
        embedded: Tensor = self.norm(self.proj(images).permute(0, 2, 3, 1))
        return embedded


def plain_state(stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`stored` without the prefix that hides most of the `wanted` names."""
    best: dict[str, Tensor] = {}
    for prefix in _PREFIXES:
        found = {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}
        if len(found.keys() & wanted.keys()) > len(best.keys() & wanted.keys()):
            best = found
    return best


def ctranspath_state(stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """CTransPath as timm 0.5 saved it: a stage ended with its downsampling; now the next begins with it."""
    renamed = {}
    for name, value in stored.items():
        if ".downsample." in name:
            stage, rest = name.removeprefix("layers.").split(".", 1)
            name = f"layers.{int(stage) + 1}.{rest}"
        renamed[name] = value
    return plain_state(renamed, wanted)


def phikon_state(stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Phikon-v2's DINOv2 under transformers' names, as a timm vision transformer."""
    found = plain_state(stored, {"embeddings.cls_token": torch.empty(0)}) or dict(stored)
    simple = {
        "embeddings.cls_token": "cls_token",
        "embeddings.position_embeddings": "pos_embed",
        "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
        "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
        "layernorm.weight": "norm.weight",
        "layernorm.bias": "norm.bias",
    }
    renamed = {new: found[old] for old, new in simple.items() if old in found}
    pieces = {
        "norm1": "norm1",
        "norm2": "norm2",
        "mlp.fc1": "mlp.fc1",
        "mlp.fc2": "mlp.fc2",
        "attention.output.dense": "attn.proj",
    }
    for block in range(sum(name.endswith("norm1.weight") for name in found)):
        old, new = f"encoder.layer.{block}", f"blocks.{block}"
        for kind in ("weight", "bias"):
            for source, target in pieces.items():
                if f"{old}.{source}.{kind}" in found:
                    renamed[f"{new}.{target}.{kind}"] = found[f"{old}.{source}.{kind}"]
            parts = [f"{old}.attention.attention.{part}.{kind}" for part in ("query", "key", "value")]
            if all(part in found for part in parts):
                renamed[f"{new}.attn.qkv.{kind}"] = torch.cat([found[part] for part in parts])
        for number in (1, 2):
            if f"{old}.layer_scale{number}.lambda1" in found:
                renamed[f"{new}.ls{number}.gamma"] = found[f"{old}.layer_scale{number}.lambda1"]
    return renamed
