"""The slide network: a timm backbone, one feature vector per tissue cell, pooling, a head."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowpower.errors import ConfigError
from lowpower.models.network._cell_counts import CELL_CLASSES, CellCounts, exceeding_shares, presence
from lowpower.models.network._heads import Head, class_probabilities, expected_score
from lowpower.models.network._network_spec import ModelSpec, check_backbone
from lowpower.models.network._pooling import cell_means, cell_weights, weighted_mean, weighted_top_mean

__all__ = ["SlideNetwork"]

_DARKEST = 1 / 255
_OD_SCALE = 8.0
"""Brings the optical density of tissue (about 0.02 to 0.3) to about one, as networks expect their inputs."""


class SlideNetwork(nn.Module):
    """One slide view in, one row of logits out.

    Images are intensities divided by the slide's white point: glass is 1.0 in every channel. Pixels outside
    the mask may influence neighbouring cells through the backbone's receptive field but never the pooling.

    Args:
        spec: The architecture.
        classes: Number of ordered classes, at least 2.
        body: A timm network of `spec.backbone` with weights to use; None to make one without.

    Raises:
        ConfigError: if the backbone is unknown or has no feature map of a wanted stride.
    """

    def __init__(self, spec: ModelSpec, classes: int, body: nn.Module | None = None) -> None:
        super().__init__()
        if classes < 2:
            raise ConfigError(f"a slide network needs at least 2 classes, not {classes}.")
        self.spec = spec
        self.classes = classes
        self.body: Any = make_body(spec) if body is None else body
        cfg: Any = self.body.pretrained_cfg
        mean, std = cfg.get("mean", 0.5), cfg.get("std", 0.5)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1), persistent=False)
        channels = sum(self._choose_features())
        self.norm = nn.LayerNorm(channels)
        self.stain = _stain_branch(spec.stain_width) if spec.stain_width else None
        self.neck = nn.Linear(channels + spec.stain_width, spec.width)
        self.counts = CellCounts(spec.width) if spec.pooling == "shares" else None
        pooled = {"mean": spec.width, "mean_top": 2 * spec.width, "shares": CELL_CLASSES - 1}[spec.pooling]
        self.mix = _mixer(pooled, spec.hidden, self.counts is None) if spec.hidden else nn.Identity()
        self.dropout = nn.Dropout(spec.dropout)
        self.head = Head(spec.head, spec.hidden or pooled, classes)

    def _choose_features(self) -> list[int]:
        """Find the feature maps of the wanted strides; drop what lies behind the last of them."""
        info = self.body.feature_info
        known = {entry["reduction"]: index for index, entry in enumerate(info)}
        absent = [stride for stride in self.spec.strides if stride not in known]
        if absent:
            raise ConfigError(
                f"backbone {self.spec.backbone!r} has no feature map of stride {absent[0]}; "
                f"it has {', '.join(str(stride) for stride in sorted(known))}."
            )
        self.indices = [known[stride] for stride in self.spec.strides]
        self.body.prune_intermediate_layers(self.indices, prune_norm=True, prune_head=True)
        return [int(info[index]["num_chs"]) for index in self.indices]

    @property
    def pad_multiple(self) -> int:
        """Heights and widths must be a multiple of this many pixels."""
        return max(32, *self.spec.strides)

    @cached_property
    def reach(self) -> int:
        """How many pixels away a pixel may still change a cell's features through convolutions and pooling.

        An upper bound: every layer that is run counts, side by side or one after another (Araujo et al. 2019,
        "Computing receptive fields of convolutional neural networks"). What looks at the whole image, such as
        squeeze-and-excitation, is not counted.
        """
        size = 2 * self.pad_multiple
        reached = 0.0

        def count(layer: Any, entering: tuple[Tensor, ...], _: Tensor) -> None:
            nonlocal reached
            kernel, spread = (_side(getattr(layer, key, 1)) for key in ("kernel_size", "dilation"))
            reached += (kernel - 1) * spread / 2 * size / entering[0].shape[-2]

        layers = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
        hooks = [m.register_forward_hook(count) for m in self.body.modules() if isinstance(m, layers)]
        was_training = self.training
        try:
            with torch.inference_mode():
                self.eval().local_features(torch.ones(1, 3, size, size, device=self.mean.device))
        finally:
            self.train(was_training)
            for hook in hooks:
                hook.remove()
        return math.ceil(reached)

    def local_features(self, images: Tensor) -> Tensor:
        """One feature vector per cell of the finest grid.

        Args:
            images: (B, 3, H, W) intensities / white point; H and W multiples of `pad_multiple`.

        Returns:
            (B, H/s, W/s, width), s being the smallest of the spec's strides.
        """
        density = -_OD_SCALE * images.clamp_min(_DARKEST).log10()
        entering = density if self.spec.inputs == "od" else (images - self.mean) / self.std
        maps: list[Tensor] = self.body.forward_intermediates(
            entering, indices=self.indices, intermediates_only=True, output_fmt="NCHW"
        )
        grid = (maps[0].shape[-2], maps[0].shape[-1])
        same = [
            m if tuple(m.shape[-2:]) == grid else functional.interpolate(m, grid, mode="bilinear")
            for m in maps
        ]
        cells = self.norm(torch.cat(same, 1).permute(0, 2, 3, 1))
        if self.stain is not None:
            colour = cell_means(self.stain(density), grid)
            cells = torch.cat([cells, colour.permute(0, 2, 3, 1)], -1)
        return functional.gelu(self.neck(cells))

    def classify(self, features: Tensor, mask: Tensor) -> Tensor:
        """Pool (B, h, w, width) features over the tissue in (B, 1, H, W) masks; logits (B, K or K-1)."""
        return self.read(features, mask)[0]

    def read(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor | None]:
        """`classify`'s logits and, where pooling is by shares, the logarithms of what is counted.

        Returns:
            Logits (B, K or K-1); (B, h, w, 4) log of expected tumour cells of each class in each square, or
            None.
        """
        if self.counts is not None:
            log_rates: Tensor = self.counts(features, mask)
            return self._judge(exceeding_shares(log_rates, mask)), log_rates
        weights = cell_weights(mask, (features.shape[1], features.shape[2]))
        cells = features.flatten(1, 2)
        pooled = weighted_mean(cells, weights)
        if self.spec.pooling == "mean_top":
            top = weighted_top_mean(cells, weights, self.spec.top_share)
            pooled = torch.cat([pooled, top], -1)
        return self._judge(pooled), None

    def _judge(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.mix(pooled)))
        return logits

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, K for softmax, K-1 for ordinal heads) of images (B, 3, H, W) and masks (B, 1, H, W)."""
        return self.classify(self.local_features(images), mask)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Class probabilities (B, K) of logits."""
        return class_probabilities(self.spec.head, logits)

    def local_scores(self, features: Tensor, log_rates: Tensor | None = None) -> Tensor:
        """What each cell says alone: the expected score of a slide made of nothing but such cells.

        With mean pooling and no hidden layer this is the class-activation map itself (Zhou et al. 2016),
        passed through the head's link: logits of the slide are the mean of the cells' logits. Pooled by
        shares, a square counts as far as a tumour cell is in it: stained stroma scores nothing.

        Args:
            features: (..., width), from `local_features`.
            log_rates: (..., 4), from `read`, where pooling is by shares.

        Returns:
            (...), 0 to K-1.
        """
        if log_rates is not None:
            shares, present = presence(log_rates)
            return present * expected_score(self.probabilities(self._judge(shares)))
        pooled = torch.cat([features, features], -1) if self.spec.pooling == "mean_top" else features
        return expected_score(self.probabilities(self.head(self.mix(pooled))))


def _stain_branch(width: int) -> nn.Sequential:
    """Colour alone: each pixel's optical density through a small network, before any neighbourhood."""
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.GELU(), nn.Conv2d(width, width, 1), nn.GELU())


