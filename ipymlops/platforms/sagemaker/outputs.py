"""Where the outputs of a training job lie in S3, ours or another tool's; and reading them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.layout import bucket_and_key
from ipymlops.platforms.sagemaker.members import Archive
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_not_found
from ipymlops.platforms.sagemaker.reading import nodes_of, our_id
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.transfers import source_of
from ipymlops.runtime.places.sagemaker_layout import LAUNCHER_CHANNEL, node_folder

ARCHIVES = ("model.tar.gz", "output.tar.gz")


@dataclass(frozen=True)
class Object:
    """An object of S3; `etag` without its quotes."""

    key: str
    bytes: int
    modified_at: datetime
    etag: str


@dataclass(frozen=True)
class Tail:
    """The end of an object of `size` bytes."""

    content: bytes
    size: int
    etag: str


class Outputs:
    """The outputs of one described job."""

    def __init__(self, aws: Aws, reference: Reference, told: Mapping[str, Any]) -> None:
        self.aws, self.reference, self.told = aws, reference, told
        output = told.get("OutputDataConfig", {}).get("S3OutputPath", "")
        self.bucket, base = bucket_and_key(output)
        self.archives = f"{base.rstrip('/')}/{reference.name}/output/".lstrip("/")
        self.mirror_bucket, self.mirror = bucket_and_key(told.get("CheckpointConfig", {}).get("S3Uri", ""))
        if self.mirror and not self.mirror.endswith("/"):
            self.mirror += "/"

    @cached_property
    def s3(self) -> Any:
        return self.aws.client("s3", self.reference.region)

    @property
    def has_launcher(self) -> bool:
        """Whether our launcher runs in it, which says how the script ended; a copy of such a job is another's."""
        channels = self.told.get("InputDataConfig") or ()
        return bool(our_id(self.told)) and any(one.get("ChannelName") == LAUNCHER_CHANNEL for one in channels)

    @property
    def nodes(self) -> int:
        return nodes_of(self.told)

    def node_key(self, rank: int, name: str) -> str:
        return f"{self.mirror}{node_folder(rank)}/{name}"

    def listed(self, bucket: str, prefix: str) -> Iterator[Object]:
        """Every object below a prefix. Raises `PlatformProblem`."""
        with answers(f"s3://{bucket}/{prefix} cannot be listed"):
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for one in page.get("Contents", ()):
                    yield Object(one["Key"], one["Size"], one["LastModified"], one.get("ETag", "").strip('"'))

    def read(self, key: str) -> bytes | None:
        """An object of the mirror; None if there is none."""
        with answers(f"s3://{self.mirror_bucket}/{key} cannot be read"):
            try:
                content: bytes = self.s3.get_object(Bucket=self.mirror_bucket, Key=key)["Body"].read()
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
        return content

    def tail(self, key: str, most_bytes: int, *, unless: str) -> Tail | None:
        """The end of an object of the mirror; None if there is none, or its ETag is `unless`."""
        asked = {"Bucket": self.mirror_bucket, "Key": key, "Range": f"bytes=-{most_bytes}"}
        with answers(f"s3://{self.mirror_bucket}/{key} cannot be read"):
            try:
                told = self.s3.get_object(**asked, **({"IfNoneMatch": unless} if unless else {}))
                content: bytes = told["Body"].read()
            except ClientError as error:
                if is_not_found(error) or code_of(error) in {"304", "NotModified", "InvalidRange"}:
                    return None
                raise
        size = int(told.get("ContentRange", "").rpartition("/")[2] or len(content))
        return Tail(content, size, told["ETag"])

    def mirrored_json(self, rank: int, name: str) -> dict[str, Any] | None:
        """What a node's launcher left in the mirror; None where there is none, and for what is no JSON object."""
        return _json(self.read(self.node_key(rank, name)))

    def kept_json(self, rank: int, name: str) -> dict[str, Any] | None:
        """The launcher's copy in the archive that is always uploaded."""
        return _json(self.member("output.tar.gz", f"{node_folder(rank)}/{name}"))

    def member(self, archive: str, name: str) -> bytes | None:
        """A small file of one of the job's archives; None where there is no such file or archive."""
        found = self.archive(archive)
        return found.read(name) if found else None

    def archive(self, name: str) -> Archive | None:
        """`model.tar.gz` or `output.tar.gz`; None where there is none."""
        source = source_of(self.s3, self.bucket, f"{self.archives}{name}")
        return Archive(source, self.aws.home / "cache" / "archives") if source else None


def _json(content: bytes | None) -> dict[str, Any] | None:
    try:
        told = json.loads(content) if content else None
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
