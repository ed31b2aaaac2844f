"""Single files of a `tar.gz` in S3: read as a stream, and no further than the file that was asked for."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.kept import KeptStream, make_room
from ipymlops.platforms.sagemaker.transfers import Progress, Source, nobody

PIECE_BYTES = 1 << 20
SMALL_BYTES = 16 << 20
BUFFER_BYTES = 64 << 10
MOST_MEMBERS = 100_000
MOST_BYTES, MOST_RATIO = 1 << 30, 200
"""An archive that grows to more than both was made to fill a disk."""


class NoArchive(PlatformProblem):
    """What is there is no archive that an honest tool has made."""


@dataclass(frozen=True)
class Member:
    """A regular file of an archive."""

    path: str
    bytes: int
    modified_at: float


class Archive:
    """A `tar.gz` object. What was read of it is kept in `cache` by its ETag, and what was learnt of its members."""

    def __init__(self, source: Source, cache: Path) -> None:
        self.bytes = source.size
        self._source = source
        name = hashlib.sha256(f"{source.name}@{source.etag}".encode()).hexdigest()[:32]
        self._index, self._kept = cache / f"{name}.json", cache / f"{name}.begin"

    def known(self) -> list[Member] | None:
        """All members, if they have been read; asks nobody."""
        try:
            return [Member(str(path), int(size), float(at)) for path, size, at in json.loads(self._index.read_bytes())]
        except (OSError, ValueError, TypeError):
            return None

    def members(self) -> list[Member]:
        """All of them; the first time that reads the whole archive."""
        found = self.known()
        if found is None and not self.bytes:
            return []
        if found is None:
            with self._opened(nobody) as tar:
                found = [Member(_plain(one.name), one.size, float(one.mtime)) for one in self._safe(tar)]
            self._keep(found)
        return found

    def read(self, path: str) -> bytes | None:
        """The content of a small member."""
        buffer = io.BytesIO()
        return buffer.getvalue() if self.copy(path, buffer, most_bytes=SMALL_BYTES) else None

    def copy(self, path: str, to: IO[bytes], progress: Progress = nobody, *, most_bytes: int | None = None) -> bool:
        """Write a member's content; False if there is none of that path (or only a larger one)."""
        known = self.known() if self.bytes else []
        if known is not None and path not in {one.path for one in known}:
            return False
        with self._opened(progress) as tar:
            for one in self._safe(tar):
                if _plain(one.name) == path:
                    return (most_bytes is None or one.size <= most_bytes) and _copied(tar, one, to)
        return False

    def _safe(self, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """The regular files: links and devices are passed over."""
        total = 0
        for number, one in enumerate(tar):
            total += one.size
            if number > MOST_MEMBERS or total > max(MOST_BYTES, MOST_RATIO * self.bytes):
                why = f"{number} files, and {total} bytes of {self.bytes}: it was made to fill a disk"
                fix = f"aws s3 cp {self._source.name} ."
                what = f"{self._source.name} holds more than an honest archive of its size"
                raise NoArchive(what, why=why, fix=fix)
            if one.isreg():
                yield one

    @contextmanager
    def _opened(self, progress: Progress) -> Iterator[tarfile.TarFile]:
        """As a stream: what comes after the last member that is read is not fetched."""
        make_room(self._kept.parent)
        with KeptStream(self._source, self._kept, progress) as stream:
            try:
                file = io.BufferedReader(stream, BUFFER_BYTES)
                with tarfile.open(fileobj=file, mode="r|gz", bufsize=BUFFER_BYTES) as tar:
                    yield tar
            except (tarfile.TarError, EOFError, zlib.error) as problem:
                self._kept.unlink(missing_ok=True)
                what = f"{self._source.name} is no whole tar.gz"
                raise NoArchive(what, why=str(problem), fix=f"aws s3 cp {self._source.name} .") from problem

    def _keep(self, members: list[Member]) -> None:
        self._index.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._index.with_suffix(f".{os.getpid()}.part")
        rows = [[one.path, one.bytes, one.modified_at] for one in members]
        unfinished.write_text(json.dumps(rows), encoding="ascii")
        unfinished.replace(self._index)


def _copied(tar: tarfile.TarFile, one: tarfile.TarInfo, to: IO[bytes]) -> bool:
    file = tar.extractfile(one)
    while file and (piece := file.read(PIECE_BYTES)):
        to.write(piece)
    return file is not None


def _plain(name: str) -> str:
    return name.removeprefix("./")
