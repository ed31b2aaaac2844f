"""The temporary index: a copy of the user's, and what git sees when it compares it with the work tree."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ipymlops.source.git import Git
from ipymlops.source.repository import Repository

GITLINK = b"160000"
SYMLINK = b"120000"

Entry = tuple[bytes, bytes]
"""Mode and object id."""
Entries = dict[bytes, Entry]


@dataclass(frozen=True)
class Listing:
    """The index: every path (for a conflict one of its sides), and those whose changes git was told not to look for."""

    entries: Entries
    assumed_unchanged: list[bytes]
    skipped: list[bytes]


@dataclass
class Status:
    """What `git status` says.

    Attributes:
        heads: For each path that differs from HEAD in the index or in the work tree, its entry in HEAD (None: new).
        edited: Paths whose file is not what the index holds.
        deleted: Paths whose file is gone.
        ignored: Untracked and ignored; a whole folder ends in `/`.
        nested: Folders that are repositories of their own and no submodules.
    """

    commit: str | None = None
    branch: str | None = None
    heads: dict[bytes, Entry | None] = field(default_factory=dict)
    edited: set[bytes] = field(default_factory=set)
    deleted: set[bytes] = field(default_factory=set)
    ignored: list[bytes] = field(default_factory=list)
    nested: list[bytes] = field(default_factory=list)


def copied_index(repository: Repository, scratch: Path) -> Path:
    """A copy with its cache of file times and its own time.

    By the latter git knows which entries are too fresh to be trusted: a later one would hide edits of that second.
    """
    copy = scratch / "index"
    source = repository.git_dir / "index"
    if source.exists():
        shutil.copy2(source, copy)
    return copy


def read_index(git: Git) -> Listing:
    entries: Entries = {}
    assumed, skipped = [], []
    for row in git.fields("ls-files", "-s", "-v", "-z"):
        tab = row.index(b"\t")
        path = row[tab + 1 :]
        entries[path] = (row[2:8], row[9 : tab - 2])
        tag = row[:1]
        if tag == b"H":
            continue
        if tag.islower():
            assumed.append(path)
        if tag in b"Ss":
            skipped.append(path)
    return Listing(entries, assumed, skipped)


def look_at_everything(git: Git, root: Path, listing: Listing) -> None:
    """Take back, in the copy, the marks that hide edits; files that a sparse checkout left out stay as they are."""
    top = os.fsencode(root)
    present = [path for path in listing.skipped if os.path.lexists(top + b"/" + path)]
    for option, paths in (("--no-assume-unchanged", listing.assumed_unchanged), ("--no-skip-worktree", present)):
        if paths:
            git.run("update-index", "-z", option, "--stdin", stdin=terminated(paths))


def read_status(git: Git, excludes: tuple[str, str]) -> Status:
    """Compare index, HEAD and work tree; no filter runs, so a file with one may be called edited that is not."""
    looking = replace(git, settings=(*git.settings, excludes))
    rows = looking.fields(
        "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignored=matching",
        "--no-renames", "--ignore-submodules=all",
    )  # fmt: skip
    status = Status()
    for row in rows:
        _READERS[row[:1]](status, row)
    return status


def remove(git: Git, paths: Iterable[bytes]) -> None:
    asked = terminated(paths)
    if asked:
        git.run("update-index", "--force-remove", "-z", "--stdin", stdin=asked)


def add_files(git: Git, paths: Iterable[bytes]) -> None:
    """Store the files as git would (line ends, the user's filters) and enter them."""
    asked = terminated(paths)
    if asked:
        git.run("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=asked)


def add_entries(git: Git, entries: Mapping[bytes, Entry]) -> None:
    asked = b"".join(b"%s %s\t%s\0" % (mode, oid, path) for path, (mode, oid) in entries.items())
    if asked:
        git.run("update-index", "-z", "--index-info", stdin=asked)


def terminated(paths: Iterable[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in sorted(paths))


def _header(status: Status, row: bytes) -> None:
    _, name, value = row.split(b" ", 2)
    if name == b"branch.oid":
        status.commit = None if value == b"(initial)" else value.decode()
    if name == b"branch.head":
        status.branch = None if value == b"(detached)" else value.decode(errors="surrogateescape")


def _changed(status: Status, row: bytes) -> None:
    """`1 XY sub mHEAD mINDEX mFILE idHEAD idINDEX path`."""
    _, xy, _, head_mode, _, _, head, _, path = row.split(b" ", 8)
    status.heads[path] = None if head_mode == b"000000" else (head_mode, head)
    if xy[1:] == b"D":
        status.deleted.add(path)
    elif xy[1:] != b".":
        status.edited.add(path)


def _unmerged(status: Status, row: bytes) -> None:
    """`u XY sub m1 m2 m3 mFILE id1 id2 id3 path`: a conflict; stage 2 is HEAD's, the file has the markers."""
    _, _, _, _, mode, _, file_mode, _, head, _, path = row.split(b" ", 10)
    status.heads[path] = None if mode == b"000000" else (mode, head)
    (status.deleted if file_mode == b"000000" else status.edited).add(path)


def _untracked(status: Status, row: bytes) -> None:
    path = row[2:]
    if path.endswith(b"/"):
        status.nested.append(path[:-1])
    else:
        status.heads[path] = None
        status.edited.add(path)


def _ignored(status: Status, row: bytes) -> None:
    status.ignored.append(row[2:])


_READERS = {b"#": _header, b"1": _changed, b"u": _unmerged, b"?": _untracked, b"!": _ignored}
