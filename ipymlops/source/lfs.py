"""Git LFS without its program: pointers are read and written here, objects are found where git-lfs puts them."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ipymlops.source.repository import repository_at

LARGEST_POINTER = 1024
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n?\Z"
)


@dataclass(frozen=True)
class Pointer:
    """What git stores in place of a big file: its SHA-256 and its size in bytes."""

    oid: str
    size: int

    def text(self) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.oid}\nsize {self.size}\n".encode()

    def object_in(self, git_dir: Path) -> Path | None:
        """The whole file, if it has been fetched."""
        place = git_dir / "lfs" / "objects" / self.oid[:2] / self.oid[2:4] / self.oid
        try:
            return place if place.stat().st_size == self.size else None
        except OSError:
            return None


def parse(content: bytes) -> Pointer | None:
    found = _POINTER.match(content) if len(content) <= LARGEST_POINTER else None
    return Pointer(found[1].decode(), int(found[2])) if found else None


def pointer_of(file: Path) -> Pointer | None:
    """The pointer that stands for a file's content; None if the file is itself a pointer."""
    digest, count = hashlib.sha256(), 0
    with file.open("rb") as stream:
        first = stream.read(LARGEST_POINTER + 1)
        if parse(first):
            return None
        while first:
            digest.update(first)
            count += len(first)
            first = stream.read(1 << 20)
    return Pointer(digest.hexdigest(), count)


def find_object(pointer: Pointer, git_dir: Path, root: Path, path: bytes) -> Path | None:
    """The object of a pointer at `path` below `root`.

    It is looked for in the git folder itself, in those it borrows objects from, and in the repositories (submodules,
    embedded ones) that lie between `root` and the file.
    """
    for place in (git_dir, *_borrowed(git_dir), *_inner(root, path)):
        found = pointer.object_in(place)
        if found:
            return found
    return None


def _borrowed(git_dir: Path) -> list[Path]:
    alternates = git_dir / "objects" / "info" / "alternates"
    try:
        lines = alternates.read_bytes().split(b"\n")
    except OSError:
        return []
    return [Path(os.fsdecode(line)).parent for line in lines if line.startswith(b"/")]


def _inner(root: Path, path: bytes) -> list[Path]:
    places = []
    folder = root
    for part in path.split(b"/")[:-1]:
        folder = folder / os.fsdecode(part)
        repository = repository_at(folder)
        if repository:
            places.append(repository.common_dir)
    return places
