"""From views to predictions: one view at a time, so that company changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.graphs import Precision
from lowpower.models._slide_graph import SlideGraph
from lowpower.models.bundle import Bundle
from lowpower.views import View

if TYPE_CHECKING:
    from lowpower.models.network import HeadName, SlideNetwork

__all__ = ["Prediction", "cover", "explain", "layout", "predict", "spans", "to_arrays"]

Span: TypeAlias = tuple[int, int, int, int]
Floats: TypeAlias = NDArray[np.float32]

_BRIGHTEST = 1.25
_TILE_PIXELS = 768
_NEAR_PIXELS, _FAR_PIXELS = 1_100_000, 8_000_000
"""Pixels of the largest tile that a graph of fine features looks at, and one that looks far around: a third
of a gigabyte each. A view up to this is looked at in one piece, whose halo is nothing."""
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network says of one view.

    Attributes:
        probabilities: (K,) float64, calibrated where a bundle with a temperature predicted.
        logits: (K,) or (K-1,) float32, as the head gave them.
        local_scores: (h, w) float32, local expected class index over the view, 0 to K-1: the expected score
            of a slide made of nothing but such tissue.
    """

    probabilities: NDArray[np.float64]
    logits: NDArray[np.float32]
    local_scores: NDArray[np.float32]

    @property
    def expected_score(self) -> float:
        """Sum of class index x probability."""
        return float(self.probabilities @ np.arange(len(self.probabilities)))


def to_arrays(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], white_point: NDArray[np.float32], multiple: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A view as the network takes it, padded with glass to a multiple of `multiple` pixels.

    Returns:
        Image (1, 3, H, W) float32 of intensity / white point, and mask (1, 1, H, W) float32.
    """
    height, width = image.shape[:2]
    rows, columns = -height % multiple, -width % multiple
    scaled = image.astype(np.float32)
    scaled /= np.maximum(white_point, 1.0).astype(np.float32)
    np.minimum(scaled, _BRIGHTEST, out=scaled)
    scaled = np.pad(scaled, ((0, rows), (0, columns), (0, 0)), constant_values=1.0)
    tissue = np.pad(mask.astype(np.float32), ((0, rows), (0, columns)))
    return scaled.transpose(2, 0, 1)[None], tissue[None, None]


def predict(
    model: Bundle | SlideNetwork, views: Iterable[View], device: str = "cpu", precision: Precision = "exact"
) -> list[Prediction]:
    """Predict views, each alone: a view's result does not depend on what else is predicted.

    Memory is bounded whatever a view's size: the network sees tiles of it and as much around them as its
    receptive field reaches.

    Args:
        model: A bundle (its temperature is applied) or a bare network.
        views: Views made by the bundle's recipe.
        device: torch device.
        precision: Which runtime runs a bundle's exported graph, where it holds one and `device` is the
            processor.

    Returns:
        One prediction a view, in order.
    """
    if not isinstance(model, Bundle):
        return _by_network(model, views, 1.0, device)
    if model.graph is not None and device == "cpu":
        graph, head = replace(model.graph, precision=precision), model.spec.architecture
        assert head is not None
        return [_by_graph(graph, view, head.head, model.temperature) for view in views]
    return _by_network(model.network, views, model.temperature, device)


def explain(model: Bundle | SlideNetwork, view: View, device: str = "cpu") -> NDArray[np.float32]:
    """(h, w) float32 map of local expected scores over a view; see `Prediction.local_scores`."""
    return predict(model, [view], device)[0].local_scores


def _by_network(
    network: SlideNetwork, views: Iterable[View], temperature: float, device: str
) -> list[Prediction]:
    from lowpower.models._predict_network import predict_by_network

    was_training = network.training
    network = network.to(device).eval()
    try:
        return [predict_by_network(network, view, temperature, device) for view in views]
    finally:
        network.train(was_training)


def _by_graph(graph: SlideGraph, view: View, head: HeadName, temperature: float) -> Prediction:
    notes = graph.notes
    height, width = (-(-side // notes.multiple) * notes.multiple for side in view.mask.shape)

    def image(rows: slice, columns: slice) -> list[Floats]:
        # Where a tile ends with the view it is filled up here, as the whole view would be.
        part, _ = to_arrays(
            view.image[rows, columns], view.mask[rows, columns], view.white_point, notes.multiple
        )
        return [np.ascontiguousarray(part)]

    def of(*planes: Floats) -> Callable[[slice, slice], list[Floats]]:
        """A tile of features of any strides, by its pixels."""

        def tile(rows: slice, columns: slice) -> list[Floats]:
            steps = [height // plane.shape[-2] for plane in planes]
            return [
                np.ascontiguousarray(
                    plane[
                        ...,
                        rows.start // step : rows.stop // step,
                        columns.start // step : columns.stop // step,
                    ]
                )
                for plane, step in zip(planes, steps, strict=True)
            ]

        return tile

    size = height, width
    near = _in_tiles(graph.near, image, size, notes.multiple, notes.near_reach, _NEAR_PIXELS)
    graph.rest()
    far = _in_tiles(graph.far, of(near[0]), size, notes.multiple, notes.reach, _FAR_PIXELS)
    graph.rest()
    # A cell takes from its neighbours on the coarsest grid, whose squares are at most this large.
    cells = _in_tiles(
        lambda *parts: [graph.cells(*parts).transpose(0, 3, 1, 2)],
        of(*near, *far), size, notes.multiple, notes.multiple, _NEAR_PIXELS,
    )[0]  # fmt: skip
    del near, far
    graph.rest()
    tissue = np.zeros((1, 1, height, width), np.float32)
    tissue[0, 0, : view.mask.shape[0], : view.mask.shape[1]] = view.mask
    logits, local = graph.answer(np.ascontiguousarray(cells.transpose(0, 2, 3, 1)), tissue)
    probabilities = _tempered(_probabilities(head, logits[0].astype(np.float64)), temperature)
    return Prediction(probabilities, logits[0], cover(local[0], size, view.mask.shape))


def _in_tiles(
    look: Callable[..., list[Floats]], tile: Callable[[slice, slice], list[Floats]], size: tuple[int, int],
    multiple: int, reach: int, largest: int,
) -> list[Floats]:  # fmt: skip
    """What `look` gives of a whole view of `size` (height, width), tile by tile with what it reaches."""
    wholes: list[Floats] = []
    down, across = layout(*size, multiple, -(-reach // multiple) * multiple, largest)
    for top, bottom, above, below in down:
        for left, right, before, after in across:
            found = look(*tile(slice(above, below), slice(before, after)))
            steps = [(below - above) // one.shape[-2] for one in found]
            wholes = wholes or [
                np.empty((*one.shape[:2], size[0] // step, size[1] // step), np.float32)
                for one, step in zip(found, steps, strict=True)
            ]
            for whole, one, step in zip(wholes, found, steps, strict=True):
                whole[..., top // step : bottom // step, left // step : right // step] = one[
                    ..., (top - above) // step : (bottom - above) // step,
                    (left - before) // step : (right - before) // step,
                ]  # fmt: skip
    return wholes


def _probabilities(head: HeadName, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) as `class_probabilities`."""
    if head == "softmax":
        shares = np.exp(logits - logits.max())
        return np.asarray(shares / shares.sum(), np.float64)
    exceed = 1 / (1 + np.exp(-logits))
    if head == "corn":
        exceed = exceed.cumprod()
    return np.maximum(-np.diff(exceed, prepend=1.0, append=0.0), 0)


