"""Where a bundle lies: by name, by folder, within a run's or study's folder, at the hub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lowpower.bundles import MEMBERS, SPEC_FILE, bundled_models, find_bundle, hub_file, parse_hub
from lowpower.errors import BundleError, WeightsError


def bundle_at(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / SPEC_FILE).write_text("{}")
    return folder


def test_bundled_models_are_found_by_name() -> None:
    models = bundled_models()
    assert "her2-sim" in models
    assert all((folder / SPEC_FILE).is_file() for folder in models.values())
    assert find_bundle("her2-sim") == models["her2-sim"]


def test_a_folder_its_file_and_the_one_bundle_within(tmp_path: Path) -> None:
    folder = bundle_at(tmp_path / "study" / "bundles" / "slide@8")
    assert find_bundle(folder) == folder
    assert find_bundle(str(folder / SPEC_FILE)) == folder
    assert find_bundle(tmp_path / "study") == folder
    bundle_at(folder / MEMBERS / "0")  # of an ensemble, no bundle to be named
    assert find_bundle(tmp_path / "study") == folder


def test_several_or_none_are_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        bundle_at(tmp_path / "many" / name)
    with pytest.raises(BundleError, match=r"many: holds 2 bundles; name one of them: .*one, .*two\."):
        find_bundle(tmp_path / "many")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"empty/bundle\.json: is missing"):
        find_bundle(tmp_path / "empty")
    with pytest.raises(BundleError, match=r"no model 'her2-sin': did you mean her2-sim\?"):
        find_bundle("her2-sin")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("hf://owner/name", ("owner/name", None, None)),
        ("hf://owner/name@v1.2", ("owner/name", "v1.2", None)),
        ("hf://owner/name/a/b.pt", ("owner/name", None, "a/b.pt")),
    ],
)
def test_addresses_at_the_hub(address: str, parts: tuple[str, str | None, str | None]) -> None:
    assert parse_hub(address) == parts


def test_an_address_that_is_none() -> None:
    with pytest.raises(WeightsError, match="is no hub address; write hf://owner/name"):
        parse_hub("hf://owner")
    with pytest.raises(BundleError, match="is no hub address"):
        find_bundle("hf://owner")


def test_what_is_not_in_the_cache_is_told_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        WeightsError, match=r"hf://o/n/w\.pt: is not in the local cache.*hf download o/n w\.pt"
    ):
        hub_file("o/n", "w.pt")
    with pytest.raises(BundleError, match="is not in the local cache"):
        find_bundle("hf://o/n")


def test_no_connection_is_told_before_any_retry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    with pytest.raises(WeightsError, match="there is no connection"):
        hub_file("o/n", "w.pt")


def test_finding_loads_no_network_library() -> None:
    told = (
        "import sys; from lowpower.bundles import find_bundle; find_bundle('her2-sim'); "
        "print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"
