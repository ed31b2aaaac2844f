"""Reading a snapshot again: its files, a copy of it, what differs between two."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ipymlops.errors import SourceProblem
from ipymlops.source import lfs
from ipymlops.source.git import Git, find_git
from ipymlops.source.index import GITLINK, SYMLINK
from ipymlops.source.objects import CHUNK, blobs, sizes
from ipymlops.source.paths import printable, shown
from ipymlops.spec import Snapshot


@dataclass(frozen=True)
class TreeFile:
    """One file of a tree; `path` is raw bytes, for names need not be text."""

    path: bytes
    mode: str
    oid: str

    @property
    def name(self) -> str:
        """The path as text, undecodable bytes as surrogates."""
        return os.fsdecode(self.path)

    @property
    def is_link(self) -> bool:
        return self.mode == SYMLINK.decode()

    @property
    def is_executable(self) -> bool:
        return self.mode == "100755"


class Content(Protocol):
    """A file's content: its size, and once its bytes in pieces."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class FileContent:
    """A content that is read from a file of a known size (an LFS object)."""

    path: Path
    size: int

    def chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk


@dataclass(frozen=True)
class BytesContent:
    """A small content that has been read already."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        yield self.data


def files(snapshot_tree: str, git_dir: Path | str) -> Iterator[TreeFile]:
    """The files of a tree, sorted by path as bytes."""
    git = Git(find_git(), Path(git_dir))
    for row in sorted(git.fields("ls-tree", "-r", "-z", "--full-tree", snapshot_tree), key=_path_of):
        mode, _, oid = row.partition(b"\t")[0].split()
        if mode != GITLINK:
            yield TreeFile(_path_of(row), mode.decode(), oid.decode())


def is_kept(taken: Snapshot) -> bool:
    """Whether the snapshot can still be read: old ones are pruned, and repositories go away."""
    git_dir = Path(taken.git_dir)
    return git_dir.is_dir() and bool(sizes(Git(find_git(), git_dir), [taken.tree.encode()]))


def holds(taken: Snapshot, path: str) -> bool:
    """Whether the snapshot has a file at `path` (POSIX, below its root): one that is ignored is not in it."""
    if not path:
        return False
    git = Git(find_git(), Path(taken.git_dir))
    rows = git.fields("ls-tree", "-z", "--full-tree", taken.tree, "--", os.fsencode(path))
    return any(row.split(b" ", 2)[1] == b"blob" for row in rows)


def contents(taken: Snapshot) -> Iterator[tuple[TreeFile, Content, lfs.Pointer | None]]:
    """Each file with its content, to be used before the next one is asked for.

    An LFS pointer gives way to its file where that has been fetched; where it has not, the pointer comes with it.
    """
    git = Git(find_git(), Path(taken.git_dir))
    listed = list(files(taken.tree, taken.git_dir))
    with closing(blobs(git, [file.oid.encode() for file in listed])) as stored:
        for file, blob in zip(listed, stored, strict=True):
            if file.is_link or blob.size > lfs.LARGEST_POINTER:
                yield file, blob, None
                continue
            data = blob.content()
            pointer = lfs.parse(data)
            found = lfs.find_object(pointer, Path(taken.git_dir), Path(taken.root), file.path) if pointer else None
            if pointer and found:
                yield file, FileContent(found, pointer.size), None
            else:
                yield file, BytesContent(data), pointer


def checkout(taken: Snapshot, to: Path) -> int:
    """Write the snapshot's files, exec bits and links into `to`, which must be absent or empty; how many there are.

    The folder appears whole or not at all.
    """
    place = Path.cwd() / to
    if place.is_symlink() or (place.exists() and (not place.is_dir() or any(place.iterdir()))):
        raise SourceProblem(
            f"{place} is there and not empty",
            why="a checkout never overwrites anything",
            fix=f"mv '{place}' '{place}.old'",
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    except OSError as error:
        raise _unwritable(place, error) from error
    try:
        count = _write_files(taken, half)
        half.chmod(0o777 & ~_umask())
        half.rename(place)
    except OSError as error:
        raise _unwritable(place, error) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return count


def diff(
    git_dir: Path | str,
    tree_a: str,
    tree_b: str,
    *names: str,
    labels: tuple[str, str] = ("a", "b"),
    also: Sequence[Path | str] = (),
) -> list[str]:
    """The unified diff of two trees, a line each, without newlines at their ends.

    Args:
        names: Only these paths; all if there are none.
        labels: What stands before the paths of either side.
        also: More git folders to find objects in, where the trees are of two.
    """
    alternates = tuple(Path(place) / "objects" for place in also)
    git = Git(find_git(), Path(git_dir), alternates=alternates)
    sides = [f"--src-prefix={labels[0]}/", f"--dst-prefix={labels[1]}/"]
    paths = [os.fsencode(f":(top,literal){name}") for name in names]
    words = ["diff-tree", "-r", "-p", "-M", "--no-color", "--no-ext-diff", "--no-textconv", *sides, tree_a, tree_b]
    text = git.run(*words, "--", *paths).decode(errors="surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def changed_paths(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The paths that differ. Raises `SourceProblem` where the objects of `before` are gone."""
    if before.tree == after.tree:
        return ()
    also = () if before.git_dir == after.git_dir else (Path(before.git_dir) / "objects",)
    git = Git(find_git(), Path(after.git_dir), alternates=also)
    rows = git.fields("diff-tree", "-r", "-z", "--no-renames", "--name-only", before.tree, after.tree)
    return tuple(map(shown, rows))


def _path_of(row: bytes) -> bytes:
    return row.partition(b"\t")[2]


def _write_files(taken: Snapshot, root: Path) -> int:
    """Links last: then no path can lead through one."""
    top = os.fsencode(root)
    links = []
    count = 0
    for file, content, _ in contents(taken):
        if not {b"", b".", b"..", b".git"}.isdisjoint(file.path.split(b"/")):
            raise SourceProblem(f"the snapshot has a file that must not be written: {printable(file.path)}")
        place = os.path.join(top, file.path)  # noqa: PTH118 - bytes
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
        count += 1
        if file.is_link:
            links.append((place, b"".join(content.chunks())))
            continue
        mode = 0o777 if file.is_executable else 0o666
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.writelines(content.chunks())
    for place, target in links:
        os.symlink(target, place)  # noqa: PTH211
    return count


def _unwritable(place: Path, error: OSError) -> SourceProblem:
    return SourceProblem(
        f"{place} could not be written", why=error.strerror or str(error), fix=f"df -h '{place.parent}'"
    )


def _umask() -> int:
    """The process has one umask, and no other way to read it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
