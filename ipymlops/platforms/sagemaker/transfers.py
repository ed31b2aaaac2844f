"""One object of S3 to one file: in parallel parts, going on where an earlier try broke off, checked, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_not_found

PART_BYTES = 8 << 20
AT_ONCE = 8
TRIES = 5


@dataclass(frozen=True)
class Source:
    """An object; `etag` as the service gives it, with its quotes."""

    s3: Any
    bucket: str
    key: str
    size: int
    etag: str

    @property
    def name(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def part(self, start: int, end: int) -> bytes:
        """Bytes from `start` to before `end`, of this very content. Raises `PlatformProblem` if it has changed."""
        asked = {"Bucket": self.bucket, "Key": self.key, "IfMatch": self.etag}
        got = b""
        with answers(f"{self.name} cannot be fetched"):
            for _ in range(TRIES):
                try:
                    reply = self.s3.get_object(**asked, Range=f"bytes={start + len(got)}-{end - 1}")
                    got += _read(reply["Body"])
                except ClientError as error:
                    if code_of(error) == "PreconditionFailed":
                        raise _changed(self) from error
                    raise
                if len(got) == end - start:
                    return got
        raise PlatformProblem(f"{self.name} cannot be fetched: the connection breaks off", fix="run the line again")


def source_of(s3: Any, bucket: str, key: str) -> Source | None:
    """The object as it is now; None if there is none."""
    with answers(f"s3://{bucket}/{key} cannot be looked at"):
        try:
            head = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_not_found(error):
                return None
            raise
    return Source(s3, bucket, key, head["ContentLength"], head["ETag"])


def download(source: Source, to: Path, *, sha256: str | None = None) -> None:
    """Write the object to `to`, whole or not at all; what a broken try has is used by the next one.

    Args:
        sha256: What the content must have, where that is known.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.part"[-200:])
    journal = part.with_suffix(".parts")
    done = _done(journal, part, source.etag)
    with part.open("r+b" if part.exists() else "w+b") as file:
        file.truncate(source.size)
        _fill(source, file.fileno(), journal, done)
    _check(source, part, sha256, journal)
    part.replace(to)
    journal.unlink(missing_ok=True)


def _fill(source: Source, file: int, journal: Path, done: set[int]) -> None:
    todo = [start for start in range(0, source.size, PART_BYTES) if start not in done]
    with journal.open("a", encoding="ascii") as written, ThreadPoolExecutor(AT_ONCE) as pool:
        written.write(json.dumps(source.etag) + "\n")
        try:
            for start, content in pool.map(lambda start: (start, _one(source, start)), todo):
                os.pwrite(file, content, start)
                written.write(f"{start}\n")
                written.flush()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one(source: Source, start: int) -> bytes:
    return source.part(start, min(source.size, start + PART_BYTES))


def _done(journal: Path, part: Path, etag: str) -> set[int]:
    """The parts that an earlier try has written of the same content; begins anew for another."""
    rows = list(_rows(journal)) if part.exists() else []
    if rows and all(row == etag for row in rows if isinstance(row, str)):
        return {row for row in rows if isinstance(row, int)}
    part.unlink(missing_ok=True)
    journal.unlink(missing_ok=True)
    return set()


def _rows(journal: Path) -> Iterator[object]:
    try:
        for line in journal.read_text(encoding="ascii").splitlines():
            yield json.loads(line)
    except (OSError, ValueError):
        return


def _check(source: Source, part: Path, sha256: str | None, journal: Path) -> None:
    if sha256 is None or digest_of(part, "sha256") == sha256:
        return
    part.unlink()
    journal.unlink(missing_ok=True)
    raise PlatformProblem(
        f"{source.name} is not what the job wrote",
        why=f"its SHA-256 is not {sha256}, which the job's manifest has",
        fix="run the line again",
    )


def digest_of(file: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _changed(source: Source) -> PlatformProblem:
    return PlatformProblem(
        f"{source.name} changed while it was fetched", why="the job still writes it", fix="run the line again"
    )


def _read(body: Any) -> bytes:
    """What comes of an answer; a connection that breaks off gives what came before."""
    pieces: list[bytes] = []
    try:
        pieces.extend(iter(lambda: body.read(1 << 18), b""))
    except (BotoCoreError, OSError):
        pass  # the rest is asked for
    finally:
        body.close()
    return b"".join(pieces)
