"""The network that says where nuclei and stained membranes are, as PyTorch trains it on simulated tissue.

It sees haematoxylin and DAB at about 0.5 um/px and draws four maps at half that resolution. It decides
nothing about a cell's class: rays, rings and the guideline's words do (`_membrane`, `_measure_grade`).
Its weights are made by `recipes/build_cell_network.py`; slides are measured by what
`recipes/compile_cell_network.py` makes of them (`_cell_runtime`). ADR 0010 says why a network.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lowpower.stain.cells._cell_identity import WEIGHTS

__all__ = ["CellNetwork", "trained_network"]


class _Block(nn.Sequential):
    """Convolution, normalisation, rectification."""

    def __init__(self, inner: int, outer: int, kernel: int = 3, stride: int = 1) -> None:
        padding = (kernel - 1) // 2
        super().__init__(
            nn.Conv2d(inner, outer, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(inplace=True),
        )

    def fuse(self) -> None:
        """Work the normalisation into the convolution: the same result, sooner."""
        convolution, normalisation = self[0], self[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(normalisation, nn.BatchNorm2d)
        self[0], self[1] = fuse_conv_bn_eval(convolution, normalisation), nn.Identity()


class CellNetwork(nn.Module):
    """(B, 3, H, W) stains as `network_input` gives them -> logits (B, 4, H / 2, W / 2).

    Channels: centres of tumour nuclei, centres of all other nuclei, nuclei, stained membranes. H and W are
    multiples of `STRIDE`. Widths are multiples of four.
    """

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse, far = 12, 32, 56, 72
        self.stem = _Block(3, fine, 4, 2)
        self.fine = _Block(fine, fine)
        self.to_middle, self.middle = _Block(fine, middle, 3, 2), _Block(middle, middle)
        self.to_coarse = _Block(middle, coarse, 3, 2)
        self.coarse = nn.Sequential(_Block(coarse, coarse), _Block(coarse, coarse))
        self.to_around, self.around = _Block(coarse, far, 3, 2), _Block(far, far)
        self.from_around, self.join_coarse = nn.Conv2d(far, coarse, 1), _Block(coarse, coarse)
        self.from_coarse, self.join_middle = nn.Conv2d(coarse, middle, 1), _Block(middle, middle)
        self.from_middle, self.join_fine = nn.Conv2d(middle, fine, 1), _Block(fine, fine)
        self.head = nn.Conv2d(fine, 4, 1)

    def forward(self, stains: Tensor) -> Tensor:
        """Logits of the four maps."""
        fine = self.fine(self.stem(stains))
        middle = self.middle(self.to_middle(fine))
        coarse = self.coarse(self.to_coarse(middle))
        around = self.around(self.to_around(coarse))
        coarse = self.join_coarse(coarse + _doubled(self.from_around(around)))
        middle = self.join_middle(middle + _doubled(self.from_coarse(coarse)))
        fine = self.join_fine(fine + _doubled(self.from_middle(middle)))
        logits: Tensor = self.head(fine)
        return logits


def _doubled(image: Tensor) -> Tensor:
    return functional.interpolate(image, scale_factor=2, mode="nearest")


@lru_cache(maxsize=1)
def trained_network() -> CellNetwork:
    """The network as it was trained, in 32 bits, normalisation worked into its convolutions."""
    network = CellNetwork()
    with resources.as_file(resources.files("lowpower.stain") / WEIGHTS) as path:
        network.load_state_dict(load_file(Path(path)))
    network.eval()
    for block in network.modules():
        if isinstance(block, _Block):
            block.fuse()
    return network.requires_grad_(False)
