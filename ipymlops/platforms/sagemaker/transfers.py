"""One object of S3 to one file: in parallel parts, going on where an earlier try broke off, checked, then renamed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.digests import digest_of
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_not_found

PART_BYTES = 8 << 20
AT_ONCE = 8
TRIES = 5
PIECE_BYTES = 1 << 18
Progress = Callable[[int], object]
"""Told how many bytes have come, from any thread; what it raises ends the transfer."""


class Changed(PlatformProblem):
    """The object is not what it was when its transfer began."""


class NotAsWritten(PlatformProblem):
    """The object is another content than it should be."""


@dataclass(frozen=True)
class Source:
    """An object.

    Attributes:
        etag: As the service gives it, with its quotes.
        digest: (kind, hex) of the content, where the service tells one.
    """

    s3: Any
    bucket: str
    key: str
    size: int
    etag: str
    digest: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def part(self, start: int, end: int, progress: Progress) -> bytes:
        """Bytes from `start` to before `end`, of this very content. Raises `Changed` if it is another by now."""
        asked = {"Bucket": self.bucket, "Key": self.key, "IfMatch": self.etag}
        got = b""
        with answers(f"{self.name} cannot be fetched"):
            for _ in range(TRIES):
                try:
                    reply = self.s3.get_object(**asked, Range=f"bytes={start + len(got)}-{end - 1}")
                except ClientError as error:
                    if code_of(error) == "PreconditionFailed" or is_not_found(error):
                        raise _changed(self) from error
                    raise
                got += _read(reply["Body"], progress)
                if len(got) == end - start:
                    return got
        raise PlatformProblem(f"{self.name} cannot be fetched: the connection breaks off", fix="run the line again")


def source_of(s3: Any, bucket: str, key: str) -> Source | None:
    """The object as it is now; None if there is none."""
    with answers(f"s3://{bucket}/{key} cannot be looked at"):
        try:
            head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if is_not_found(error):
                return None
            raise
    part_bytes = first_part_bytes(s3, bucket, key) if "-" in head["ETag"] else 0
    return Source(s3, bucket, key, head["ContentLength"], head["ETag"], digest_told(head, part_bytes))


def digest_told(head: Mapping[str, Any], part_bytes: int = 0) -> tuple[str, str] | None:
    """The digest of the whole content in the answer to a HEAD; an ETag is one where nothing is encrypted with a key.

    Args:
        part_bytes: The size of its first part, where it came in parts.
    """
    sha256 = head.get("ChecksumSHA256", "")
    if sha256 and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT" and "-" not in sha256:
        return "sha256", b64decode(sha256).hex()
    is_hidden = "kms" in str(head.get("ServerSideEncryption", "")) or head.get("SSECustomerAlgorithm")
    return None if is_hidden else digest_in(str(head.get("ETag", "")), head["ContentLength"], part_bytes)


def digest_in(etag: str, size: int, part_bytes: int = 0) -> tuple[str, str] | None:
    """What an ETag says of a content: the MD5 of a plain upload, or that of the MD5s of equal parts."""
    digest, _, parts = etag.strip('"').partition("-")
    if len(digest) != 32:  # noqa: PLR2004 - hex of 16 bytes
        return None
    if not parts:
        return "md5", digest
    is_equal = part_bytes > 0 and parts == str(-(-size // part_bytes))
    return (f"md5/{part_bytes}", digest) if is_equal else None


def first_part_bytes(s3: Any, bucket: str, key: str) -> int:
    """How large the first part of an object is; all others but the last mostly are, too."""
    with answers(f"s3://{bucket}/{key} cannot be looked at"):
        return int(s3.head_object(Bucket=bucket, Key=key, PartNumber=1)["ContentLength"])


def nobody(_bytes: int) -> None:
    """The progress that nobody watches."""


def download(source: Source, to: Path, *, sha256: str | None = None, progress: Progress = nobody) -> None:
    """Write the object to `to`, whole or not at all; what a broken try has is used by the next one.

    Args:
        sha256: What the content must have, where that is known.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    part, journal = part_of(to), part_of(to).with_suffix(".parts")
    with _held(part, source) as file:
        done = _done(journal, file, source)
        os.ftruncate(file, source.size)
        progress(sum(_end(source, start) - start for start in done))
        _fill(source, file, _Journal(journal, source.etag), done, progress)
        _check(source, part, journal, ("sha256", sha256) if sha256 else source.digest)
        part.replace(to)
        journal.unlink(missing_ok=True)


