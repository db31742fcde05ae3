"""Where a laboratory puts its control, learned from the slides on which it is certain."""

from __future__ import annotations

import pytest

from lowpower.tissue import control_habit


def test_an_end_that_nine_of_ten_slides_share_is_usual_and_said_once() -> None:
    found = ["left"] * 20 + ["top left", "bottom left", "right"]
    habit = control_habit(found, ["left", "top left", "right", None])
    assert (habit.end, habit.there, habit.found) == ("left", 22, 23)
    assert (habit.doubtful, habit.doubtful_there) == (4, 2)
    assert habit.sentence() == (
        "Control tissue lies left on 22 of the 23 slides where it was found, and is doubtful on 4 slides; 2 "
        "of them may have it there. If the laboratory always puts it there, say so: --control left."
    )
    assert control_habit(reversed(found), ["left", "top left", "right", None]) == habit


@pytest.mark.parametrize("found", [[], ["left"] * 4, ["left"] * 8 + ["right"] * 2])
def test_few_slides_or_several_ends_teach_nothing(found: list[str]) -> None:
    habit = control_habit(found, ["left"])
    assert habit.end is None
    assert habit.sentence() == (
        "Control tissue is doubtful on 1 slide: look, and say for each what it is (--control, or "
        "the column control of a manifest)."
    )


def test_without_doubt_there_is_nothing_to_say() -> None:
    assert control_habit(["left"] * 9, []).sentence() == ""
