"""What a job wrote, listed before it leaves the machine: so that whoever fetches it knows what has not arrived."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple

HASHED_BYTES = 1 << 30
"""Longer files are not hashed: the machine is paid meanwhile."""
PIECE_BYTES = 1 << 20


class Listed(NamedTuple):
    """A file; `path` is below the mirrored folder, POSIX, undecodable bytes as surrogates."""

    path: str
    bytes: int
    modified_at: float


def files_below(root: str, folders: Iterable[str], left_out: str = "") -> List[Listed]:
    """The regular files below some folders of `root`, by path; links are not followed.

    Args:
        left_out: Paths that begin so are others' files.
    """
    found = (one for folder in folders for one in _walked(root, folder))
    return sorted(one for one in found if not left_out or not one.path.startswith(left_out))


def manifest(root: str, files: Iterable[Listed], *, attempt: str, rank: int, hashed: bool) -> Dict[str, Any]:
    """The list as JSON; `sha256` is None for what was not hashed or could not be read."""
    rows = [
        {
            "path": one.path,
            "bytes": one.bytes,
            "modified_at": one.modified_at,
            "sha256": _sha256(os.path.join(root, one.path)) if hashed and one.bytes <= HASHED_BYTES else None,
        }
        for one in files
    ]
    return {"attempt": attempt, "rank": rank, "files": rows}


def _walked(root: str, folder: str) -> Iterator[Listed]:
    for where, _, names in os.walk(os.path.join(root, folder)):
        for name in names:
            path = os.path.join(where, name)
            try:
                seen = os.lstat(path)
            except OSError:  # what is left of the script's processes removed it
                continue
            if stat.S_ISREG(seen.st_mode):
                yield Listed(os.path.relpath(path, root), seen.st_size, seen.st_mtime)


def _sha256(path: str) -> Any:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(PIECE_BYTES), b""):
                digest.update(piece)
    except OSError:
        return None
    return digest.hexdigest()
