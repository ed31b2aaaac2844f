"""Reading objects in bulk, and writing many at once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ipymlops.source.git import Git, GitFailed

CHUNK = 1 << 20
ASKED_AT_ONCE = 500
"""Ids written before the answers are read: 33 kB at most, so that neither end of the pipes waits for the other."""


class Blob:
    """One object's content, read once and in order."""

    def __init__(self, oid: bytes, count: int, stream: BinaryIO) -> None:
        self.oid, self.size = oid, count
        self._stream, self._left = stream, count

    def chunks(self) -> Iterator[bytes]:
        """What is left of the content, in pieces of at most 1 MiB."""
        while self._left:
            chunk = self._stream.read(min(self._left, CHUNK))
            if not chunk:
                raise GitFailed("git stopped in the middle of an object", why=f"{self.oid.decode()} is cut short")
            self._left -= len(chunk)
            yield chunk

    def content(self) -> bytes:
        return b"".join(self.chunks())


def blobs(git: Git, oids: Sequence[bytes]) -> Generator[Blob]:
    """The objects in the order asked; each is used up before the next. Memory stays flat."""
    with git.process("cat-file", "--batch") as running:
        asked, answers = cast("BinaryIO", running.stdin), cast("BinaryIO", running.stdout)
        for start in range(0, len(oids), ASKED_AT_ONCE):
            some = oids[start : start + ASKED_AT_ONCE]
            asked.write(b"".join(oid + b"\n" for oid in some))
            asked.flush()
            for oid in some:
                blob = Blob(oid, _announced(git, oid, answers), answers)
                yield blob
                for _ in blob.chunks():  # what the caller did not want
                    pass
                answers.read(1)  # the newline after each content


def _announced(git: Git, oid: bytes, answers: BinaryIO) -> int:
    """The size git announces before a content."""
    row = answers.readline().split()
    if len(row) != 3:  # noqa: PLR2004 - `ID missing` has two words, a git that died none
        raise GitFailed(
            f"an object of the snapshot is missing: {oid.decode()}",
            why=f"it is no longer in {git.git_dir}",
            fix=f"git -C '{git.git_dir}' fsck",
        )
    return int(row[2])


def sizes(git: Git, oids: Iterable[bytes]) -> dict[bytes, int]:
    """The size of each object that is there."""
    asked = b"".join(oid + b"\n" for oid in set(oids))
    if not asked:
        return {}
    rows = (line.split() for line in git.run("cat-file", "--batch-check", stdin=asked).splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) == 3}  # noqa: PLR2004 - `ID missing` has two


def write_blobs(git: Git, contents: Sequence[bytes]) -> list[bytes]:
    """Store contents as they are; their ids, in order."""
    if not contents:
        return []
    with tempfile.TemporaryDirectory(prefix="ipymlops-") as folder:
        names = [f"blob-{number}" for number in range(len(contents))]
        for name, content in zip(names, contents, strict=True):
            (Path(folder) / name).write_bytes(content)
        asked = "".join(f"{name}\n" for name in names).encode()
        return git.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=asked, cwd=Path(folder)).split()


def blob_id(content: bytes, like: bytes) -> bytes:
    """The id git gives to a content, by the hash that `like` was made with."""
    kind = hashlib.sha256 if len(like) == 64 else hashlib.sha1  # noqa: PLR2004 - the length tells the hash
    return kind(b"blob %d\0" % len(content) + content).hexdigest().encode()
