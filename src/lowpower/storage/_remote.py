"""Objects by their address, through fsspec; what can go wrong with them, in a sentence."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lowpower.errors import LowpowerError, OptionError, StorageError, address_of, install_with

__all__ = [
    "Stored",
    "files_below",
    "from_folder",
    "full_name",
    "is_folder",
    "is_there",
    "matching",
    "missing",
    "move_stored",
    "place",
    "put_stored",
    "read_stored",
    "remote_of",
    "remove_stored",
    "size_of",
    "spoken",
    "version_of",
]

_OWN_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_EXTRA: Final = ("s3", "http", "https")
_PACKAGES: Final = {"gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}
_NO_CREDENTIALS: Final = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
_NO_ANSWER: Final = (
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError",
    "ClientConnectorError", "ServerDisconnectedError", "ConnectionError", "TimeoutError", "FSTimeoutError",
)  # fmt: skip
_VERSIONS: Final = (
    "ETag",
    "etag",
    "VersionId",
    "version_id",
    "generation",
    "LastModified",
    "mtime",
    "created",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in storage.

    Attributes:
        address: Where it lies.
        size: Bytes.
        version: What changes when it is written anew: an entity tag, or a time.
    """

    address: str
    size: int
    version: str


def place(given: str | Path) -> Path:
    """What a user named, as a path; an address goes through `Path` and is told by `address_of`.

    Examples:
        >>> place("file:///data/a.svs").as_posix()
        '/data/a.svs'

    Raises:
        OptionError: an address with a password or a query, which every record would repeat.
    """
    if str(given).startswith("file:/"):
        return Path(url2pathname(urlsplit(str(given)).path))
    address = address_of(given)
    if address is not None:
        parts = urlsplit(address)
        web = parts.scheme in ("http", "https")
        if "@" in parts.netloc or (web and parts.query):
            raise OptionError(
                f"{parts.scheme}://...: an address with a password or a query (a signed link) is not taken, "
                "as every record would repeat it; see docs/storage.md for how to sign in."
            )
    return Path(given)


def full_name(path: str | Path) -> str:
    """The address, or the absolute local path: what two names of one file have in common."""
    return address_of(path) or os.path.abspath(path)


def is_there(path: str | Path) -> bool:
    """Whether there is such a file or folder, here or in storage.

    Raises:
        StorageError: the storage cannot be asked.
    """
    address = address_of(path)
    if address is None:
        return os.path.exists(path)
    with spoken(address):
        return remote_of(address).there()


def is_folder(path: str | Path) -> bool:
    """Whether it is a folder, here or in storage (where that means: something lies below it).

    Raises:
        StorageError: the storage cannot be asked.
    """
    address = address_of(path)
    if address is None:
        return os.path.isdir(path)
    with spoken(address):
        return remote_of(address).kind() == "folder"


def size_of(path: str | Path) -> int:
    """Bytes of a file, or of the files that a folder itself holds, here or in storage.

    Raises:
        OSError: it is not there, here.
        StorageError: it is not there, in storage.
    """
    address = address_of(path)
    if address is None:
        place = Path(path)
        files = [file for file in place.iterdir() if file.is_file()] if place.is_dir() else [place]
        return sum(file.stat().st_size for file in files)
    with spoken(address):
        remote = remote_of(address)
        if remote.kind() == "folder":
            return sum(one.size for one in remote.below(depth=1).values())
        return remote.stored().size


def from_folder(folder: Path, written: str | Path) -> Path:
    """What is written in a file of `folder`: an address, an absolute path, or one that starts there.

    Raises:
        OptionError: an address with a password or a query.
    """
    given = place(written)
    if address_of(given) is not None or address_of(folder) is None or given.is_absolute():
        return folder / given if address_of(given) is None else given
    return Path(os.path.normpath(folder / given))


def files_below(address: str | Path) -> dict[str, Stored]:
    """Every object below a folder by its path from there, sorted; none where there is no such folder.

    Raises:
        StorageError: the storage cannot be asked.
    """
    address = _known(address)
    with spoken(address):
        return remote_of(address).below()


def matching(pattern: str) -> list[str]:
    """Addresses of what a pattern names, sorted.

    Raises:
        StorageError: the storage cannot be asked.
    """
    with spoken(pattern):
        remote = remote_of(pattern)
        return sorted(remote.address(str(path)) for path in remote.system.glob(remote.path))


def read_stored(address: str | Path) -> bytes:
    """The whole of a small object: a table, a record.

    Raises:
        StorageError: it is not there or cannot be read.
    """
    address = _known(address)
    with spoken(address):
        remote = remote_of(address)
        data: bytes = remote.system.cat_file(remote.path)
        return data


def missing(address: str) -> str:
    """Why nothing is found at an address: its bucket is not there, or it is not in the bucket."""
    bucket = urlsplit(address).netloc
    if address.startswith("s3:"):
        try:
            remote_of(f"s3://{bucket}").system.info(bucket)
        except FileNotFoundError:
            return f"there is no bucket {bucket}, or none that may be seen; check its name."
        except Exception:  # what else is wrong with the bucket is not what was asked
            return "does not exist; check the address."
    return "does not exist; check the address."


def version_of(address: str | Path) -> str | None:
    """What changes when an object is written anew; None where there is none.

    Raises:
        StorageError: the storage cannot be asked.
    """
    address = _known(address)
    with spoken(address):
        try:
            return remote_of(address).stored().version
        except FileNotFoundError:
            return None


