"""What the service packs at the end: the model, and the output's data."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.sagemaker_api.record import TrainingJobRecord

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.containers import Host
    from tests.servers.sagemaker_api.server import SageMakerApi


def upload_archives(api: SageMakerApi, job: TrainingJobRecord, hosts: list[Host]) -> None:
    """`model.tar.gz` and `output.tar.gz`, or their files as they are; what several hosts have under one name is one."""
    output = job.request["OutputDataConfig"]
    bucket, _, prefix = output["S3OutputPath"].removeprefix("s3://").partition("/")
    base = f"{prefix.rstrip('/')}/{job.name}/output/".lstrip("/")
    s3 = api.client("s3", job.region)
    for name, below in (("model", "model"), ("output", "output/data")):
        files = {path: file for host in reversed(hosts) for path, file in _files(host.ml / below)}
        if output.get("CompressionType", "GZIP") == "NONE":
            for path, file in files.items():
                s3.put_object(Bucket=bucket, Key=f"{base}{name}/{path}", Body=file.read_bytes())
        else:
            s3.put_object(Bucket=bucket, Key=f"{base}{name}.tar.gz", Body=_packed(files))


def _packed(files: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, file in files.items():
            tar.add(file, path, recursive=False)
    return buffer.getvalue()


def _files(folder: Path):
    for file in sorted(folder.rglob("*")):
        if file.is_file() or file.is_symlink():
            yield str(file.relative_to(folder)), file
