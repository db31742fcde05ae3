"""The built page, where it is; and what is said where it was not built."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lowpower.errors import ConfigError

__all__ = ["PAGE", "require_page"]

PAGE: Final = Path(__file__).parent / "page"


def require_page() -> Path:
    """The folder of the built page.

    Raises:
        ConfigError: it was not built when lowpower was installed.
    """
    if not (PAGE / "index.html").is_file():
        raise ConfigError(
            "The page was not built when lowpower was installed, since Node or the npm registry could not be "
            "reached then; with a connection, in the folder of its clone run: "
            "pip install --force-reinstall --no-deps ."
        )
    return PAGE
