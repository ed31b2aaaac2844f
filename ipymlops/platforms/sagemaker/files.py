"""The files of a training job: its mirror while it runs, its archives at the end, and what has not arrived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ipymlops.job import Artifact
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.layout import CHECKPOINTS, OURS, OUTPUT, TENSORBOARD, bucket_and_key
from ipymlops.platforms.sagemaker.members import Archive
from ipymlops.platforms.sagemaker.outputs import ARCHIVES, Object, Outputs, no_such
from ipymlops.platforms.sagemaker.reading import need_described
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.results import manifest_of
from ipymlops.platforms.sagemaker.states import state_of
from ipymlops.platforms.sagemaker.transfers import download, source_of

LATE = "late/"
EMPTY_BYTES = 512
"""A `tar.gz` of so few bytes holds nothing."""
LISTED_BYTES = 64 << 20
"""Archives up to this size are listed by their members, which reads them through once."""


def artifacts(aws: Aws, reference: Reference) -> Iterator[Artifact]:
    told = need_described(aws, reference)
    outputs = Outputs(aws, reference, told)
    if not outputs.has_launcher:
        return iter(_of_others(outputs))
    return iter(_of_ours(outputs, is_final=state_of(told).is_final))


def fetch(aws: Aws, reference: Reference, path: str, to: Path) -> None:
    told = need_described(aws, reference)
    outputs = Outputs(aws, reference, told)
    for bucket, key in _places(outputs, path):
        source = source_of(outputs.s3, bucket, key)
        if source:
            download(source, to, sha256=_sha256(outputs, key) if outputs.has_launcher else None)
            return
    if not _from_archive(outputs, path, to):
        raise no_such(path)


def mirror_paths(path: str) -> tuple[str, ...]:
    """Where below the mirror a file of this path may be: the script's output first."""
    first = path.partition("/")[0]
    return (f"{OUTPUT}/{path}", *([path] if first in (TENSORBOARD, CHECKPOINTS) else []))


def shown_path(mirrored: str) -> str | None:
    """The path of what lies there in the mirror; None for what is ours."""
    folder, _, rest = mirrored.partition("/")
    if folder == OUTPUT:
        return rest or None
    return mirrored if folder in (TENSORBOARD, CHECKPOINTS) and rest else None


def _of_ours(outputs: Outputs, *, is_final: bool) -> Iterable[Artifact]:
    rows = _manifest_rows(outputs) if is_final else {}
    found: dict[str, Artifact] = {}
    mirrored = set()
    for one in sorted(outputs.listed(outputs.mirror_bucket, outputs.mirror), key=_output_first(outputs)):
        below = one.key.removeprefix(outputs.mirror)
        mirrored.add(below)
        path = shown_path(below)
        if path:
            sha256 = rows.get(below, {}).get("sha256")
            digest = f"sha256:{sha256}" if sha256 else one.digest
            found.setdefault(path, Artifact(path, one.bytes, one.modified_at, digest))
    for row in (row for below, row in rows.items() if below not in mirrored):
        path = shown_path(row["path"])
        if path:
            found.setdefault(path, _late(outputs, row, path))
    for packed in _members(outputs) if is_final else ():
        found.setdefault(packed.path, packed)
    return found.values()


def _output_first(outputs: Outputs) -> Any:
    first = f"{outputs.mirror}{OUTPUT}/"
    return lambda one: (not one.key.startswith(first), one.key)


def _manifest_rows(outputs: Outputs) -> dict[str, Mapping[str, Any]]:
    """What all nodes had written at their end, by the path in the mirror."""
    found = (manifest_of(outputs, rank) for rank in range(outputs.nodes))
    return {path: row for rows in found for path, row in rows.items()}


def _late(outputs: Outputs, row: Mapping[str, Any], path: str) -> Artifact:
    archive = outputs.archive("output.tar.gz")
    kept = {one.path for one in archive.members()} if archive else set()
    digest = f"sha256:{row['sha256']}" if row.get("sha256") else None
    moment = datetime.fromtimestamp(row["modified_at"], timezone.utc)
    return Artifact(path, row["bytes"], moment, digest, has_arrived=f"{LATE}{row['path']}" in kept)


def _members(outputs: Outputs) -> Iterator[Artifact]:
    """What a script has left in the folders that SageMaker packs itself."""
    for name in ARCHIVES:
        archive = outputs.archive(name)
        if archive is None or archive.bytes <= EMPTY_BYTES:
            continue
        if name == ARCHIVES[0]:
            yield Artifact(name, archive.bytes)
        yield from _listed(name, archive)


def _listed(name: str, archive: Archive) -> Iterator[Artifact]:
    if archive.bytes > LISTED_BYTES:
        return
    for one in archive.members():
        if not one.path.startswith((f"{OURS}/", LATE)):
            yield Artifact(f"{name}/{one.path}", one.bytes, datetime.fromtimestamp(one.modified_at, timezone.utc))


def _of_others(outputs: Outputs) -> Iterable[Artifact]:
    """Another tool's job: everything below the places that its request names."""
    found: dict[str, Artifact] = {}
    for prefix, bucket, below in _folders(outputs):
        for one in outputs.listed(bucket, below):
            path = prefix + one.key.removeprefix(below)
            if path and not path.endswith("/"):
                found.setdefault(path, _artifact(path, one))
    for name in ARCHIVES:
        archive = outputs.archive(name) if name in found else None
        for member in _listed(name, archive) if archive and archive.bytes > EMPTY_BYTES else ():
            found.setdefault(member.path, member)
    return found.values()


def _artifact(path: str, one: Object) -> Artifact:
    return Artifact(path, one.bytes, one.modified_at, one.digest)


def _folders(outputs: Outputs) -> Iterator[tuple[str, str, str]]:
    """(what stands before the path, bucket, prefix)."""
    yield "", outputs.bucket, outputs.archives
    if outputs.mirror_bucket and outputs.mirror:
        yield f"{CHECKPOINTS}/", outputs.mirror_bucket, outputs.mirror
    board = outputs.told.get("TensorBoardOutputConfig", {}).get("S3OutputPath")
    if board:
        bucket, prefix = bucket_and_key(board)
        yield f"{TENSORBOARD}/", bucket, f"{prefix.rstrip('/')}/{outputs.reference.name}/tensorboard-output/"


def _places(outputs: Outputs, path: str) -> Iterator[tuple[str, str]]:
    """(bucket, key) of where a file of this path may be."""
    if not path or path.startswith("/") or ".." in path.split("/"):
        return
    if outputs.has_launcher:
        yield from ((outputs.mirror_bucket, f"{outputs.mirror}{below}") for below in mirror_paths(path))
        if path in ARCHIVES:
            yield outputs.bucket, f"{outputs.archives}{path}"
        return
    for prefix, bucket, below in _folders(outputs):
        if path.startswith(prefix):
            yield bucket, f"{below}{path.removeprefix(prefix)}"


def _sha256(outputs: Outputs, key: str) -> str | None:
    """What the manifest says of a file of a job that has ended."""
    if not state_of(outputs.told).is_final:
        return None
    row = _manifest_rows(outputs).get(key.removeprefix(outputs.mirror))
    return row.get("sha256") if row else None


def _from_archive(outputs: Outputs, path: str, to: Path) -> bool:
    for name, member in _members_of(outputs, path):
        archive = outputs.archive(name)
        if archive is None:
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.with_name(f".{to.name}.part"[-200:])
        try:
            with part.open("wb") as file:
                is_there = archive.copy(member, file)
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
    if outputs.has_launcher and path:
        yield from (("output.tar.gz", f"{LATE}{below}") for below in mirror_paths(path))
