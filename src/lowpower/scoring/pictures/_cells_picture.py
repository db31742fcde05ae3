"""Cells coloured by class: over the whole slide, and in a few fields at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lowpower.scoring.pictures._overlay import INK, draw_scale_bar, draw_text
from lowpower.scoring.records import CELL_COLOURS, OTHER, class_names
from lowpower.slides import Slide
from lowpower.stain import Cells
from lowpower.units import Box

__all__ = ["Field", "choose_fields", "draw_cells"]

_PANEL = 816
_FIELD_PIXELS = 400
_FIELD_UM: Final = 160.0
_FEWEST = 12
_GAP = 16
_LETTER: Final = 20
"""Pages show the picture at two thirds of its width."""
_BLUE_TO_RED = (0, 1, 2, 3)
_READ = (20, 120, 60)


@dataclass(frozen=True)
class Field:
    """A square worth looking at.

    Attributes:
        box: Base pixels.
        title: Why it was chosen.
    """

    box: Box
    title: str


def choose_fields(cells: Cells, classes: NDArray[np.uint8], mpp: float, least_grade: int) -> list[Field]:
    """Up to four squares where the score is decided, or where the method may fail.

    The most cells of the deciding grade; the square most like the slide's own share; the most evenly mixed
    one; the most cells left out as not tumour-like or outside the regions. A square is shown once.

    Args:
        cells: The slide's cells.
        classes: (N,) as `classes_of` gives them.
        mpp: um/px of base pixels.
        least_grade: Cells of this grade and above make up the share that decides.
    """
    side = _FIELD_UM / mpp
    keys = np.stack([cells.x // side, cells.y // side], axis=1).astype(np.int64)
    squares, place = np.unique(keys, axis=0, return_inverse=True)
    place = place.reshape(-1)
    tumour = np.bincount(place, classes != OTHER, minlength=len(squares))
    deciding = np.bincount(place, (classes != OTHER) & (cells.grade >= least_grade), minlength=len(squares))
    left_out = np.bincount(place, classes == OTHER, minlength=len(squares))
    share = deciding / np.maximum(tumour, 1)
    whole = float(deciding.sum() / max(1.0, float(tumour.sum())))
    enough = tumour >= _FEWEST
    wishes = [
        ("most cells that decide", np.where(enough, deciding, -1.0)),
        ("like the whole slide", np.where(enough, -np.abs(share - whole) + tumour / 1e4, -9.0)),
        ("most mixed", np.where(enough & (deciding > 0), -np.abs(share - 0.5) + tumour / 1e4, -9.0)),
        ("most cells left out", np.where(left_out >= _FEWEST, left_out, -9.0)),
    ]
    fields: list[Field] = []
    taken: set[int] = set()
    for title, worth in wishes:
        order = np.argsort(-worth, kind="stable")
        best = next((index for index in order.tolist() if index not in taken and worth[index] > -1), None)
        if best is None:
            continue
        taken.add(best)
        x, y = (squares[best] * side).astype(int).tolist()
        fields.append(Field(Box(x, y, max(1, round(side)), max(1, round(side))), title))
    return fields


def draw_cells(
    slide: Slide,
    cells: Cells,
    classes: NDArray[np.uint8],
    marker: str,
    title: str,
    footer: str,
    least_grade: int = 1,
    read: Sequence[Box] = (),
) -> Image.Image:
    """Draw the slide, its cells as coloured dots, and the chosen fields plain and with their cells ringed.

    Args:
        slide: The slide, still open.
        cells: Its cells.
        classes: (N,) as `classes_of` gives them.
        marker: Names the classes.
        title: What was measured.
        footer: um/px, version and the notice.
        least_grade: See `choose_fields`.
        read: The fields that a guided measurement read; outlined.
    """
    scale = max(slide.size) / _PANEL
    panel_mpp = slide.mpp * scale
    plain = slide.overview(max(panel_mpp, slide.mpp))
    if plain.shape[1] < _PANEL and plain.shape[0] < _PANEL:
        factor = _PANEL / max(plain.shape[:2])
        plain = np.asarray(
            cv2.resize(plain, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8
        )
    dotted = _dots(plain, cells, classes, slide.size, slide.mpp)
    fields = choose_fields(cells, classes, slide.mpp, least_grade)
    height, width = plain.shape[:2]
    head, key = 60, 92
    named = _LETTER + 10
    fields_height = (2 * _FIELD_PIXELS + 3 * _GAP + named) if fields else 0
    room = 4 * _FIELD_PIXELS + 3 * _GAP
    canvas = Image.new("RGB", (room + 2 * _GAP, head + height + key + fields_height + 40), "white")
    half = (room - _GAP) // 2
    left = _GAP + (half - width) // 2
    right = _GAP + half + _GAP + (half - width) // 2
    canvas.paste(Image.fromarray(plain), (left, head))
    canvas.paste(Image.fromarray(dotted), (right, head))
    draw = ImageDraw.Draw(canvas)
    for box in read:
        x, y = left + box.x * width / slide.size[0], head + box.y * height / slide.size[1]
        draw.rectangle(
            (x, y, x + box.width * width / slide.size[0], y + box.height * height / slide.size[1]),
            outline=_READ,
        )
    draw_text(draw, (_GAP, 14), title, 24, room)
    draw_scale_bar(draw, left, head + height + 10, width, slide.mpp * slide.size[0] / width, _LETTER)
    _key(draw, marker, _GAP, head + height + 54, room)
    top = head + height + key
    for number, field in enumerate(fields):
        x = _GAP + number * (_FIELD_PIXELS + _GAP)
        draw_text(draw, (x, top), f"{number + 1}: {field.title}", _LETTER, _FIELD_PIXELS)
        view = _field(slide, field)
        canvas.paste(Image.fromarray(view), (x, top + named))
        ringed = _ringed(view, cells, classes, field, slide.mpp)
        canvas.paste(Image.fromarray(ringed), (x, top + named + _FIELD_PIXELS + _GAP))
    seen = [field.box.clipped(*slide.size) or field.box for field in fields]
    _mark(draw, seen, (right, head), (width / slide.size[0], height / slide.size[1]))
    if fields:
        bottom = top + named + 2 * _FIELD_PIXELS + _GAP - 36
        draw.rectangle((_GAP, bottom - 6, _GAP + 110, bottom + 36), fill="white")
        draw_scale_bar(draw, _GAP + 8, bottom, 240, _FIELD_UM / _FIELD_PIXELS, _LETTER)
    draw_text(draw, (_GAP, canvas.height - _LETTER - 12), footer, _LETTER, room)
    return canvas


def _dots(
    plain: NDArray[np.uint8], cells: Cells, classes: NDArray[np.uint8], size: tuple[int, int], mpp: float
) -> NDArray[np.uint8]:
    """Cells over a paled slide; where many share a pixel the higher class is seen."""
    height, width = plain.shape[:2]
    paled = np.asarray(cv2.addWeighted(plain, 0.45, np.full_like(plain, 255), 0.55, 0), np.uint8)
    column = np.clip((cells.x * width / size[0]).astype(int), 0, width - 1)
    row = np.clip((cells.y * height / size[1]).astype(int), 0, height - 1)
    # A dot about as large as a nucleus, at least one pixel.
    radius = max(0, round(3.5 * width / size[0] / mpp))
    for kind in (OTHER, *_BLUE_TO_RED):
        at = np.zeros((height, width), np.uint8)
        at[row[classes == kind], column[classes == kind]] = 1
        if radius:
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
            at = np.asarray(cv2.dilate(at, disc), np.uint8)
        paled[at > 0] = CELL_COLOURS[kind]
    return paled


def _field(slide: Slide, field: Field) -> NDArray[np.uint8]:
    image = slide.read(field.box, max(slide.mpp, _FIELD_UM / _FIELD_PIXELS))
    return np.asarray(
        cv2.resize(image, (_FIELD_PIXELS, _FIELD_PIXELS), interpolation=cv2.INTER_CUBIC), np.uint8
    )


def _ringed(
    view: NDArray[np.uint8], cells: Cells, classes: NDArray[np.uint8], field: Field, mpp: float
) -> NDArray[np.uint8]:
    ringed = view.copy()
    scale = _FIELD_PIXELS / field.box.width
    margin = 10 / mpp
    near = (
        (cells.x > field.box.x - margin)
        & (cells.x < field.box.right + margin)
        & (cells.y > field.box.y - margin)
        & (cells.y < field.box.bottom + margin)
    )
    for index in np.flatnonzero(near).tolist():
        centre = (
            round((cells.x[index] - field.box.x) * scale * 16),
            round((cells.y[index] - field.box.y) * scale * 16),
        )
        radius = round(float(cells.diameter[index]) / 2 / mpp * scale * 16)
        cv2.circle(ringed, centre, radius, CELL_COLOURS[int(classes[index])], 2, cv2.LINE_AA, 4)
    return ringed


def _mark(
    draw: ImageDraw.ImageDraw, boxes: Sequence[Box], corner: tuple[int, int], scale: tuple[float, float]
) -> None:
    """Outline the fields, and number each where its number lies on no other and no other field's edge."""
    font = ImageFont.load_default(_LETTER)
    drawn: list[tuple[float, float, float, float]] = []
    for box in boxes:
        x, y = corner[0] + box.x * scale[0], corner[1] + box.y * scale[1]
        drawn.append((x, y, x + max(6, box.width * scale[0]), y + max(6, box.height * scale[1])))
    for rectangle in drawn:
        draw.rectangle(rectangle, outline=INK, width=2)
    for number, at in enumerate(places_of(drawn, (0.8 * _LETTER, 1.2 * _LETTER)), 1):
        draw.rectangle(at, fill="white", outline=INK)
        middle = (at[0] + at[2]) / 2, (at[1] + at[3]) / 2
        draw.text(middle, str(number), fill=INK, font=font, anchor="mm")


