"""Which scene and which focal plane of a file is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lowpower.errors import OptionError, StructureError

__all__ = ["Choice"]

_SHOWN = 8


@dataclass(frozen=True)
class Choice:
    """What the user asked for.

    Attributes:
        scene: Name or number (from 1) of a scene or optical path; None for the largest.
        plane: Number (from 1) of a focal plane; None for the middle one.
    """

    scene: str | None = None
    plane: int | None = None

    def check(self) -> None:
        """Refuse what no file can have, before any is opened.

        Raises:
            OptionError: an empty scene, or a plane below 1.
        """
        if self.scene is not None and not self.scene.strip():
            raise OptionError("--scene takes a scene's name or number; `lowpower doctor SLIDE` lists them.")
        if self.plane is not None and self.plane < 1:
            raise OptionError(f"--plane counts focal planes from 1, so {self.plane} is none.")

    def scene_of(self, path: Path, names: Sequence[str], default: int = 0) -> tuple[int, tuple[str, ...]]:
        """Index of the chosen scene, and a note where the file has others and none was asked for.

        Raises:
            StructureError: if there is no such scene.
        """
        listed = _listed(names)
        if self.scene is None:
            if len(names) == 1:
                return 0, ()
            note = f"holds {len(names)} scenes ({listed}); '{names[default]}' is read, choose with --scene."
            return default, (note,)
        wanted = self.scene.strip().lower()
        for index, name in enumerate(names):
            if name.lower() == wanted:
                return index, ()
        if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
            return int(wanted) - 1, ()
        has = "one scene" if len(names) == 1 else f"the scenes {listed}"
        raise StructureError(path, f"has no scene '{self.scene}'; it has {has}.")

    def plane_of(self, path: Path, count: int) -> tuple[int, tuple[str, ...]]:
        """Index of the chosen focal plane, and a note where there are several and none was asked for.

        Raises:
            StructureError: if there is no such plane.
        """
        if self.plane is None:
            middle = count // 2
            if count == 1:
                return 0, ()
            note = f"holds {count} focal planes; the middle one, {middle + 1}, is read, choose with --plane."
            return middle, (note,)
        if not 1 <= self.plane <= count:
            has = "one focal plane" if count == 1 else f"focal planes 1 to {count}"
            raise StructureError(path, f"has no focal plane {self.plane}; it has {has}.")
        return self.plane - 1, ()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"{number} '{name}'" for number, name in enumerate(names[:_SHOWN], 1))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
