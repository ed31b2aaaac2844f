"""Which file system a path is on, as Linux says."""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smbfs", "smb3", "9p", "afs", "ceph", "lustre", "glusterfs", "beegfs"})
"""EFS is nfs4. File systems in user space (`fuse.*`) count as network too: most bring no shared memory map."""

MOUNTS = Path("/proc/self/mountinfo")


def can_share_memory(kind: str) -> bool:
    """Whether several machines' or processes' maps of one file agree there, as SQLite's WAL needs."""
    return kind not in NETWORK and not kind.startswith("fuse")


def filesystem_of(path: Path, mounts: str | None = None) -> str:
    """The type of the file system that holds the absolute `path`; "" where it is not known.

    Args:
        mounts: The text of /proc/self/mountinfo; None reads it.
    """
    if mounts is None:
        mounts = MOUNTS.read_text(errors="surrogateescape") if MOUNTS.exists() else ""
    holders = [(point, kind) for point, kind in map(_mount, mounts.splitlines()) if _is_below(path, point)]
    longest = max((len(point) for point, _ in holders), default=0)
    return next((kind for point, kind in reversed(holders) if len(point) == longest), "")


def _mount(line: str) -> tuple[str, str]:
    """Mount point and type: the fifth field, and the one after the lone hyphen."""
    before, _, after = line.partition(" - ")
    point = (before.split(" ") + [""] * 5)[4]
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point), after.split(" ", 1)[0]


def _is_below(path: Path, point: str) -> bool:
    return point.startswith("/") and path.is_relative_to(point)
