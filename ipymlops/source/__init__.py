"""A repository → a snapshot of its code as it stands, and the archive that travels."""

from ipymlops.source.archive import is_packed, pack, prune_archives
from ipymlops.source.capture import relative_folder, root_of, snapshot
from ipymlops.source.read import changed_paths, checkout, diff, files, holds, is_kept
from ipymlops.source.refs import keep, prune

__all__ = [
    "changed_paths",
    "checkout",
    "diff",
    "files",
    "holds",
    "is_kept",
    "is_packed",
    "keep",
    "pack",
    "prune",
    "prune_archives",
    "relative_folder",
    "root_of",
    "snapshot",
]
