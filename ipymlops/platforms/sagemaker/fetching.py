"""One file of a training job, from wherever it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.files import REST, folders, manifest_rows, mirror_paths
from ipymlops.platforms.sagemaker.outputs import ARCHIVES, Outputs
from ipymlops.platforms.sagemaker.reading import id_of, in_touch, need_described
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.transfers import (
    Changed,
    NotAsWritten,
    Progress,
    Source,
    download,
    nobody,
    part_of,
    source_of,
)
from ipymlops.runtime.places.sagemaker_layout import LATE

RECENT_S = 10.0
TRIES = 3
"""A file that the job still writes is begun anew so often."""


def fetch(aws: Aws, reference: Reference, path: str, to: Path, progress: Progress = nobody) -> None:
    """Write the file to `to`, whole or not at all. Raises `PlatformProblem` if there is none of that path."""
    with in_touch(aws):
        outputs = Outputs(aws, reference, _described(aws, reference))
        if not _is_plain(path):
            raise _no_such(path)
        older: NotAsWritten | None = None
        try:
            if _from_objects(outputs, path, to, progress):
                return
        except NotAsWritten as problem:  # what came too late for the mirror was packed at the end
            older = problem
        if not _from_archives(outputs, path, to, progress):
            raise older or _not_there(outputs, path)


def _described(aws: Aws, reference: Reference) -> Mapping[str, Any]:
    """As of a moment ago: many files are often fetched one after the other."""
    known: Mapping[str, Any] | None = aws.remembered.get("fetched", str(reference), max_age_s=RECENT_S)
    if known is None:
        known = need_described(aws, reference)
        aws.remembered.put("fetched", str(reference), answer=known)
    return known


def _is_plain(path: str) -> bool:
    return bool(path) and "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def _from_objects(outputs: Outputs, path: str, to: Path, progress: Progress) -> bool:
    for bucket, key in _places(outputs, path):
        for left in reversed(range(TRIES)):
            source = source_of(outputs.s3, bucket, key)
            if source is None:
                break
            try:
                _download(outputs, source, to, progress)
            except Changed:
                if not left:
                    raise
                continue
            return True
    return False


def _download(outputs: Outputs, source: Source, to: Path, progress: Progress) -> None:
    """Raises `NotAsWritten` for what the manifest contradicts."""
    row = manifest_rows(outputs).get(source.key.removeprefix(outputs.mirror))
    if row is None:
        download(source, to, progress=progress)
    elif row["bytes"] != source.size:
        raise _older(source)
    else:
        try:
            download(source, to, sha256=row.get("sha256"), progress=progress)
        except NotAsWritten as problem:
            raise _older(source) from problem


def _places(outputs: Outputs, path: str) -> Iterator[tuple[str, str]]:
    """(bucket, key) of where a file of this path may be."""
    if outputs.has_launcher:
        yield from ((outputs.mirror_bucket, f"{outputs.mirror}{below}") for below in mirror_paths(path))
        if path in ARCHIVES:
            yield outputs.bucket, f"{outputs.archives}{path}"
        return
    for prefix, bucket, below in folders(outputs):
        if path.startswith(prefix):
            yield bucket, f"{below}{path.removeprefix(prefix)}"


def _from_archives(outputs: Outputs, path: str, to: Path, progress: Progress) -> bool:
    for name, member in _members_of(outputs, path):
        archive = outputs.archive(name)
        if archive is None:
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(to)
        try:
            with part.open("wb") as file:
                is_there = archive.copy(member, file, progress)
            if is_there:
                part.replace(to)
                return True
        finally:
            part.unlink(missing_ok=True)
    return False


def _members_of(outputs: Outputs, path: str) -> Iterator[tuple[str, str]]:
    """(archive, member) that may hold it."""
    name, _, member = path.partition("/")
    if name in ARCHIVES and member:
        yield name, member
    rows = manifest_rows(outputs)
    yield from ((REST, f"{LATE}/{below}") for below in mirror_paths(path) if below in rows)


def _not_there(outputs: Outputs, path: str) -> PlatformProblem:
    rows = manifest_rows(outputs)
    if not any(below in rows for below in mirror_paths(path)):
        return _no_such(path)
    return PlatformProblem(
        f"{path} has not arrived: the job wrote it, and nobody has it",
        why="the machine was taken away before SageMaker had copied the file",
        fix=f"ipymlops artifacts {id_of(outputs.told)}",
    )


def _older(source: Source) -> NotAsWritten:
    return NotAsWritten(
        f"{source.name} is not what the job wrote",
        why="it is an older copy: the machine was taken away before SageMaker had copied the last one",
        fix=f"aws s3 cp {source.name} .",
    )


def _no_such(path: str) -> PlatformProblem:
    return PlatformProblem(f"the job has no file {path!r}", why="nothing of that path is among its outputs")
