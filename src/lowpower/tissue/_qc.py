"""Remarks on quality, made from the numbers of a mask."""

from __future__ import annotations

from lowpower.tissue._types import MaskResult, QCFlag

__all__ = ["flags_of"]


def flags_of(found: MaskResult) -> tuple[QCFlag, ...]:
    """The flags a mask's numbers raise."""
    numbers = found.numbers
    flags: list[QCFlag] = []
    if found.white_point_source != "glass":
        flags.append(
            QCFlag(
                "no_glass",
                "no glass in view: everything counts as tissue, the white point is the "
                f"{found.white_point_source}.",
                "note",
            )
        )
    if numbers.padding_share > 0.01:
        flags.append(
            QCFlag("padding", f"{numbers.padding_share:.0%} of the image is scanner padding.", "note")
        )
    if numbers.illumination_range > 0.01:
        flags.append(
            QCFlag(
                "uneven_light",
                f"the glass's brightness varies by {numbers.illumination_range:.3f} OD across the slide.",
                "note",
            )
        )
    if numbers.pen_share > 0.0005:
        flags.append(QCFlag("pen", f"pen ink on {numbers.pen_share:.1%} of the slide was left out.", "warn"))
    if numbers.blurred_share > 0.1:
        flags.append(
            QCFlag("out_of_focus", f"{numbers.blurred_share:.0%} of the tissue is out of focus.", "warn")
        )
    return tuple(flags)
