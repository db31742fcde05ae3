"""The fingerprint of what decides numbers: what is in it, and what is not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.test_rooms import HOUSE, imports

from lowpower import __version__
from lowpower.made_by import ROOMS, Made, _fingerprint, made_by

MAKE_NO_NUMBERS = {"bundles", "cohort", "doors", "engine", "errors", "files", "made_by", "storage"}
"""Rooms that others take from, whose code changes no number; of `cohort` the schemes' files are named."""
OF_THE_NETWORK = {"evaluation", "models", "views"}
"""What scoring a slide takes from, and measuring it alone does not."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for room in {room for rooms in ROOMS.values() for room in rooms}:
        kept = tmp_path / room
        kept.parent.mkdir(parents=True, exist_ok=True)
        if (HOUSE / room).is_dir():
            shutil.copytree(HOUSE / room, kept, dirs_exist_ok=True)
        else:
            shutil.copy(HOUSE / room, kept)
    return tmp_path


def test_it_stands_behind_the_version() -> None:
    assert re.fullmatch(re.escape(__version__) + r"\+[0-9a-f]{12}", made_by("stain"))
    assert len({made_by(what) for what in ROOMS}) == len(ROOMS)


@pytest.mark.parametrize("what", list(ROOMS))
def test_whatever_a_room_takes_numbers_from_is_in_it(what: Made) -> None:
    rooms = [HOUSE / room for room in ROOMS[what]]
    assert all(room.exists() for room in rooms)
    free = MAKE_NO_NUMBERS | (OF_THE_NETWORK if what == "measured slide" else set())
    files = [file for room in rooms for file in ([room] if room.is_file() else room.rglob("*.py"))]
    outside = {
        f"{file.relative_to(HOUSE)} takes {'.'.join(module)}"
        for file in files
        for module in imports(file)
        if len(module) > 1
        and module[1] not in free
        and not any(
            HOUSE.joinpath(*module[1:]).with_suffix("").is_relative_to(r.with_suffix("")) for r in rooms
        )
    }
    assert outside == set()


def test_line_endings_and_what_python_left_do_not_count(house: Path) -> None:
    for path in (*house.rglob("*.py"),):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (house / "stain" / "__pycache__").mkdir(exist_ok=True)
    (house / "stain" / "__pycache__" / "_measure.cpython-311.pyc").write_bytes(b"x")
    (house / "stain" / "notes.txt").write_text("x")
    for what, rooms in ROOMS.items():
        assert made_by(what).endswith(_fingerprint(house, rooms))


@pytest.mark.parametrize(
    ("changed", "of"),
    [
        ("stain/rules/_score_rules.py", {"stain", "features", "measured slide", "scored slide", "model"}),
        ("stain/cell_network.onnx", {"stain", "features", "measured slide", "scored slide", "model"}),
        ("tissue/_find.py", set(ROOMS)),
        ("views/_recipe.py", {"view", "features", "scored slide", "model"}),
        ("scoring/slide/_sight.py", {"measured slide", "scored slide"}),
        ("cohort/_schemes.py", {"measured slide", "scored slide", "model"}),
        ("training/_fitting.py", {"model"}),
        ("scoring/exchange/_pdf.py", set()),
    ],
)
def test_a_change_counts_for_what_it_can_change(house: Path, changed: str, of: set[str]) -> None:
    path = house / changed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    assert {
        what for what, rooms in ROOMS.items() if not made_by(what).endswith(_fingerprint(house, rooms))
    } == of
