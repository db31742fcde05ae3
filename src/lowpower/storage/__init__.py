"""Where files lie that are on no local disk: looked at by address, copied here, results put there."""

from lowpower.storage._remote import (
    Stored,
    files_below,
    from_folder,
    full_name,
    is_folder,
    is_there,
    matching,
    missing,
    move_stored,
    place,
    put_stored,
    read_stored,
    remove_stored,
    size_of,
    version_of,
)
from lowpower.storage._staging import Copy, cache_folder, copied, known_hash

__all__ = [
    "Copy",
    "Stored",
    "cache_folder",
    "copied",
    "files_below",
    "from_folder",
    "full_name",
    "is_folder",
    "is_there",
    "known_hash",
    "matching",
    "missing",
    "move_stored",
    "place",
    "put_stored",
    "read_stored",
    "remove_stored",
    "size_of",
    "version_of",
]
