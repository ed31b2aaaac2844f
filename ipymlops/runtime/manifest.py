"""What a job wrote, listed before it leaves the machine: so that whoever fetches it knows what has not arrived."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional

PIECE_BYTES = 1 << 20


class Listed(NamedTuple):
    """A file; `path` is below the mirrored folder, POSIX, undecodable bytes as surrogates.

    Attributes: `changed_at` is the kernel's word, which a script cannot set, other than `modified_at`.
    """

    path: str
    bytes: int
    modified_at: float
    changed_at: float


def files_below(root: str, folders: Iterable[str]) -> List[Listed]:
    """The regular files below some folders of `root`, by path; links are not followed."""
    return sorted(one for folder in folders for one in _walked(root, folder))


def of_node(files: Iterable[Listed], output: str, rank: int, since: float) -> Iterator[Listed]:
    """Those that one of several nodes wrote; before a restart each node gets the files of all.

    Args:
        output: The folder whose `node-N` are the other nodes' and what else is in it the first node's.
        since: In other folders, what has changed since then is the node's.
    """
    others, own = output + "/node-", "{}/node-{}/".format(output, rank) if rank else output + "/"
    for one in files:
        if one.path.startswith(others) and not (rank and one.path.startswith(own)):
            continue
        if one.path.startswith(own) or one.changed_at >= since:
            yield one


def rows(root: str, files: Iterable[Listed], is_over: Optional[Callable[[], bool]] = None) -> List[Dict[str, Any]]:
    """The list as JSON; `sha256` is None for what could not be read.

    Args: `is_over`, whether there is no time for more; None: there is none for any.
    """
    return [
        {
            "path": one.path,
            "bytes": one.bytes,
            "modified_at": one.modified_at,
            "sha256": _sha256(os.path.join(root, one.path), is_over) if is_over else None,
        }
        for one in files
    ]


def _walked(root: str, folder: str) -> Iterator[Listed]:
    for where, _, names in os.walk(os.path.join(root, folder)):
        for name in names:
            path = os.path.join(where, name)
            try:
                seen = os.lstat(path)
            except OSError:  # what is left of the script's processes removed it
                continue
            if stat.S_ISREG(seen.st_mode):
                yield Listed(os.path.relpath(path, root), seen.st_size, seen.st_mtime, seen.st_ctime)


def _sha256(path: str, is_over: Callable[[], bool]) -> Optional[str]:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while not is_over():
                piece = file.read(PIECE_BYTES)
                if not piece:
                    return digest.hexdigest()
                digest.update(piece)
    except OSError:
        return None
    return None