def _tempered(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """(K,) as `temper`."""
    if temperature == 1.0:
        return probabilities
    softened = np.maximum(probabilities, _LEAST) ** (1 / temperature)
    return np.asarray(softened / softened.sum(), np.float64)


def layout(height: int, width: int, multiple: int, halo: int, largest: int) -> tuple[list[Span], list[Span]]:
    """Tiles down and across of which the fewest pixels are looked at, halos included.

    None is of more than `largest` pixels, or than the largest of square ones: that bounds the memory.
    """
    usual = tuple(-(-length // _TILE_PIXELS) for length in (height, width))
    best = tuple(list(spans(length, multiple, halo)) for length in (height, width))
    most = max(largest, _looked_at(best)[0])
    for pieces in itertools.product(*(range(1, 2 * count + 1) for count in usual)):
        cut = tuple(
            list(spans(length, multiple, halo, count))
            for length, count in zip((height, width), pieces, strict=True)
        )
        pixels, total = _looked_at(cut)
        if pixels <= most and total < _looked_at(best)[1]:
            best = cut
    return best[0], best[1]


def _looked_at(cut: tuple[list[Span], ...]) -> tuple[int, int]:
    """Pixels of the largest tile, and of all."""
    down, across = ([below - above for *_, above, below in spans] for spans in cut)
    return max(down) * max(across), sum(down) * sum(across)


def spans(length: int, multiple: int, halo: int, pieces: int | None = None) -> Iterator[Span]:
    """(start, stop, start with halo, stop with halo) of tiles of about equal length along one axis."""
    step = -(-length // (pieces or -(-length // _TILE_PIXELS)))
    step = -(-step // multiple) * multiple
    for start in range(0, length, step):
        stop = min(start + step, length)
        yield start, stop, max(0, start - halo), min(length, stop + halo)


def cover(local: NDArray[np.float32], padded: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The map over the view itself: the padding's part is cut off, a cell on the border is shared out."""
    if padded == shape:
        return local
    grid = (local.shape[1] * shape[1] / padded[1], local.shape[0] * shape[0] / padded[0])
    size = (max(1, round(grid[0])), max(1, round(grid[1])))
    # Cell centres of the new grid, looked up between the centres of the old one.
    across = ((np.arange(size[0]) + 0.5) * grid[0] / size[0] - 0.5).astype(np.float32)
    down = ((np.arange(size[1]) + 0.5) * grid[1] / size[1] - 0.5).astype(np.float32)
    columns, rows = np.meshgrid(across, down)
    return np.asarray(
        cv2.remap(local, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
