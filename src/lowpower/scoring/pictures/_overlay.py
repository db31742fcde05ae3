"""The picture that goes with a result: the slide, and beside it where the network saw what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lowpower.errors import one_line
from lowpower.geometry import area_features, outlines
from lowpower.slides import Slide
from lowpower.units import Box

__all__ = ["INK", "Explanation", "draw_overlay", "draw_scale_bar", "draw_text", "network_annotations"]

_PANEL_PIXELS = 1200
_LETTER = 15
_MARGIN = 16
_COLOUR = 0.55
_FAINTEST, _STRONGEST = 0.12, 0.75
INK = (32, 32, 40)
_CONTOUR = (20, 20, 20)
_DOUBTFUL = (0, 114, 178)
_MAY_BE_CONTROL = "control?"


@dataclass(frozen=True)
class Explanation:
    """A model's map over a part of the slide.

    Attributes:
        scores: (h, w) float32, local expected class index, 0 to K-1.
        mask: (H, W) bool, tissue that the map speaks of; it is shown there only.
        box: The part of the slide that both cover, base pixels.
        classes: Class names, lowest first.
        weights: (h, w) float32, 0 to 1: how strongly the map is shown; None for alike everywhere.
        about: What the colours mean, beside their key.
    """

    scores: NDArray[np.float32]
    mask: NDArray[np.bool_]
    box: Box
    classes: tuple[str, ...]
    weights: NDArray[np.float32] | None = None
    about: str = "local score seen by the network"


def draw_overlay(
    slide: Slide, explanation: Explanation, title: str, footer: str, marked: Sequence[Box] = ()
) -> Image.Image:
    """Draw the slide (left) and the slide under the explanation map (right), to the same scale.

    Args:
        slide: The slide, still open.
        explanation: The network's map.
        title: What was decided.
        footer: Model, um/px and the notice.
        marked: Boxes around tissue that may be control, drawn and named.

    Returns:
        An RGB picture at most about 2,450 px wide, with a scale bar and a colour key.
    """
    longest = max(slide.size) * slide.mpp
    mpp = max(float(slide.mpp), longest / _PANEL_PIXELS)
    plain = slide.overview(mpp)
    if max(plain.shape[:2]) < _PANEL_PIXELS // 2:
        factor = _PANEL_PIXELS / 2 / max(plain.shape[:2])
        plain = np.asarray(
            cv2.resize(plain, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8
        )
        mpp /= factor
    tinted = _tint(plain, explanation, slide.mpp / mpp)
    plain, tinted = (_mark(panel, marked, slide.mpp / mpp) for panel in (plain, tinted))
    return _compose(plain, tinted, explanation, mpp, title, footer)


def _mark(panel: NDArray[np.uint8], marked: Sequence[Box], scale: float) -> NDArray[np.uint8]:
    """Draw and name the boxes; `scale` is panel pixels per base pixel."""
    if not marked:
        return panel
    picture = Image.fromarray(panel)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(18)
    for box in marked:
        left, top, right, bottom = (round(v * scale) for v in (box.x, box.y, box.right, box.bottom))
        draw.rectangle((left - 4, top - 4, right + 4, bottom + 4), outline=_DOUBTFUL, width=4)
        width = draw.textlength(_MAY_BE_CONTROL, font=font)
        at = (max(2.0, min(left, picture.width - width - 8)), max(2, top - 30))
        draw.rectangle((at[0] - 2, at[1] - 2, at[0] + width + 4, at[1] + 22), fill=_DOUBTFUL)
        draw.text(at, _MAY_BE_CONTROL, fill="white", font=font)
    return np.asarray(picture)


def network_annotations(explanation: Explanation) -> list[dict[str, Any]]:
    """Where the network's map is nearest to each class, as QuPath annotations in base pixels."""
    height, width = explanation.scores.shape
    share = cv2.resize(explanation.mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    nearest = np.where(share >= 0.5, np.rint(explanation.scores), -1).astype(int)
    box = explanation.box
    scale = (box.width / width, box.height / height)
    ramp = np.linspace(0, 255, len(explanation.classes)).astype(np.uint8)
    colours = cv2.applyColorMap(ramp[None], cv2.COLORMAP_VIRIDIS)[0, :, ::-1]
    features: list[dict[str, Any]] = []
    for index, name in enumerate(explanation.classes):
        red, green, blue = (int(value) for value in colours[index])
        areas = outlines(nearest == index, scale, (box.x, box.y))
        features += area_features(areas, f"Network {name}", (red, green, blue))
    return features


def _tint(plain: NDArray[np.uint8], explanation: Explanation, scale: float) -> NDArray[np.uint8]:
    """Lay the map over the slide inside tissue; `scale` is panel pixels per base pixel."""
    height, width = plain.shape[:2]
    box = explanation.box
    left, top = round(box.x * scale), round(box.y * scale)
    right, bottom = max(left + 1, round(box.right * scale)), max(top + 1, round(box.bottom * scale))
    size = (right - left, bottom - top)
    scores = cv2.resize(explanation.scores, size, interpolation=cv2.INTER_LINEAR)
    # Smoothed, so that the outline does not show the view's coarse pixels as steps.
    smooth = cv2.GaussianBlur(explanation.mask.astype(np.float32), (0, 0), 0.8)
    mask = (cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)
    # The box may reach past the slide's edge by its margin.
    inside = np.s_[max(0, -top) : height - top, max(0, -left) : width - left]
    scores, mask = scores[inside], mask[inside]
    tinted = plain.copy()
    part = tinted[max(0, top) : bottom, max(0, left) : right]
    part = part[: scores.shape[0], : scores.shape[1]]
    levels = np.clip(scores / max(1, len(explanation.classes) - 1), 0, 1)
    colours = cv2.applyColorMap((levels * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    part[mask > 0] = _blended(part, colours, _strength(explanation, size, inside))[mask > 0]
    contours, _ = cv2.findContours(mask.copy(), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outlined = np.ascontiguousarray(part)
    cv2.drawContours(outlined, contours, -1, _CONTOUR, 1, cv2.LINE_AA)
    part[...] = outlined
    return tinted


def _strength(
    explanation: Explanation, size: tuple[int, int], inside: tuple[slice, slice]
) -> NDArray[np.float32]:
    """How much of the colour is seen at each pixel (h, w, 1) of the panel's part, or everywhere (1, 1, 1)."""
    if explanation.weights is None:
        return np.full((1, 1, 1), _COLOUR, np.float32)
    weights = cv2.resize(explanation.weights, size, interpolation=cv2.INTER_LINEAR)[inside]
    return np.asarray(_FAINTEST + (_STRONGEST - _FAINTEST) * weights[..., None], np.float32)


def _blended(
    part: NDArray[np.uint8], colours: NDArray[Any], strength: NDArray[np.float32]
) -> NDArray[np.uint8]:
    mixed = part * (1 - strength) + colours * strength
    return np.asarray(np.rint(mixed), np.uint8)


def _compose(
    plain: NDArray[np.uint8],
    tinted: NDArray[np.uint8],
    explanation: Explanation,
    mpp: float,
    title: str,
    footer: str,
) -> Image.Image:
    height, width = plain.shape[:2]
    # Pages show the picture at about half its width: letters grow with it.
    letter = max(_LETTER, (2 * width + 3 * _MARGIN) // 90)
    head, foot = 4 * letter - 4, 6 * letter - 6
    canvas = Image.new("RGB", (2 * width + 3 * _MARGIN, height + head + foot), "white")
    canvas.paste(Image.fromarray(plain), (_MARGIN, head))
    canvas.paste(Image.fromarray(tinted), (width + 2 * _MARGIN, head))
    draw = ImageDraw.Draw(canvas)
    draw_text(draw, (_MARGIN, letter), title, letter * 8 // 5, canvas.width - 2 * _MARGIN)
    draw_scale_bar(draw, _MARGIN, height + head + 12, width, mpp, letter)
    _colour_key(
        canvas, draw, width + 2 * _MARGIN, height + head + 12, min(width, 24 * letter), explanation, letter
    )
    draw_text(draw, (_MARGIN, height + head + 4 * letter - 4), footer, letter, canvas.width - 2 * _MARGIN)
    return canvas


def draw_text(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, room: int) -> None:
    """Write one line, smaller if it would not fit, down to 9 px; a line break in a name becomes a space."""
    text = one_line(text)
    font = ImageFont.load_default(size)
    while size > 9 and draw.textlength(text, font=font) > room:
        size -= 1
        font = ImageFont.load_default(size)
    draw.text(at, text, fill=INK, font=font)


def draw_scale_bar(
    draw: ImageDraw.ImageDraw, x: int, y: int, room: int, mpp: float, letter: int = _LETTER
) -> None:
    """A bar of a round length, and that length under it."""
    lengths = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]
    fitting = [length for length in lengths if length / mpp <= room / 3]
    length = fitting[-1] if fitting else lengths[0]
    label = f"{length} um" if length < 1000 else f"{length // 1000} mm"
    draw.rectangle((x, y, x + round(length / mpp), y + 6), fill=INK)
    draw.text((x, y + 10), label, fill=INK, font=ImageFont.load_default(letter))


def _colour_key(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    x: int,
    y: int,
    width: int,
    explanation: Explanation,
    letter: int,
) -> None:
    classes = explanation.classes
    ramp = np.linspace(0, 255, width, dtype=np.uint8)[None].repeat(8, 0)
    canvas.paste(Image.fromarray(cv2.applyColorMap(ramp, cv2.COLORMAP_VIRIDIS)[..., ::-1].copy()), (x, y))
    font = ImageFont.load_default(letter)
    for index, name in enumerate(classes):
        place = x + width * index / max(1, len(classes) - 1)
        shift = draw.textlength(name, font=font) * index / max(1, len(classes) - 1)
        draw.text((place - shift, y + 10), name, fill=INK, font=font)
    draw_text(draw, (x + width + 12, y - 4), explanation.about, letter, canvas.width - x - width - 12)
