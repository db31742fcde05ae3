"""The layout is the architecture: doors, sizes and names of the rooms of `src/lowpower`."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parents[1] / "src"
HOUSE = SRC / "lowpower"
FILES = sorted(HOUSE.rglob("*.py"))
MOST_FILES = 16


def module_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(SRC).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


DOORS = {module_of(path) for path in FILES if path.name == "__init__.py"}


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules that a file takes names from, submodules taken as names among them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lowpower":
            module = tuple(node.module.split("."))
            files = [
                (*module, alias.name)
                for alias in node.names
                if SRC.joinpath(*module, alias.name).with_suffix(".py").exists()
            ]
            yield from files
            if len(files) < len(node.names):
                yield module


def test_a_room_is_entered_by_its_door() -> None:
    around = [
        f"{path.relative_to(HOUSE)} takes {'.'.join(module)}"
        for path in FILES
        for module in imports(path)
        if module[-1].startswith("_")
        and module[:-1] != module_of(path)[: len(module) - 1]
        # The command line gathers its verbs, a file each.
        and module[:3] != ("lowpower", "cli", "verbs")
    ]
    assert around == []


def test_no_file_asks_its_own_door() -> None:
    own = [
        f"{path.relative_to(HOUSE)} asks {'.'.join(module)}"
        for path in FILES
        for module in imports(path)
        if len(module) > 1 and module in DOORS and path.name != "__init__.py"
        and module == module_of(path)[: len(module)]
        and module[:2] != ("lowpower", "cli")
    ]  # fmt: skip
    assert own == []


def test_rooms_stay_small() -> None:
    sizes = Counter(path.parent for path in FILES if path.name != "__init__.py")
    large = {str(room.relative_to(HOUSE)): size for room, size in sizes.items() if size > MOST_FILES}
    large.pop("cli/verbs", None)  # One small file a verb.
    assert large == {}


def test_a_file_name_stands_once_in_the_house() -> None:
    named = Counter(path.stem for path in FILES if path.name != "__init__.py" and path.parent.name != "verbs")
    named.subtract(["_app"])  # The page's and the command line's.
    assert {name: times for name, times in named.items() if times > 1} == {}


PAGE = (SRC.parent / "docs" / "rooms.md").read_text(encoding="utf-8")


def test_every_room_and_sub_room_is_on_the_page() -> None:
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \|[^|]*\|([^|]*)\|$", PAGE))
    inner = {door[1]: set() for door in DOORS if len(door) == 2}
    for door in DOORS:
        if len(door) > 2:
            inner[door[1]].add(door[2])
    assert {
        room: set(re.findall(r"`(\w+)`", within)) for room, within in rows.items() if room in inner
    } == inner


def test_what_the_page_names_is_where_it_says() -> None:
    places = re.findall(r"(?m)^\| [^|]+ \| `([\w/]+\.py)` \| `([^`]+)` \|$", PAGE)
    assert len(places) >= 10
    assert [
        (file, name) for file, name in places if name not in (HOUSE / file).read_text(encoding="utf-8")
    ] == []


def test_every_benchmark_is_in_their_table() -> None:
    folder = SRC.parent / "benchmarks"
    told = re.findall(r"(?m)^\| `(\w+\.py)` \|", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(told) == sorted(path.name for path in folder.glob("*.py"))
