"""Whether the bucket encrypts with the user's key what SageMaker mirrors into it: no field of a job says so."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.buckets import encryption
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_denied

ID = "sagemaker.key"
NONE_SET = "ServerSideEncryptionConfigurationNotFoundError"


def key_check(aws: Aws, bucket: str, key: str) -> Check:
    found = _default_key(aws, bucket)
    if found is None:
        why = "s3:GetEncryptionConfiguration is missing"
        return Check(ID, "unknown", f"whether {bucket} encrypts what jobs write with {key} is not known", why=why)
    is_same = bool(found) and _is_same(found, key)
    if is_same:
        return Check(ID, "ok", f"disks, code and what jobs write in {bucket} are encrypted with {key}")
    return Check(
        ID,
        "unknown" if is_same is None else "warn",
        f"what jobs write in {bucket} is encrypted with {found or 'a key of AWS'}",
        why=f"SageMaker mirrors outputs with the bucket's own default key, and sagemaker.kms_key is {key}",
        fix=f"aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration "
        f"'{json.dumps(encryption(key))}'",
    )


def _default_key(aws: Aws, bucket: str) -> str | None:
    """As the bucket names it, "" for a key of AWS's own; None where it may not be asked."""
    with answers(f"the bucket {bucket} does not say how it encrypts"):
        try:
            told = aws.client("s3").get_bucket_encryption(Bucket=bucket, ExpectedBucketOwner=aws.account())
        except ClientError as error:
            if code_of(error) == NONE_SET:
                return ""
            if is_denied(error):
                return None
            raise
    (rule, *_) = told["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", ""))


def _is_same(one: str, other: str) -> bool | None:
    """Whether two names, each an id, an alias or an ARN, are of one key; None where an alias hides that."""
    names = {name.rpartition(":")[2].removeprefix("key/") for name in (one, other)}
    if len(names) == 1:
        return True
    return None if any(name.startswith("alias/") for name in names) else False