def _side(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]


def _mixer(pooled: int, hidden: int, norm: bool) -> nn.Sequential:
    """Lets the head compare what was pooled: the brown of a slide against its own blue.

    Shares enter without `norm`: their size is what counts.
    """
    first = nn.LayerNorm(pooled) if norm else nn.Identity()
    return nn.Sequential(first, nn.Linear(pooled, hidden), nn.GELU())


def make_body(spec: ModelSpec, **options: Any) -> nn.Module:
    """The timm network of a spec, without classifier.

    Raises:
        ConfigError: if timm has no such network, it cannot take the options, or it gives no feature maps.
    """
    import timm  # whoever measures, or loads a model of other kinds, waits for no catalogue of networks

    check_backbone(spec.backbone)
    try:
        keywords: dict[str, Any] = {**spec.backbone_options, **options}
        body: nn.Module = timm.create_model(spec.backbone, num_classes=0, global_pool="", **keywords)
    except (TypeError, AssertionError) as error:
        raise ConfigError(f"backbone {spec.backbone!r} does not take these options: {error}.") from error
    if not hasattr(body, "forward_intermediates") or not hasattr(body, "prune_intermediate_layers"):
        raise ConfigError(f"backbone {spec.backbone!r} gives no feature maps; choose another.")
    return body
