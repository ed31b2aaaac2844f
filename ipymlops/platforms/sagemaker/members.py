"""Single files of a `tar.gz` in S3: read as a stream, and no further than the file that was asked for."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.problems import answers

PIECE_BYTES = 1 << 20
SMALL_BYTES = 16 << 20
MOST_MEMBERS = 100_000
MOST_RATIO = 2_000
"""An archive that grows more than that was made to fill a disk."""


@dataclass(frozen=True)
class Member:
    """A regular file of an archive."""

    path: str
    bytes: int
    modified_at: float


class Archive:
    """A `tar.gz` object. What was learnt of its members is kept in `cache`, by its ETag."""

    def __init__(self, s3: Any, bucket: str, key: str, size: int, etag: str, cache: Path) -> None:  # noqa: PLR0917
        self.bytes = size
        self._s3, self._bucket, self._key, self._etag = s3, bucket, key, etag
        name = hashlib.sha256(f"{bucket}/{key}@{etag}".encode()).hexdigest()[:32]
        self._index = cache / f"archive-{name}.json"

    def members(self) -> list[Member]:
        """All of them; the first time that reads the whole archive."""
        known = self._known()
        if known is not None:
            return known
        found = [self._member(one) for one in self._walked() if one.isreg()]
        self._keep(found)
        return found

    def read(self, path: str) -> bytes | None:
        """The content of a small member."""
        with self._opened() as tar:
            for one in self._safe(tar):
                if _plain(one.name) == path and one.isreg() and one.size <= SMALL_BYTES:
                    file = tar.extractfile(one)
                    return file.read() if file else None
        return None

    def copy(self, path: str, to: IO[bytes]) -> bool:
        """Write a member's content; False if there is none of that path."""
        with self._opened() as tar:
            for one in self._safe(tar):
                if _plain(one.name) == path and one.isreg():
                    file = tar.extractfile(one)
                    while file and (piece := file.read(PIECE_BYTES)):
                        to.write(piece)
                    return True
        return False

    def _walked(self) -> Iterator[tarfile.TarInfo]:
        with self._opened() as tar:
            yield from self._safe(tar)

    def _safe(self, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        total = 0
        for number, one in enumerate(tar):
            total += one.size
            if number > MOST_MEMBERS or total > MOST_RATIO * max(self.bytes, PIECE_BYTES):
                what = f"s3://{self._bucket}/{self._key} holds more than an honest archive of its size"
                raise PlatformProblem(what, fix=f"aws s3 cp s3://{self._bucket}/{self._key} .")
            yield one

    def _member(self, one: tarfile.TarInfo) -> Member:
        return Member(_plain(one.name), one.size, float(one.mtime))

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        """As a stream: when it is closed, the rest is not transferred."""
        with answers(f"s3://{self._bucket}/{self._key} cannot be read"):
            body = self._s3.get_object(Bucket=self._bucket, Key=self._key, IfMatch=self._etag)["Body"]
        try:
            with tarfile.open(fileobj=io.BufferedReader(_Raw(body), PIECE_BYTES), mode="r|gz") as tar:
                yield tar
        except (tarfile.TarError, EOFError, OSError) as problem:
            what = f"s3://{self._bucket}/{self._key} is damaged, or the connection broke off"
            raise PlatformProblem(what, why=str(problem), fix="run the line again") from problem
        finally:
            body.close()

    def _known(self) -> list[Member] | None:
        try:
            return [Member(*row) for row in json.loads(self._index.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            return None

    def _keep(self, members: list[Member]) -> None:
        self._index.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._index.with_suffix(f".{os.getpid()}.part")
        rows = [[one.path, one.bytes, one.modified_at] for one in members]
        unfinished.write_text(json.dumps(rows), encoding="ascii")
        unfinished.replace(self._index)


class _Raw(io.RawIOBase):
    """botocore's stream, for a buffered reader."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _plain(name: str) -> str:
    return name.removeprefix("./")
