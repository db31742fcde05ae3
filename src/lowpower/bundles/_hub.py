"""Files from Hugging Face's hub: the local cache first, the network only where allowed and there."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from lowpower.errors import WeightsError

__all__ = ["HUB", "hub_file", "parse_hub"]

HUB = "hf://"
_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+?))?(?:/(.+))?")


def parse_hub(address: str) -> tuple[str, str | None, str | None]:
    """Split `hf://owner/name[@revision][/file]` into repository, revision and file.

    Raises:
        WeightsError: if it has another form.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise WeightsError(f"{address!r} is no hub address; write hf://owner/name or hf://owner/name/file.")
    return match[1], match[2], match[3]


def hub_file(repository: str, file: str, revision: str | None = None) -> Path:
    """Local path of a hub repository's file, downloaded where it is not in the cache.

    `HF_HUB_OFFLINE=1` is respected: the network is then not tried.

    Raises:
        WeightsError: naming the file, why it could not be had, and where to put it by hand.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

    wanted = f"{HUB}{repository}/{file}"
    cure = (
        f"on a machine with a connection run `hf download {repository} {file}`, copy the file here and name "
        f"its path, or copy that machine's cache to {constants.HF_HUB_CACHE}."
    )
    try:
        return Path(hf_hub_download(repository, file, revision=revision, local_files_only=True))
    except (OSError, EntryNotFoundError):
        pass  # not in the cache
    except ValueError as error:
        raise WeightsError(f"{wanted}: is no valid hub address ({error}).") from error
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"{wanted}: is not in the local cache and HF_HUB_OFFLINE is set; {cure}")
    if not _reachable(constants.ENDPOINT):
        raise WeightsError(f"{wanted}: is not in the local cache and there is no connection; {cure}")
    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except GatedRepoError as error:
        raise WeightsError(
            f"{wanted}: its owners give access on request; ask them on its page, then run `hf auth login`."
        ) from error
    except (RepositoryNotFoundError, EntryNotFoundError) as error:
        raise WeightsError(f"{wanted}: the hub has no such file; check the spelling.") from error
    except OSError as error:
        raise WeightsError(f"{wanted}: could not be downloaded ({error}); {cure}") from error


def _reachable(endpoint: str) -> bool:
    """Whether the hub's name resolves: without this, five retries cost half a minute and as many warnings."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    try:
        socket.getaddrinfo(urlsplit(endpoint).hostname, 443)
    except OSError:
        return False
    return True
