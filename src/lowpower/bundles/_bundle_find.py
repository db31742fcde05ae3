"""Where a bundle lies: by the name of one that comes with lowpower, by a folder, or at the hub."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from lowpower.bundles._hub import HUB, hub_file, parse_hub
from lowpower.errors import BundleError, WeightsError
from lowpower.files import meant

__all__ = ["CARD_FILE", "MEMBERS", "SPEC_FILE", "bundled_models", "find_bundle"]

SPEC_FILE, CARD_FILE, MEMBERS = "bundle.json", "README.md", "members"


def bundled_models() -> dict[str, Path]:
    """Models that come with lowpower: name -> folder."""
    root = Path(str(resources.files("lowpower"))) / "bundled"
    if not root.is_dir():
        return {}
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{SPEC_FILE}"))}


def find_bundle(name: str | Path) -> Path:
    """A bundle's folder: see `load_bundle`.

    Raises:
        BundleError: there is none of this name.
    """
    text = str(name)
    if text.startswith(HUB):
        return _from_hub(text)
    bundled = bundled_models()
    if text in bundled:
        return bundled[text]
    folder = Path(name)
    if folder.is_dir():
        return _within(folder)
    if folder.name == SPEC_FILE and folder.is_file():
        return folder.parent
    near = difflib.get_close_matches(text, bundled, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else f"{question} " if (question := meant(folder)) else ""
    known = ", ".join(bundled) or "none"
    raise BundleError(
        f"no model {text!r}: {hint}bundled models: {known}; otherwise name a bundle folder or hf://owner/name."
    )


def _within(folder: Path) -> Path:
    """The folder itself, or the one bundle that a run's or a study's folder holds."""
    if (folder / SPEC_FILE).is_file():
        return folder
    found = sorted(
        path.parent
        for depth in ("*", "*/*", "*/*/*")
        for path in folder.glob(f"{depth}/{SPEC_FILE}")
        if path.parent.parent.name != MEMBERS
    )
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(bundle) for bundle in found[:5]) + (", ..." if len(found) > 5 else "")
        raise BundleError(f"{folder}: holds {len(found)} bundles; name one of them: {names}.")
    raise BundleError(
        f"{folder / SPEC_FILE}: is missing, and no folder in {folder} holds one; a bundle is a folder with "
        f"{SPEC_FILE} and model.safetensors, which `lowpower train` and `lowpower deploy` write."
    )


def _from_hub(address: str) -> Path:
    """Download (or find in the cache) a hub repository that is a bundle; its local folder."""
    try:
        repository, revision, _ = parse_hub(address)
        hub_file(repository, "model.safetensors", revision)
        return hub_file(repository, SPEC_FILE, revision).parent
    except WeightsError as error:
        raise BundleError(str(error)) from error
