"""Objects of ours in S3: named by their content, sent once, and never into a bucket of somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.errors import Unreachable
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_not_found

TAKEN = frozenset({"PreconditionFailed", "412"})
CONFLICT = frozenset({"ConditionalRequestConflict", "409"})


class Uploads:
    """One bucket; `account` is the one that must own it. All is encrypted with `kms_key`, where there is one."""

    def __init__(self, aws: Aws, bucket: str, account: str) -> None:
        self._s3 = aws.client("s3")
        self.bucket, self._owner = bucket, {"ExpectedBucketOwner": account}
        self.kms_key = aws.settings.get("kms_key")

    def claim(self, key: str, content: bytes) -> bool:
        """Write the object if there is none; False if there was one already."""
        with answers(f"s3://{self.bucket}/{key} cannot be written"):
            try:
                self._put(key, content, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) in CONFLICT:
                    raise Unreachable("two sessions send the same job at once", fix="ipymlops jobs") from error
                if code_of(error) not in TAKEN:
                    raise
                return False
        return True

    def write(self, key: str, content: bytes) -> None:
        with answers(f"s3://{self.bucket}/{key} cannot be written"):
            self._put(key, content)

    def write_once(self, prefix: str, files: Mapping[str, bytes]) -> None:
        """Objects of which their prefix says all: the last one is written last, so where it is, they all are."""
        *_, (name, content) = files.items()
        if not self._is_there(f"{prefix}{name}", len(content)):
            for one, its_content in files.items():
                self.write(f"{prefix}{one}", its_content)

    def send_once(self, key: str, file: Path) -> None:
        """A file of which its key says all, in parallel parts where it is large; one of the same size is the same."""
        if self._is_there(key, file.stat().st_size):
            return
        from s3transfer.manager import TransferManager

        with answers(f"s3://{self.bucket}/{key} cannot be written"), TransferManager(self._s3) as manager:
            manager.upload(str(file), self.bucket, key, extra_args=self._extra()).result()

    def read(self, key: str) -> bytes | None:
        """An object, None if there is none."""
        with answers(f"s3://{self.bucket}/{key} cannot be read"):
            try:
                found = self._s3.get_object(Bucket=self.bucket, Key=key, **self._owner)
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
            return bytes(found["Body"].read())

    def is_any_below(self, prefix: str, *, but: tuple[str, ...] = ()) -> bool:
        """Whether there is an object whose key begins so, besides these."""
        with answers(f"s3://{self.bucket}/{prefix} cannot be listed"):
            found = self._s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=len(but) + 1, **self._owner)
        return any(one["Key"] not in but for one in found.get("Contents", ()))

    def _is_there(self, key: str, size: int) -> bool:
        with answers(f"s3://{self.bucket}/{key} cannot be looked at"):
            try:
                found = self._s3.head_object(Bucket=self.bucket, Key=key, **self._owner)
            except ClientError as error:
                if is_not_found(error):
                    return False
                raise
        return bool(found["ContentLength"] == size)

    def _put(self, key: str, content: bytes, **conditions: str) -> None:
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=content, **self._extra(), **conditions)

    def _extra(self) -> dict[str, Any]:
        keyed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key} if self.kms_key else {}
        return {**self._owner, "ChecksumAlgorithm": "SHA256", **keyed}
