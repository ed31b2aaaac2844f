"""What a job on this machine wrote: its artifacts and its metric records."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from ipymlops.errors import PlatformProblem
from ipymlops.job import Artifact
from ipymlops.platforms.jobfolder import JobFolder
from ipymlops.runtime import metrics

TAIL_BYTES = 64 * 1024


def artifacts(folder: JobFolder) -> Iterator[Artifact]:
    """The job's files, by path."""
    for path, file in sorted(_files(folder).items()):
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue  # a running script has removed or renamed it since
        yield Artifact(path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, timezone.utc))


def fetch(folder: JobFolder, path: str, to: Path) -> None:
    """Copy one artifact to `to`, whole or not at all."""
    file = _file(folder, path)
    try:
        # The last link is resolved already: one that came since then is not followed.
        descriptor = -1 if file is None else os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # gone or replaced since
        descriptor = -1
    if descriptor < 0:
        raise PlatformProblem(f"the job has no file {path!r}", why="nothing of that path is below its output")
    with os.fdopen(descriptor, "rb") as source:
        _write(source, to)


def _write(source: BinaryIO, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.part"[-255:])
    try:
        with part.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def metric_records(folder: JobFolder) -> Iterator[Mapping[str, Any]]:
    """The records in the order they were written; those of several nodes one node after the other."""
    for node in folder.nodes:
        yield from metrics.records(node.state.metrics_path)


def last_metrics(folder: JobFolder) -> dict[str, float]:
    """The last value of each metric of a job that still runs, from the end of its records."""
    tails = [record for node in reversed(folder.nodes) for record in _tail(Path(node.state.metrics_path))]
    return metrics.last_values(tails)  # rank 0 is last: its values win


def _tail(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        lines = path.open("rb")
    except FileNotFoundError:
        return
    with lines:
        if lines.seek(0, os.SEEK_END) > TAIL_BYTES:
            lines.seek(-TAIL_BYTES, os.SEEK_END)
            lines.readline()  # the rest of a record
        else:
            lines.seek(0)
        yield from metrics.records_of(lines)  # what is still being written is passed over


def _files(folder: JobFolder) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for prefix, root in _roots(folder):
        for file in _below(root):
            path = (PurePosixPath(prefix) / file.relative_to(root)).as_posix()
            found.setdefault(path, file)
    return {path: inside for path, file in found.items() if (inside := _inside(folder.root, file)) is not None}


def _roots(folder: JobFolder) -> list[tuple[str, Path]]:
    return [("", folder.output), ("tensorboard", folder.tensorboard), ("checkpoints", folder.checkpoints)]


def _below(root: Path) -> Iterator[Path]:
    for where, _, names in os.walk(root):
        yield from (Path(where) / name for name in names)


def _file(folder: JobFolder, path: str) -> Path | None:
    """The file of that path, without listing all the others."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        return None
    for prefix, root in _roots(folder):
        if not prefix or pure.parts[:1] == (prefix,):
            file = root / (pure.relative_to(prefix) if prefix else pure)
            inside = _inside(folder.root, file)
            if inside is not None:
                return inside
    return None


def _inside(root: Path, file: Path) -> Path | None:
    """The regular file behind a path; None for one outside the job's folder, to which a link of the script may lead."""
    try:
        real = file.resolve(strict=True)
    except (OSError, RuntimeError):  # a link to nowhere, or to itself
        return None
    folders = [root.resolve() / name for name in ("output", "tensorboard", "checkpoints")]
    return real if real.is_file() and any(real.is_relative_to(one) for one in folders) else None