def places_of(
    boxes: Sequence[tuple[float, float, float, float]], size: tuple[float, float]
) -> list[tuple[float, float, float, float]]:
    """Where each box's number goes: inside its corner where it fits, else beside it, clear of all others.

    Args:
        boxes: Left, top, right, bottom.
        size: Width and height of a number.
    """
    across, down = size
    taken: list[tuple[float, float, float, float]] = []
    for left, top, right, bottom in boxes:
        others = [*(box for box in boxes if box != (left, top, right, bottom)), *taken]
        starts = [(right, top), (left - across, top), (left, top - down), (left, bottom)]
        starts += [(right + step * across, top) for step in range(1, len(boxes) + 1)]
        if right - left > across and bottom - top > down:
            starts.insert(0, (left, top))
        wished = [(x, y, x + across, y + down) for x, y in starts]
        taken.append(next((one for one in wished if not any(_meet(one, box) for box in others)), wished[0]))
    return taken


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _key(draw: ImageDraw.ImageDraw, marker: str, x: int, y: int, room: int) -> None:
    """The classes in one line, each as wide as its name; smaller letters where they would not fit."""
    names, letter = class_names(marker), _LETTER
    while letter > 9 and _key_width(draw, names, letter) > room:
        letter -= 1
    font = ImageFont.load_default(letter)
    for name, colour in zip(names, CELL_COLOURS, strict=True):
        draw.ellipse((x, y + letter // 5, x + letter * 4 // 5, y + letter), fill=colour)
        draw.text((x + 1.2 * letter, y), name, fill=INK, font=font)
        x += round(3 * letter + draw.textlength(name, font=font))


def _key_width(draw: ImageDraw.ImageDraw, names: Sequence[str], letter: int) -> float:
    font = ImageFont.load_default(letter)
    return sum(3 * letter + draw.textlength(name, font=font) for name in names)
