"""A snapshot as one uncompressed tar: the same bytes for the same tree, wherever and however often it is packed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ipymlops.errors import SourceProblem
from ipymlops.source import lfs, tar
from ipymlops.source.read import Content, TreeFile, contents
from ipymlops.spec import CodeArchive, Snapshot

DAY_S = 86_400


def pack(taken: Snapshot, folder: Path) -> CodeArchive:
    """Write `<folder>/<tree>.tar`, or give back the one that is there.

    Files come from git's objects, so attributes that alter `git archive` (export-subst, export-ignore) do not count.
    LFS files are put in where they have been fetched. The archive appears whole or not at all; memory stays flat.

    Raises: `SourceProblem` if it cannot be written (disk full), with nothing left behind.
    """
    path, note = _places(taken, folder)
    kept = _kept(taken, path, note)
    if kept:
        for place in (path, note):
            with contextlib.suppress(OSError):  # its age is only for `prune_archives`
                os.utime(place)
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        said = _write(taken, path)
        with _whole_or_nothing(note) as half:
            half.write_text(json.dumps(said))
    except OSError as error:
        raise SourceProblem(
            f"the code could not be packed into {folder}",
            why=error.strerror or str(error),
            fix=f"df -h '{folder}'   # make room, then run the line again",
        ) from error
    return _archive(taken, path, said)


def prune_archives(folder: Path, older_than_days: float) -> list[str]:
    """Remove what `pack` left in the folder and nobody has used for so long; the names of the files that went.

    A job's own link to an archive stays. What a killed `pack` left half-written goes too.
    """
    before = time.time() - older_than_days * DAY_S
    old = [place for place in folder.iterdir() if place.lstat().st_mtime < before] if folder.is_dir() else []
    for place in old:
        place.unlink(missing_ok=True)
    return [place.name for place in old]


def is_packed(taken: Snapshot, folder: Path) -> bool:
    """Whether `pack` would only give back what is there."""
    return _kept(taken, *_places(taken, folder)) is not None


def _places(taken: Snapshot, folder: Path) -> tuple[Path, Path]:
    """The archive, and the note of what it holds."""
    return folder / f"{taken.tree}.tar", folder / f"{taken.tree}.tar.json"


def _kept(taken: Snapshot, path: Path, note: Path) -> CodeArchive | None:
    """The archive that is there, if it is whole and no LFS file that it lacks has been fetched since."""
    try:
        said = json.loads(note.read_bytes())
        if path.stat().st_size != said["bytes"]:
            return None
        missing = [(os.fsencode(name), lfs.Pointer(oid, count)) for name, oid, count in said["missing_lfs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    git_dir, root = Path(taken.git_dir), Path(taken.root)
    if any(lfs.find_object(pointer, git_dir, root, name) for name, pointer in missing):
        return None
    return _archive(taken, path, said)


def _archive(taken: Snapshot, path: Path, said: dict[str, Any]) -> CodeArchive:
    return CodeArchive(taken.tree, path, said["sha256"], said["bytes"], commit=taken.commit, root=taken.root)


def _write(taken: Snapshot, path: Path) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    missing: list[tuple[str, str, int]] = []
    with _whole_or_nothing(path) as half, half.open("wb", buffering=1 << 20) as out:
        for piece in _pieces(taken, missing):
            out.write(piece)
            digest.update(piece)
            count += len(piece)
    return {"sha256": digest.hexdigest(), "bytes": count, "missing_lfs": missing}


def _pieces(taken: Snapshot, missing: list[tuple[str, str, int]]) -> Iterator[bytes]:
    """The tar, piece by piece; LFS files that are not there are noted in `missing`."""
    for file, content, pointer in contents(taken):
        if pointer:
            missing.append((file.name, pointer.oid, pointer.size))
        yield from _member(file, content)
    yield tar.END


def _member(file: TreeFile, content: Content) -> Iterator[bytes]:
    if file.is_link:
        target = b"".join(content.chunks())
        yield tar.header(file.path, mode=0o777, size=0, kind=tar.LINK, target=target)
        return
    yield tar.header(file.path, mode=0o755 if file.is_executable else 0o644, size=content.size)
    yield from content.chunks()
    yield tar.padding(content.size)


@contextlib.contextmanager
def _whole_or_nothing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place if all goes well, and is gone otherwise."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    half = Path(name)
    try:
        yield half
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
