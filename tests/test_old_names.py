"""Names that were public once go on working, and say what replaced them."""

from __future__ import annotations

import pytest

import lowpower.experiments
import lowpower.reports
from lowpower import study


@pytest.mark.parametrize(
    ("room", "name"),
    [
        ("experiments", "load_study"),
        ("experiments", "run_study"),
        ("experiments", "deploy"),
        ("reports", "say"),
    ],
)
def test_the_room_of_studies_is_two_rooms_now(room: str, name: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"study\.{name} is now lowpower\.{room}\.{name}"):
        found = getattr(study, name)
    assert found is getattr(getattr(lowpower, room), name)


def test_a_name_that_never_was_is_no_name() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        study.no_such_thing  # noqa: B018
