"""The folder of checkpoints, and that of TensorBoard: mirrored to S3 path by path, restored before a start."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.sagemaker_api.record import TrainingJobRecord

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

EVERY_S = 0.1

Signature = tuple[int, int]


class Mirrored:
    """All hosts share one prefix; each removes only what it has put there itself."""

    def __init__(self, api: SageMakerApi, job: TrainingJobRecord, roots: list[Path]) -> None:
        self._api, self._job, self._roots = api, job, roots
        self._s3 = api.client("s3", job.region)
        self._seen: dict[tuple[Path, str], Signature] = {}
        self._at = 0.0
        self._folders = list(self._pairs())

    def restore(self) -> None:
        """Everything below the prefix of the checkpoints comes to every host."""
        for folder, bucket, prefix in self._folders[: len(self._roots)] if self._has_checkpoints else ():
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for one in (row for page in pages for row in page.get("Contents", ())):
                path = one["Key"].removeprefix(prefix)
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                self._s3.download_file(bucket, one["Key"], str(file))
                self._seen[folder, path] = _signature(file)

    def flush(self, *, is_last: bool = False) -> None:
        """Copy what has changed, if it is time; the last time unless the service does not."""
        if is_last and self._api.faults.no_flush_at_end:
            return
        if not is_last and time.monotonic() - self._at < EVERY_S:
            return
        if not is_last and self._api.faults.no_flush_at_end and self._at:
            return  # only the first look: what comes later stays behind
        for folder, bucket, prefix in self._folders:
            self._copy(folder, bucket, prefix)
        self._at = time.monotonic()

    @property
    def _has_checkpoints(self) -> bool:
        return "CheckpointConfig" in self._job.request

    def _pairs(self):
        request = self._job.request
        for name, below, default in (
            ("CheckpointConfig", "S3Uri", "/opt/ml/checkpoints"),
            ("TensorBoardOutputConfig", "S3OutputPath", "/opt/ml/output/tensorboard"),
        ):
            for root in self._roots if name in request else ():
                bucket, _, prefix = request[name][below].removeprefix("s3://").partition("/")
                prefix = f"{prefix.rstrip('/')}/"
                if name.startswith("Tensor"):
                    prefix += f"{self._job.name}/tensorboard-output/"
                local = request[name].get("LocalPath", default)
                folder = root / Path(local).relative_to("/opt/ml")
                folder.mkdir(parents=True, exist_ok=True)
                yield folder, bucket, prefix

    def _copy(self, folder: Path, bucket: str, prefix: str) -> None:
        there = dict(_files(folder))
        for path, signature in there.items():
            if self._seen.get((folder, path)) != signature:
                self._put(folder, path, bucket, prefix, signature)
        for at, path in [key for key in self._seen if key[0] == folder and key[1] not in there]:
            self._s3.delete_object(Bucket=bucket, Key=prefix + path)
            del self._seen[at, path]

    def _put(self, folder: Path, path: str, bucket: str, prefix: str, signature: Signature) -> None:
        try:
            content = (folder / path).read_bytes()
        except FileNotFoundError:
            return
        self._s3.put_object(Bucket=bucket, Key=prefix + path, Body=content)
        self._seen[folder, path] = signature


def _files(folder: Path):
    for where, _, names in os.walk(folder):
        for name in names:
            file = Path(where) / name
            try:
                if not file.is_symlink() and file.is_file():
                    yield str(file.relative_to(folder)), _signature(file)
            except FileNotFoundError:
                continue


def _signature(file: Path) -> Signature:
    seen = file.stat()
    return seen.st_mtime_ns, seen.st_size
