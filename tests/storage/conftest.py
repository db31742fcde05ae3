from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import fsspec
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("LOWPOWER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LOWPOWER_CACHE_GB", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def memory() -> Iterator[str]:
    """A bucket in this process's memory."""
    name = f"memory://bucket-{uuid.uuid4().hex[:8]}"
    yield name
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A real S3 server: moto's, over HTTP."""
    pytest.importorskip("s3fs", reason="the extra dev brings s3fs and moto")
    server_of = pytest.importorskip("moto.server", reason="the extra dev brings s3fs and moto")
    server = server_of.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """fsspec's S3 file system on that server, with an empty bucket `slides`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    system_class = fsspec.get_filesystem_class("s3")
    system_class.clear_instance_cache()
    system = fsspec.filesystem("s3", use_listings_cache=False)
    system.mkdir("slides")
    yield system
    system.rm("slides", recursive=True)
    system_class.clear_instance_cache()


@pytest.fixture(scope="session")
def sample_slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated HER2 3+ slide that lowpower makes."""
    from lowpower.simulate import sample

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWPOWER_CACHE", str(tmp_path_factory.mktemp("sample")))
        return sample()


@pytest.fixture
def make_slide() -> Callable[..., Path]:
    """Writes a small tiled TIFF that says its um/px; another texture for each seed."""

    def make(path: Path, seed: int = 0, mpp: float = 0.5) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            path,
            _tissue(seed),
            tile=(256, 256),
            photometric="rgb",
            resolution=(1e4 / mpp, 1e4 / mpp),
            resolutionunit=3,
        )
        return path

    return make


def _tissue(seed: int, side: int = 700) -> NDArray[np.uint8]:
    """Brown tissue on glass, (side, side, 3)."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side, 3), 242, np.uint8)
    cv2.circle(image, (side // 2, side // 2), side // 3, (168, 122, 96), -1)
    coarse = cv2.resize(rng.normal(0, 30, (side // 20, side // 20, 3)).astype(np.float32), (side, side))
    inside = (image[..., 2] < 200)[..., None]
    return np.where(inside, np.clip(image + coarse, 0, 255), image).astype(np.uint8)
