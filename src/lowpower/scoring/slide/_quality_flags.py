"""Quality in a result: flags with area and place, what refuses, and the picture of what lies where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw, ImageFont

from lowpower.errors import DamagedSlideError, PoorQualityError, UnexpectedStainError
from lowpower.scoring.records import MeasuredSlide, QualityFlag, Result
from lowpower.slides import Slide
from lowpower.stain import STAIN_CODES
from lowpower.tissue import ControlHabit, QCFlag, Tissue, control_habit, paint_layers, quality_map

__all__ = ["draw_quality", "flag_records", "habit_of", "refuse_on"]

_PIXELS = 1400


def flag_records(flags: Iterable[QCFlag]) -> tuple[QualityFlag, ...]:
    """Flags as a result keeps them."""
    return tuple(
        QualityFlag(
            code=flag.code,
            message=flag.message,
            effect=flag.effect,
            area_mm2=None if flag.area_mm2 is None else round(flag.area_mm2, 4),
            box=None if flag.box is None else (flag.box.x, flag.box.y, flag.box.width, flag.box.height),
            end=flag.end,
        )
        for flag in flags
    )


def habit_of(results: Sequence[Result | MeasuredSlide]) -> tuple[ControlHabit, tuple[str, ...]]:
    """Where the slides of a batch have their control tissue, and the files on which it is doubtful.

    Slides for which `control` was said count neither way.
    """
    told = [
        (result.file, flag)
        for result in results
        if result.control == "auto" and result.qc is not None
        for flag in result.qc.flags
    ]
    doubtful = [(file, flag.end) for file, flag in told if flag.code == "control_doubtful"]
    habit = control_habit(
        (flag.end for _, flag in told if flag.code == "control"), (end for _, end in doubtful)
    )
    return habit, tuple(file for file, _ in doubtful)


def refuse_on(slide: Slide, flags: Iterable[QCFlag], marker: str, *, force: bool) -> None:
    """Stop where a flag says that a score would be a guess.

    Raises:
        UnexpectedStainError: it does not look like the marker's stain, and `force` is not set.
        DamagedSlideError: too much of it is damaged, and `force` is not set.
        PoorQualityError: for any other flag that refuses, and `force` is not set.
    """
    for flag in flags:
        if flag.effect != "refuse" or force:
            continue
        if flag.code in STAIN_CODES:
            raise UnexpectedStainError(
                slide.path,
                f"does not look like {marker} immunohistochemistry: {flag.message.rstrip('.')}; "
                "check the file, or go on with --force.",
            )
        if flag.code == "damaged":
            raise DamagedSlideError(slide.path, f"{flag.message.rstrip('.')}; copy or export it again.")
        raise PoorQualityError(slide.path, f"{flag.message.rstrip('.')}; scan again, or go on with --force.")


def draw_quality(slide: Slide, tissue: Tissue) -> Image.Image:
    """The slide with control tissue and defects coloured, sound tissue outlined, and a legend with areas."""
    found = quality_map(tissue)
    mpp = max(float(slide.mpp), max(slide.size) * float(slide.mpp) / _PIXELS)
    picture = paint_layers(slide.overview(mpp), found.labels)
    height, width = picture.shape[:2]
    row, margin = 26, 14
    canvas = Image.new("RGB", (width, height + row * len(found.legend) + 2 * margin), "white")
    canvas.paste(Image.fromarray(picture))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(16)
    for number, (layer, area) in enumerate(found.legend):
        top = height + margin + number * row
        draw.rectangle((margin, top, margin + 18, top + 18), fill=layer.colour)
        amount = f"{area:.2f}" if area >= 0.01 else "under 0.01"
        draw.text((margin + 28, top), f"{layer.name}: {amount} mm2", fill=(32, 32, 40), font=font)
    return canvas
