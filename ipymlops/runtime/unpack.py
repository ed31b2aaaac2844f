"""The code's archive: its checksum first, then its files, written so that no name in it can lead elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from typing import BinaryIO, Iterable, Set

from ipymlops.runtime.config import Archive, to_bytes
from ipymlops.runtime.problem import LaunchProblem

CHUNK_BYTES = 1 << 20
SENT_AGAIN = "submit the job again with --again; the code is packed anew"


def unpack(archive: Archive, to: str, kept: Iterable[str]) -> None:
    """Make the folder `to` hold exactly the archive's files.

    Args:
        kept: Paths that must not lie in `to`, as everything there is removed first.
    Raises: `LaunchProblem`, with nothing started, where checksum or content is not as it must be.
    """
    try:
        file = open(archive.path, "rb")  # noqa: SIM115 - closed below; the error is this line's alone
    except OSError as error:
        raise LaunchProblem("the code's archive cannot be read", str(error), SENT_AGAIN) from error
    with file:
        verify(file, archive)
        file.seek(0)
        _clear(to, kept)
        _extract(file, to_bytes(to), archive.path)


def verify(file: BinaryIO, archive: Archive) -> None:
    """Raise unless the file's SHA-256 is the one that was announced."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while True:
        size = file.readinto(buffer)  # type: ignore[attr-defined]
        if not size:
            break
        digest.update(buffer[:size])
    if digest.hexdigest() != archive.sha256:
        raise LaunchProblem(
            "the code's archive is not the one that was sent; nothing was started",
            "{} has the checksum {}, not {}".format(archive.path, digest.hexdigest(), archive.sha256),
            SENT_AGAIN,
        )


def _clear(to: str, kept: Iterable[str]) -> None:
    folder = os.path.realpath(to)
    for path in kept:
        inside = os.path.commonpath([folder, os.path.realpath(path)]) == folder
        if inside:
            raise LaunchProblem(
                "the folder for the code cannot be {}".format(to), "it would be emptied, and {} is in it".format(path)
            )
    if os.path.lexists(to):
        shutil.rmtree(to)
    os.makedirs(to)


def _extract(file: BinaryIO, root: bytes, path: str) -> None:
    made = {root}
    try:
        with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
            for member in archive:
                _write(archive, member, root, made)
                archive.members = []  # type: ignore[attr-defined] # it would keep every header of a large archive
    except (tarfile.TarError, EOFError) as error:
        raise LaunchProblem(
            "the code's archive cannot be unpacked", "{}: {}".format(path, error), SENT_AGAIN
        ) from error


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, root: bytes, made: Set[bytes]) -> None:
    parts = _parts(member.name)
    if not parts:  # the archive's own root
        return
    target = os.path.join(root, *parts)
    try:
        _folder(root, parts if member.isdir() else parts[:-1], made)
        if member.issym():
            os.symlink(to_bytes(member.linkname), target)
        elif member.isreg():
            _regular(archive, member, target)
        elif not member.isdir():
            raise _refused(member.name, "it is neither a file, a folder nor a symbolic link")
    except FileExistsError as error:
        raise _refused(member.name, "the same path, or a link where a folder should be, came before it") from error


def _parts(name: str) -> "list[bytes]":
    parts = [to_bytes(part) for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or b".." in parts:
        raise _refused(name, "it leads out of the folder")
    return parts


def _folder(root: bytes, parts: "list[bytes]", made: Set[bytes]) -> None:
    """Make a folder and those above it. What is there and not made by us is a link, or a file: `FileExistsError`."""
    path = root
    for part in parts:
        path = os.path.join(path, part)
        if path not in made:
            os.mkdir(path, 0o755)
            made.add(path)


def _regular(archive: tarfile.TarFile, member: tarfile.TarInfo, target: bytes) -> None:
    mode = 0o755 if member.mode & 0o100 else 0o644
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(file, "wb", buffering=0) as out:
        content = archive.extractfile(member)
        if content is None:
            return
        left = member.size
        while left > 0:
            chunk = content.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise tarfile.ReadError("{!a} ends too early".format(member.name))
            _write_all(out.fileno(), chunk)
            left -= len(chunk)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _refused(name: str, why: str) -> LaunchProblem:
    return LaunchProblem("the code's archive is refused because of {!a}".format(name), why, SENT_AGAIN)
