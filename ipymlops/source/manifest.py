"""What a snapshot says of itself: sizes, what was left out by which rule, what to be warned of."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ipymlops.source.gather import unreadable_problem
from ipymlops.source.git import Git
from ipymlops.source.index import SYMLINK, Entries
from ipymlops.source.objects import blobs, sizes
from ipymlops.source.paths import ignore_line, printable, shown
from ipymlops.spec import LeftOut
from ipymlops.units import size

LARGE = 50_000_000
"""Bytes of code above which the biggest files are named."""

NAMED = 10
MOST_ROWS = 200
MOST_COUNTED = 5000
"""Files of ignored folders whose size is asked for, all folders together: a few milliseconds, however big they are."""

SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass
class Walked:
    """The work tree without its ignored folders: sizes of files, what is no file, folders with nothing in them."""

    sizes: dict[bytes, int] = field(default_factory=dict)
    special: dict[bytes, str] = field(default_factory=dict)
    empty: list[bytes] = field(default_factory=list)


def walk(root: Path, skipped: Collection[bytes]) -> Walked:
    """Look at every file once, below no folder of `skipped` and in no `.git`."""
    walked = Walked()
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(os.fsencode(root), folder)) as entries:  # noqa: PTH118 - bytes
                below = _look_at(entries, folder, skipped, walked)
        except PermissionError as error:
            raise unreadable_problem(root, [folder]) from error
        except (FileNotFoundError, NotADirectoryError):  # it went while we walked
            continue
        waiting += below
    return walked


def entry_sizes(git: Git, entries: Entries, walked: Walked, stored: Collection[bytes]) -> dict[bytes, int]:
    """Bytes of each file that is sent: as on disk, or as stored where `stored` says so or the disk does not have it."""
    ask = {path: oid for path, (_, oid) in entries.items() if path in stored or path not in walked.sizes}
    known = sizes(git, ask.values())
    return {path: known.get(ask[path], 0) if path in ask else walked.sizes[path] for path in entries}


def left_out_rows(root: Path, rules: Mapping[bytes, str], walked: Walked) -> tuple[list[LeftOut], list[str]]:
    """The rows, biggest first, and a warning if there are more than fit.

    A folder's size is the sum of its files as long as they are few (`MOST_COUNTED` for all folders); where counting
    was cut short the rule says so, and the size is what was counted.
    """
    folders = [path for path in rules if path.endswith(b"/")]
    share = max(20, MOST_COUNTED // max(1, len(folders)))
    rows = []
    for path, rule in rules.items():
        if path.endswith(b"/"):
            count, is_whole = folder_size(root / shown(path), share)
            rows.append(LeftOut(shown(path), count, rule if is_whole else f"{rule} (this size or more)"))
        else:
            rows.append(LeftOut(shown(path), walked.sizes.get(path, 0), rule))
    rows += [LeftOut(shown(path), 0, f"{kind}, not a file") for path, kind in walked.special.items()]
    rows += [LeftOut(shown(path) + "/", 0, "an empty folder: git keeps none") for path in walked.empty]
    rows.sort(key=lambda row: (-row.bytes, row.path))
    if len(rows) <= MOST_ROWS:
        return rows, []
    rest = rows[MOST_ROWS:]
    return rows[:MOST_ROWS], [f"{len(rest)} more paths were left out, {size(sum(row.bytes for row in rest))} together"]


def folder_size(folder: Path, most: int) -> tuple[int, bool]:
    """The bytes of a folder's files, and whether all were counted; after `most` entries it stops."""
    total = 0
    waiting = deque([str(folder)])
    while waiting:
        for entry in _entries(waiting.popleft()):
            if most <= 0:
                return total, False
            most -= 1
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                with contextlib.suppress(OSError):  # gone
                    total += entry.stat(follow_symlinks=False).st_size
    return total, True


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What a folder holds, nothing if it is gone or not ours to read: it is only for a size."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def size_warning(counts: Mapping[bytes, int]) -> list[str]:
    """Above `LARGE`: the biggest files and the line that leaves them out."""
    total = sum(counts.values())
    if total <= LARGE:
        return []
    biggest = sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:NAMED]
    named = ", ".join(f"{printable(path)} ({size(count)})" for path, count in biggest)
    lines = " ".join(shlex.quote(ignore_line(path)) for path, _ in biggest)
    said = (
        f"the code is {size(total)}, more than {size(LARGE)}; the biggest: {named}; "
        f"to leave these out: printf '%s\\n' {lines} >> .ipymlopsignore"
    )
    return [said]


def link_warnings(git: Git, entries: Entries) -> list[str]:
    """Links that lead out of the tree: they are sent as links, and lead nowhere on another machine."""
    links = {path: oid for path, (mode, oid) in entries.items() if mode == SYMLINK}
    targets = {blob.oid: blob.content() for blob in blobs(git, sorted(set(links.values())))} if links else {}
    out = [(path, targets[oid]) for path, oid in links.items() if _leads_out(path, targets[oid])]
    return [
        f"{printable(path)} is a link out of the tree ({printable(target)}): it is sent as a link, not its file"
        for path, target in sorted(out)
    ]


def _leads_out(path: bytes, target: bytes) -> bool:
    if target.startswith(b"/"):
        return True
    place = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120 - bytes
    return place == b".." or place.startswith(b"../")


def _look_at(
    entries: Iterable[os.DirEntry[bytes]], folder: bytes, skipped: Collection[bytes], walked: Walked
) -> list[bytes]:
    """Sort one folder's entries; the folders to go on with."""
    below = []
    is_empty = True
    start = folder + b"/" if folder else b""
    for entry in entries:
        is_empty = False
        path = start + entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name != b".git" and path not in skipped:
                below.append(path)
            continue
        found = entry.stat(follow_symlinks=False)
        kind = stat.S_IFMT(found.st_mode)
        if kind in SPECIAL:
            walked.special[path] = SPECIAL[kind]
        else:
            walked.sizes[path] = found.st_size
    if is_empty and folder:
        walked.empty.append(folder)
    return below
