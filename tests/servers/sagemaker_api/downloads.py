"""The input channels of a job, fetched before its container starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.sagemaker_api.record import TrainingJobRecord

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi


class Missing(Exception):
    """A channel with nothing in it."""


def download_channels(api: SageMakerApi, job: TrainingJobRecord, to: Path, number: int, hosts: int) -> None:
    """Into a folder a channel.

    Args:
        number: The host's, from 1; with ShardedByS3Key each host gets its share.
    """
    s3 = api.client("s3", job.region)
    for channel in job.request.get("InputDataConfig", ()):
        source = channel["DataSource"].get("S3DataSource")
        folder = to / channel["ChannelName"]
        folder.mkdir()
        if source is None:
            continue  # a file system that is mounted: empty here
        keys = _keys(s3, source)
        if not keys:
            raise Missing(f'Data download failed: No S3 objects found under S3 URL "{source["S3Uri"]}"')
        if source.get("S3DataDistributionType") == "ShardedByS3Key":
            keys = keys[number - 1 :: hosts]
        for bucket, key, path in keys:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(file))
            if channel.get("InputMode") == "FastFile":
                file.chmod(0o444)


def _keys(s3: Any, source: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(bucket, key, path in the channel)."""
    bucket, _, prefix = source["S3Uri"].removeprefix("s3://").partition("/")
    if source["S3DataType"] == "ManifestFile":
        first, *names = json.loads(s3.get_object(Bucket=bucket, Key=prefix)["Body"].read())
        base, _, below = first["prefix"].removeprefix("s3://").partition("/")
        return [(base, f"{below}{name}", name) for name in names]
    folder = prefix[: prefix.rfind("/") + 1]  # the prefix is a text: it may end within a name
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [one["Key"] for page in pages for one in page.get("Contents", ())]
    return [(bucket, key, key.removeprefix(folder)) for key in found if not key.endswith("/")]