def part_of(to: Path) -> Path:
    """What is there of a file that has not come whole yet."""
    name = to.name if len(os.fsencode(to.name)) < 200 else hashlib.sha256(os.fsencode(to.name)).hexdigest()  # noqa: PLR2004
    return to.with_name(f".{name}.part")


class _Journal:
    """Which parts are written, so that a later try knows; any thread may add to it."""

    def __init__(self, path: Path, etag: str) -> None:
        self._path, self._guard = path, threading.Lock()
        self._add(json.dumps(etag))

    def add(self, start: int) -> None:
        with self._guard:
            self._add(str(start))

    def _add(self, line: str) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write(line + "\n")


@contextmanager
def _held(part: Path, source: Source) -> Iterator[int]:
    """The file, open and ours alone."""
    file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"{source.name} is being fetched to {part.parent} by another command"
            raise PlatformProblem(what, fix="wait for it, then run the line again") from None
        yield file
    finally:
        os.close(file)


def _fill(source: Source, file: int, journal: _Journal, done: set[int], progress: Progress) -> None:
    def fetch(start: int) -> None:
        os.pwrite(file, source.part(start, _end(source, start), progress), start)
        journal.add(start)

    todo = [start for start in range(0, source.size, PART_BYTES) if start not in done]
    if len(todo) <= 1:
        for start in todo:
            fetch(start)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for _ in pool.map(fetch, todo):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end(source: Source, start: int) -> int:
    return min(source.size, start + PART_BYTES)


def _done(journal: Path, file: int, source: Source) -> set[int]:
    """The parts that an earlier try has written of the same content; begins anew for another."""
    rows = list(_rows(journal))
    starts = {row for row in rows if isinstance(row, int)}
    is_same = bool(rows) and all(row == source.etag for row in rows if isinstance(row, str))
    if is_same and os.fstat(file).st_size == source.size and starts <= set(range(0, source.size, PART_BYTES)):
        return starts
    os.ftruncate(file, 0)
    journal.unlink(missing_ok=True)
    return set()


def _rows(journal: Path) -> Iterator[object]:
    try:
        for line in journal.read_text(encoding="ascii").splitlines():
            yield json.loads(line)
    except (OSError, ValueError):
        return


def _check(source: Source, part: Path, journal: Path, digest: tuple[str, str] | None) -> None:
    if digest is None or digest_of(part, digest[0]) == digest[1]:
        return
    part.unlink()
    journal.unlink(missing_ok=True)
    raise NotAsWritten(
        f"{source.name} is not what the job wrote",
        why=f"its {digest[0].partition('/')[0].upper()} is not {digest[1]}, as it should be",
        fix="run the line again",
    )


def _changed(source: Source) -> Changed:
    return Changed(
        f"{source.name} changed while it was fetched", why="the job still writes it", fix="run the line again"
    )


def _read(body: Any, progress: Progress) -> bytes:
    """What comes of an answer; a connection that breaks off gives what came before."""
    pieces: list[bytes] = []
    try:
        while piece := _piece(body):
            pieces.append(piece)
            progress(len(piece))
    finally:
        body.close()
    return b"".join(pieces)


def _piece(body: Any) -> bytes:
    try:
        piece: bytes = body.read(PIECE_BYTES)
    except (BotoCoreError, OSError):
        return b""  # the rest is asked for
    return piece
