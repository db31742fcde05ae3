"""Copies in the cache: whole, checked, not over the limit, never taken away from who uses them."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest

import lowpower.storage._staging as staging
from lowpower.errors import OptionError, StorageError
from lowpower.storage import Stored, copied, is_folder, is_there, place

MB = 1_000_000


def put(address: str, data: bytes) -> str:
    system, path = fsspec.core.url_to_fs(address)
    system.pipe_file(path, data)
    return address


def copies(cache: Path) -> set[str]:
    """Names of the files that the cache holds."""
    return {file.name for file in (cache / "storage" / "copies").rglob("*") if file.suffix == ".bin"}


def test_a_copy_is_made_once_and_follows_its_object(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = put(f"{memory}/a.bin", b"first")
    with copied(address) as copy:
        assert copy.file.read_bytes() == b"first"
        before = copy.file
    system = type(fsspec.filesystem("memory"))
    with monkeypatch.context() as patch:
        patch.setattr(system, "get_file", lambda *_: pytest.fail("fetched again"))
        with copied(address) as copy:
            assert copy.file == before
    put(address, b"second")
    with copied(address) as copy:
        assert copy.file.read_bytes() == b"second"


def test_what_was_used_longest_ago_goes_first(
    memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOWPOWER_CACHE_GB", "0.003")
    for name in ("a", "b", "c", "a", "d"):  # three fit; a was used again after b
        with copied(put_once(f"{memory}/{name}.bin")):
            pass
        time.sleep(0.02)
    assert copies(cache) == {"a.bin", "c.bin", "d.bin"}


def put_once(address: str) -> str:
    return address if is_there(address) else put(address, os.urandom(MB))


def test_a_copy_in_use_stays_and_no_room_is_told(
    memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOWPOWER_CACHE_GB", "0.002")
    with copied(put_once(f"{memory}/a.bin")), copied(put_once(f"{memory}/b.bin")):
        with pytest.raises(
            StorageError, match=r"c\.bin: its 0\.001 GB find no room.*0\.002 GB of it are in u"
        ):
            with copied(put_once(f"{memory}/c.bin")):
                pass
        assert copies(cache) == {"a.bin", "b.bin"}
    with copied(f"{memory}/c.bin"):
        assert "c.bin" in copies(cache)


def test_a_full_disk_is_told_and_leaves_no_half(
    memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = put_once(f"{memory}/a.bin")

    def full(self: Any, path: str, local: str) -> None:
        Path(local).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(fsspec.filesystem("memory")), "get_file", full)
        with pytest.raises(StorageError, match=r"No space left.*LOWPOWER_CACHE"), copied(address):
            pass
    assert not [f for f in cache.rglob("*") if f.is_file() and f.read_bytes() == b"half"]
    monkeypatch.setattr(staging, "_KEPT_FREE", 1 << 60)
    with pytest.raises(StorageError, match="find no room on the disk"), copied(address):
        pass


def test_what_arrives_in_part_or_vanished_is_told(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = put_once(f"{memory}/a.bin")
    system = type(fsspec.filesystem("memory"))
    with monkeypatch.context() as patch:
        patch.setattr(system, "get_file", lambda self, path, local: Path(local).write_bytes(b"part"))
        with pytest.raises(StorageError, match=r"4 of 1,000,000 bytes arrived"), copied(address):
            pass

    def gone(self: Any, path: str, local: str) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(system, "get_file", gone)
    with pytest.raises(StorageError, match=r"a\.bin: does not exist; check the address"), copied(address):
        pass


@pytest.mark.parametrize("told", ["none", "-1", "inf"])
def test_a_limit_that_is_none(memory: str, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("LOWPOWER_CACHE_GB", told)
    with pytest.raises(OptionError, match=f"LOWPOWER_CACHE_GB={told}"), copied(put(f"{memory}/a.bin", b"a")):
        pass


def test_what_belongs_to_a_slide_comes_with_it(memory: str) -> None:
    for name in ("x.mrxs", "x/Slidedat.ini", "x/Data0000.dat", "y.mrxs", "dicom/1.dcm", "dicom/2.dcm"):
        put(f"{memory}/{name}", name.encode())
    with copied(f"{memory}/x.mrxs") as copy:
        assert (copy.file.with_suffix("") / "Slidedat.ini").read_bytes() == b"x/Slidedat.ini"
        assert not copy.file.with_name("y.mrxs").exists()
    for named in ("dicom", "dicom/1.dcm"):
        with copied(f"{memory}/{named}") as copy:
            folder = copy.file if copy.file.is_dir() else copy.file.parent
            assert {file.name for file in folder.iterdir() if file.suffix == ".dcm"} == {"1.dcm", "2.dcm"}


def test_names(memory: str) -> None:
    put(f"{memory}/in/a.bin", b"a")
    assert is_folder(f"{memory}/in")
    assert is_folder(Path(f"{memory}/in/"))
    assert is_there(Path(f"{memory}/in/a.bin"))
    assert not is_there(f"{memory}/in/b.bin")
    assert place("file:///data/a%20b.svs") == Path("/data/a b.svs")
    for secret in ("https://host/a.svs?sig=123", "s3://key:secret@bucket/a.svs"):
        with pytest.raises(OptionError, match="password or a query") as raised:
            place(secret)
        assert not {"123", "key"} & set(str(raised.value).replace(":", " ").split())


def use(address: str, cache: str, limit: str, rounds: int) -> int:
    """Of a process: use slides of the bucket by turns; how often what was in use was not whole."""
    os.environ |= {"LOWPOWER_CACHE": cache, "LOWPOWER_CACHE_GB": limit}
    wrong = 0
    for turn in range(rounds):
        name = (turn + os.getpid()) % 4
        with copied(f"{address}/{name}.bin") as copy:
            for _ in range(5):
                wrong += copy.file.read_bytes() != bytes([name]) * MB
                time.sleep(0.002)
    return wrong


@pytest.mark.timeout(120)
def test_processes_share_a_cache_that_holds_too_few(s3: Any, cache: Path) -> None:
    for name in range(4):
        s3.pipe_file(f"slides/{name}.bin", bytes([name]) * MB)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        task = ("s3://slides", str(cache), "0.0031", 8)
        assert pool.starmap(use, [task] * 3) == [0, 0, 0]
    held = sum(file.stat().st_size for file in (cache / "storage" / "copies").rglob("*.bin"))
    assert held <= 3.1 * MB


class Arriving:
    """Stands for a download of a part: each time with another MD5 out of a list."""

    def __init__(self, *found: str) -> None:
        self.left = list(found)

    def __call__(self, part: Stored, file: Path) -> str:
        file.write_bytes(b"x" * part.size)
        return self.left.pop(0)


@pytest.mark.parametrize(("found", "whole"), [(["t"], True), (["a", "t"], True), (["a", "b"], False)])
def test_what_arrives_altered_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[str], whole: bool
) -> None:
    part = Stored("s3://altered/a.bin", 3, "t" * 32)
    arriving = Arriving(*(letter * 32 for letter in found))
    monkeypatch.setattr(staging, "_download", arriving)
    if whole:
        staging._fetch(part, tmp_path / "a.bin")
        assert (tmp_path / "a.bin").is_file()
    else:
        with pytest.raises(StorageError, match="arrives altered, each time differently"):
            staging._fetch(part, tmp_path / "a.bin")
        assert not (tmp_path / "a.bin").exists()
    assert arriving.left == []


def test_a_tag_that_is_no_md5_is_found_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arriving = Arriving("m" * 32, "m" * 32, "n" * 32)
    monkeypatch.setattr(staging, "_download", arriving)
    monkeypatch.setattr(staging, "_not_md5", set())
    for name in ("a.bin", "b.bin"):
        staging._fetch(Stored(f"s3://encrypted/{name}", 3, "t" * 32), tmp_path / name)
    assert arriving.left == []
