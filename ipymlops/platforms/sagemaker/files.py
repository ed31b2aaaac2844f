"""The files of a training job: its mirror while it runs, its archives at the end, and what has not arrived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ipymlops.job import Artifact
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.layout import bucket_and_key
from ipymlops.platforms.sagemaker.members import Archive, NoArchive
from ipymlops.platforms.sagemaker.outputs import ARCHIVES, Object, Outputs
from ipymlops.platforms.sagemaker.reading import in_touch, need_described
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.results import manifest_of
from ipymlops.platforms.sagemaker.states import state_of
from ipymlops.platforms.sagemaker.transfers import digest_in, first_part_bytes, source_of
from ipymlops.runtime.places.sagemaker_layout import CHECKPOINTS, LATE, OURS, OUTPUT, TENSORBOARD

MODEL, REST = ARCHIVES
LISTED_BYTES = 64 << 20
"""A larger archive is not read through only to list its members; each can be fetched by its path."""
Rows = Mapping[str, Mapping[str, Any]]


def artifacts(aws: Aws, reference: Reference) -> Iterator[Artifact]:
    with in_touch(aws):
        outputs = Outputs(aws, reference, need_described(aws, reference))
        yield from (_of_ours(outputs) if outputs.has_launcher else _of_others(outputs)).values()


def mirror_paths(path: str) -> tuple[str, ...]:
    """Where below the mirror a file of this path may be: the script's output first."""
    first = path.partition("/")[0]
    return (f"{OUTPUT}/{path}", *([path] if first in (TENSORBOARD, CHECKPOINTS) else []))


def manifest_rows(outputs: Outputs) -> Rows:
    """What all nodes had written at their end, by the path in the mirror; {} while the job goes on."""
    if not outputs.has_launcher or not state_of(outputs.told).is_final:
        return {}
    known: Rows | None = outputs.aws.remembered.get("manifest", str(outputs.reference))
    if known is None:
        found = (manifest_of(outputs, rank) for rank in range(outputs.nodes))
        known = {path: row for rows in found for path, row in rows.items()}
        outputs.aws.remembered.put("manifest", str(outputs.reference), answer=known)
    return known


def folders(outputs: Outputs) -> Iterator[tuple[str, str, str]]:
    """Of another tool's job: (what stands before the path, bucket, prefix) of what its request names."""
    yield "", outputs.bucket, outputs.archives
    if outputs.mirror_bucket and outputs.mirror:
        yield f"{CHECKPOINTS}/", outputs.mirror_bucket, outputs.mirror
    board = outputs.told.get("TensorBoardOutputConfig", {}).get("S3OutputPath")
    if board:
        bucket, prefix = bucket_and_key(board)
        name = f"{outputs.reference.name}/tensorboard-output/"
        yield f"{TENSORBOARD}/", bucket, f"{prefix.rstrip('/')}/{name}".lstrip("/")


def _of_ours(outputs: Outputs) -> dict[str, Artifact]:
    rows = manifest_rows(outputs)
    mirrored = {
        one.key.removeprefix(outputs.mirror): one for one in outputs.listed(outputs.mirror_bucket, outputs.mirror)
    }
    mirrored = {  # without older copies
        below: one for below, one in mirrored.items() if below not in rows or rows[below]["bytes"] == one.bytes
    }
    found: dict[str, Artifact] = {}
    tags = _Tags(outputs.s3, outputs.mirror_bucket)
    for below, one in sorted(mirrored.items(), key=lambda item: (not item[0].startswith(f"{OUTPUT}/"), item[0])):
        path = _shown_path(below)
        if path:
            digest = _digest(rows.get(below, {})) or tags.digest(one)
            found.setdefault(path, Artifact(path, one.bytes, one.modified_at, digest))
    if not state_of(outputs.told).is_final:
        return found
    return {**_ended(outputs, {below: row for below, row in rows.items() if below not in mirrored}), **found}


def _shown_path(mirrored: str) -> str | None:
    """The path of what lies there in the mirror; None for what is ours."""
    folder, _, rest = mirrored.partition("/")
    if not rest or rest.endswith("/"):
        return None
    return {OUTPUT: rest, TENSORBOARD: mirrored, CHECKPOINTS: mirrored}.get(folder)


def _ended(outputs: Outputs, missing: Rows) -> dict[str, Artifact]:
    """What is not in the mirror of a job that has ended: late, lost, or put where SageMaker packs it."""
    found: dict[str, Artifact] = {}
    archives = {name: archive for name in ARCHIVES if (archive := outputs.archive(name))}
    kept = _late_files(archives[REST]) if missing and REST in archives else set()
    for below, row in missing.items():
        path = _shown_path(below)
        if path:
            moment = datetime.fromtimestamp(float(row.get("modified_at") or 0), timezone.utc)
            has_arrived = f"{LATE}/{below}" in kept
            found.setdefault(path, Artifact(path, row["bytes"], moment, _digest(row), has_arrived=has_arrived))
    for name, archive in archives.items():
        members = _members(name, archive)
        if name == MODEL and archive.bytes and archive.known() != []:
            found.setdefault(name, Artifact(name, archive.bytes))
        found = {**members, **found}
    return found


def _late_files(archive: Archive) -> set[str]:
    try:
        return {one.path for one in archive.members()}
    except NoArchive:
        return set()


def _members(name: str, archive: Archive) -> dict[str, Artifact]:
    """What is in an archive, but for what is ours."""
    try:
        known = archive.members() if archive.bytes <= LISTED_BYTES else archive.known() or []
    except NoArchive:  # it is fetched as it is
        known = []
    theirs = (one for one in known if not one.path.startswith((f"{OURS}/", f"{LATE}/")))
    paths = ((f"{name}/{one.path}", one) for one in theirs)
    return {
        path: Artifact(path, one.bytes, datetime.fromtimestamp(one.modified_at, timezone.utc)) for path, one in paths
    }


def _of_others(outputs: Outputs) -> dict[str, Artifact]:
    """Everything below the places that the request names."""
    found: dict[str, Artifact] = {}
    for prefix, bucket, below in folders(outputs):
        tags = _Tags(outputs.s3, bucket)
        for one in outputs.listed(bucket, below):
            path = prefix + one.key.removeprefix(below)
            if path and not path.endswith("/"):
                found.setdefault(path, Artifact(path, one.bytes, one.modified_at, tags.digest(one)))
    for name in [name for name in ARCHIVES if name in found]:
        archive = outputs.archive(name)
        found = {**(_members(name, archive) if archive else {}), **found}
    return found


def _digest(row: Mapping[str, Any]) -> str | None:
    return f"sha256:{row['sha256']}" if row.get("sha256") else None


class _Tags:
    """What the ETags of one bucket's objects say of their contents. One object of each kind tells of all."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._is_plain: bool | None = None
        self._part_bytes: int | None = None

    def digest(self, one: Object) -> str | None:
        """None where the tag is no digest, as in a bucket whose objects are encrypted with a key."""
        if self._is_plain is None:
            source = source_of(self._s3, self._bucket, one.key)
            self._is_plain = source is None or source.digest is not None
        if "-" in one.etag and self._part_bytes is None:
            self._part_bytes = first_part_bytes(self._s3, self._bucket, one.key)
        found = digest_in(one.etag, one.bytes, self._part_bytes or 0) if self._is_plain else None
        return ":".join(found) if found else None
