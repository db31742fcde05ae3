"""Copies of what lies in storage on this machine's disk, up to a number of bytes.

A copy belongs to one version of an object: one that was written anew is another. Several processes share
the cache. A copy in use carries a mark of its process and is never removed; of the others the one that was
used longest ago goes first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from lowpower.errors import OptionError, OutputError, StorageError, address_of, one_line
from lowpower.files import atomic_path, locked, make_folder, shared_marks, sweep_parts, write_json, write_text
from lowpower.storage._remote import Remote, Stored, remote_of, spoken

__all__ = ["Copy", "cache_folder", "copied", "known_hash"]

_FOLDER, _SIZE = "LOWPOWER_CACHE", "LOWPOWER_CACHE_GB"
_USUAL_GB: Final = 50.0
_KEPT_FREE: Final = 1 << 30
"""Bytes of the disk that are left to others."""
_ENTRY: Final = "copy.json"
_MD5: Final = 32
_SERIES: Final = (".dcm", ".dicom")
_not_md5: set[str] = set()
"""Buckets whose entity tags look like an MD5 and are none (encrypted by a key of one's own)."""


@dataclass(frozen=True)
class Copy:
    """What lies at an address, on this machine's disk while its context lasts.

    Attributes:
        file: The file or folder.
        known: Where the SHA-256 of this version is kept.
    """

    file: Path
    known: Path

    def content_hash(self) -> str | None:
        """The SHA-256 that was found of this very version before; None where it never was."""
        return _read_text(self.known)

    def remember(self, content_hash: str) -> None:
        """Keep a SHA-256, so that an unchanged object need not be fetched to be known again."""
        with contextlib.suppress(OutputError):
            write_text(self.known, content_hash)


def cache_folder() -> Path:
    """Where copies lie: below what LOWPOWER_CACHE names, else in the user's cache folder."""
    return Path(os.environ.get(_FOLDER) or user_cache_path("lowpower")) / "storage"


@contextlib.contextmanager
def copied(path: str | Path) -> Iterator[Copy]:
    """What lies at an address as a local file; fetched unless it is here.

    With it comes what belongs to it: the data folder of MRXS and VSI, the other files of a DICOM series. An
    address that is a folder is fetched with the files that it holds itself.

    Raises:
        StorageError: it is not there, cannot be fetched whole, or finds no room in the cache.
        OptionError: LOWPOWER_CACHE_GB is no size.
    """
    address = address_of(path)
    if address is None:
        raise ValueError(f"{path} is no address of storage")
    with spoken(address):
        remote = remote_of(address)
        name, parts = _parts(remote)
    cache = _Cache(cache_folder(), _limit())
    with cache.held(address, parts) as folder:
        yield Copy(folder / name, cache.known(address, parts))


def known_hash(path: str | Path) -> str | None:
    """The SHA-256 of what lies at an address, where it was found of this very version; fetches nothing."""
    address = address_of(path)
    assert address is not None
    with spoken(address):
        _, parts = _parts(remote_of(address))
    return _read_text(_Cache(cache_folder(), 0).known(address, parts))


def _limit() -> int:
    given = os.environ.get(_SIZE) or str(_USUAL_GB)
    try:
        size = float(given)
    except ValueError:
        size = 0.0
    if not 0 < size < float("inf"):
        raise OptionError(f"{_SIZE}={given}: must be a number of gigabytes above 0, for instance 50.")
    return int(size * 1e9)


def _parts(remote: Remote) -> tuple[str, dict[str, Stored]]:
    """The name of the copy, and all that belongs to it by its path in the copy's folder."""
    path = Path(remote.path)
    beside = str(path.parent).replace(os.sep, "/")
    if remote.kind() == "folder":
        return path.name, {f"{path.name}/{name}": one for name, one in remote.below(depth=1).items()}
    own = {path.name: remote.stored()}
    suffix = path.suffix.lower()
    if suffix in (".mrxs", ".vsi"):
        folder = path.stem if suffix == ".mrxs" else f"_{path.stem}_"
        data = Remote(remote.scheme, f"{beside}/{folder}", remote.system)
        if data.kind() == "folder":
            own |= {f"{folder}/{name}": one for name, one in data.below().items()}
    if suffix in _SERIES:
        near = Remote(remote.scheme, beside, remote.system).below(depth=1)
        own |= {name: one for name, one in near.items() if name.lower().endswith(_SERIES)}
    return path.name, own


@dataclass(frozen=True)
class _Cache:
    root: Path
    limit: int

    def known(self, address: str, parts: Mapping[str, Stored]) -> Path:
        """Where the hash of these versions is kept."""
        return self.root / "known" / _key(address, parts)

    @contextlib.contextmanager
    def held(self, address: str, parts: Mapping[str, Stored]) -> Iterator[Path]:
        """The folder with the copies, whole, and not to be removed while the context lasts."""
        key = _key(address, parts)
        folder = self.root / "copies" / key
        with contextlib.ExitStack() as stack:
            with self._told(address), locked(self.root / "cache.lock"):
                # Marked before anybody may look for room: what is wanted is never what goes.
                make_folder(folder)
                stack.enter_context(shared_marks([folder]))
                self._make_room(address, folder, sum(part.size for part in parts.values()))
            with self._told(address), locked(self.root / "locks" / key):
                for name, part in parts.items():
                    _fetch(part, folder / name)
            yield folder

    def _make_room(self, address: str, folder: Path, size: int) -> None:
        """Remove what was used longest ago until `size` bytes fit; the copy is then counted in full."""
        entries = {path.parent: json.loads(path.read_bytes()) for path in self._entries()}
        entries.pop(folder, None)
        used = sum(int(entry["bytes"]) for entry in entries.values())
        there = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        allowed = self.limit
        oldest = sorted(entries, key=lambda place: (place / _ENTRY).stat().st_mtime)
        for place in oldest:
            if used + size <= allowed and self._free() - _KEPT_FREE >= size - there:
                break
            sweep_parts([place])
            if any(place.glob(".shared.*")):
                continue
            shutil.rmtree(place)
            used -= int(entries[place]["bytes"])
        if used + size > allowed:
            in_use = f", and {_gb(used)} of it are in use" if used else ""
            raise StorageError(
                f"{address}: its {_gb(size)} find no room in the cache of {_gb(allowed)} at {self.root}"
                f"{in_use}; allow more with {_SIZE}."
            )
        if self._free() - _KEPT_FREE < size - there:
            raise StorageError(
                f"{address}: its {_gb(size)} find no room on the disk of the cache at {self.root} "
                f"({_gb(self._free())} are free); free space, or name a folder on another disk with "
                f"{_FOLDER}."
            )
        write_json(folder / _ENTRY, {"address": address, "bytes": size})

    def _entries(self) -> list[Path]:
        return list((self.root / "copies").glob(f"*/{_ENTRY}"))

    def _free(self) -> int:
        return shutil.disk_usage(self.root).free

    @contextlib.contextmanager
    def _told(self, address: str) -> Iterator[None]:
        """What goes wrong with the cache's own disk."""
        try:
            yield
        except OutputError as error:
            behind = error.__cause__
            why = (behind.strerror or str(behind)) if isinstance(behind, OSError) else str(error)
            raise StorageError(
                f"{address}: cannot be copied into the cache at {self.root} ({one_line(why)}); free space, "
                f"or name a folder on another disk with {_FOLDER}."
            ) from error


def _key(address: str, parts: Mapping[str, Stored]) -> str:
    told = [address, *([name, part.size, part.version] for name, part in sorted(parts.items()))]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _fetch(part: Stored, file: Path) -> None:
    """One object into a file, unless it is there; its size and, where it is told, its MD5 are checked."""
    if file.is_file() and file.stat().st_size == part.size:
        return
    bucket = part.address.split("/")[2]
    with atomic_path(file) as temporary:
        found = _download(part, temporary)
        if len(part.version) != _MD5 or bucket in _not_md5 or found == part.version:
            return
        again = _download(part, temporary)
        if again == found:  # the tag is of another kind
            _not_md5.add(bucket)
        elif again != part.version:
            raise StorageError(f"{part.address}: arrives altered, each time differently; check the network.")


def _download(part: Stored, file: Path) -> str:
    """One object into a file, all of it; its MD5, hexadecimal."""
    with spoken(part.address):
        remote = remote_of(part.address)
        remote.system.get_file(remote.path, str(file))
    size = file.stat().st_size
    if size != part.size:
        raise StorageError(
            f"{part.address}: {size:,} of {part.size:,} bytes arrived; the same command tries again."
        )
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _gb(size: int) -> str:
    return f"{size / 1e9:.3g} GB"


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text() or None
    except OSError:
        return None