def put_stored(address: str | Path, content: Path | bytes) -> None:
    """Put a file, or bytes, at an address: all of it or nothing.

    Raises:
        StorageError: it cannot be written.
    """
    address = _known(address)
    with spoken(address):
        remote = remote_of(address)
        if isinstance(content, bytes):
            remote.system.pipe_file(remote.path, content)
        else:
            remote.system.put_file(str(content), remote.path)


def remove_stored(address: str | Path) -> None:
    """Remove an object, if it is there.

    Raises:
        StorageError: it cannot be removed.
    """
    address = _known(address)
    with spoken(address), contextlib.suppress(FileNotFoundError):
        remote = remote_of(address)
        remote.system.rm_file(remote.path)


def move_stored(address: str | Path, target: str | Path) -> None:
    """Move an object, or all below a folder, within its storage: copied whole, then removed.

    Raises:
        StorageError: it cannot be copied or removed.
    """
    address, target = _known(address), _known(target)
    with spoken(address):
        remote = remote_of(address)
        if remote.kind() == "file":
            pairs = [(address, target)]
        else:  # a folder, or nothing
            pairs = [(f"{address}/{name}", f"{target}/{name}") for name in remote.below()]
        paths = [(remote_of(one).path, remote_of(other).path) for one, other in pairs]
        for one, other in paths:
            remote.system.copy(one, other)
        for one, _ in paths:
            remote.system.rm_file(one)


def _known(path: str | Path) -> str:
    address = address_of(path)
    if address is None:
        raise ValueError(f"{path} is no address of storage")
    return address


@dataclass(frozen=True)
class Remote:
    """An address and what serves it.

    Attributes:
        scheme: What the address begins with.
        path: The rest, as the file system spells it.
        system: fsspec's file system; it keeps no listings, which another machine's work makes old.
    """

    scheme: str
    path: str
    system: Any

    def address(self, path: str) -> str:
        """The address of a path of the same file system."""
        told = address_of(path)
        return told or f"{self.scheme}://{path.lstrip('/')}"

    def kind(self) -> str | None:
        """What is there, file or folder; None where nothing is."""
        try:
            return "folder" if self.system.info(self.path)["type"] == "directory" else "file"
        except FileNotFoundError:
            return None

    def there(self) -> bool:
        """Whether anything is there."""
        return self.kind() is not None

    def stored(self) -> Stored:
        """The object itself.

        Raises:
            FileNotFoundError: it is not there, or is a folder.
        """
        info = self.system.info(self.path)
        if info["type"] == "directory":
            raise FileNotFoundError(self.path)
        return self._stored(info)

    def below(self, depth: int | None = None) -> dict[str, Stored]:
        """The objects below this folder by their path from it, sorted."""
        found: dict[str, Any] = self.system.find(self.path, maxdepth=depth, detail=True)
        root = PurePosixPath(self.path.strip("/"))
        named = {
            PurePosixPath(path.strip("/")).relative_to(root).as_posix(): info
            for path, info in found.items()
            if info["type"] == "file" and path.strip("/") != str(root)
        }
        return {name: self._stored(named[name]) for name in sorted(named)}

    def _stored(self, info: dict[str, Any]) -> Stored:
        address = self.address(str(info["name"]))
        if info.get("size") is None:
            raise StorageError(f"{address}: its server does not say how large it is; download it first.")
        told = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
        return Stored(address, int(info["size"]), told.strip('"'))


def remote_of(address: str) -> Remote:
    """The address with what serves it; within `spoken`."""
    import fsspec

    scheme = address.split(":", 1)[0]
    system = fsspec.filesystem(scheme, use_listings_cache=False)
    return Remote(scheme, str(system._strip_protocol(address)), system)


@contextlib.contextmanager
def spoken(address: str) -> Iterator[None]:
    """Turn what libraries of storage raise into one sentence; this machine's own disk is not meant.

    Raises:
        StorageError: naming the address and the cure.
    """
    try:
        yield
    except LowpowerError:
        raise
    except Exception as error:  # each storage has its own library, each library its own errors
        if isinstance(error, OSError) and error.errno in _OWN_DISK:
            raise
        why = _why(address, error)
        if why is None:
            raise
        raise StorageError(f"{address}: {why}") from error


def _why(address: str, error: Exception) -> str | None:
    """What is wrong and what to do, from an error and those behind it; None for what is no storage's."""
    scheme = address.split(":", 1)[0]
    chain: list[BaseException] = [error]
    while (behind := chain[-1].__cause__ or chain[-1].__context__) is not None and behind not in chain:
        chain.append(behind)
    names = {kind.__name__ for one in chain for kind in type(one).__mro__}
    said = " ".join(str(error).split())
    if isinstance(error, ImportError):
        if scheme in _EXTRA:
            return f"addresses of {scheme}:// need the extra s3; {install_with('s3')}"
        package = _PACKAGES.get(scheme)
        return f"needs {f'the package {package}: pip install {package}' if package else said}"
    if names.intersection(_NO_CREDENTIALS):
        return (
            "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (for "
            "a public bucket FSSPEC_S3_ANON=true)."
        )
    if isinstance(error, PermissionError):
        return f"may not be reached with these credentials ({said}); ask for permission, or set others."
    if isinstance(error, FileNotFoundError):
        return missing(address)
    if names.intersection(_NO_ANSWER):
        return (
            f"its server does not answer ({said}); check the network (and AWS_ENDPOINT_URL, for a server of "
            "your own)."
        )
    if isinstance(error, OSError) or type(error).__module__.split(".")[0] in ("botocore", "aiohttp"):
        return f"cannot be read or written ({said}); check the address and the credentials."
    return None
