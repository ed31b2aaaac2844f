"""The bucket for code and outputs: whose it is, where it is, and how it is made."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import answers, code_of, http_status_of, is_denied, is_not_found

FIRST_REGION = "us-east-1"
"""The only one that a bucket is not told about: it is where buckets are made by default."""
DAYS_FOR_PARTS = 7
"""Parts of uploads that were broken off cost money until somebody removes them."""


@dataclass(frozen=True)
class Bucket:
    """A bucket as seen from here.

    Attributes:
        region: "" where it is not told.
        is_ours: Belongs to the account that asks; None where nobody may look.
    """

    name: str
    region: str
    is_ours: bool | None


def new_name(region: str) -> str:
    """Names are shared by all accounts, so a name that can be guessed can be taken by somebody else before us."""
    return f"ipymlops-{secrets.token_hex(6)}-{region}"


def is_made_by_setup(name: str, region: str) -> bool:
    return re.fullmatch(rf"ipymlops-[0-9a-f]{{12}}-{re.escape(region)}", name) is not None


def made_earlier(aws: Aws) -> list[str]:
    """The account's buckets that `setup` has made in this region, by name; none where they may not be listed."""
    return sorted(name for name in _own_names(aws) or () if is_made_by_setup(name, aws.region))


def bucket_named(aws: Aws, name: str) -> Bucket | None:
    """The bucket; None if there is none of that name anywhere."""
    with answers(f"the bucket {name} cannot be looked at"):
        try:
            seen = aws.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=aws.account())
        except ClientError as error:
            if is_not_found(error):
                return None
            if http_status_of(error) != 403:  # noqa: PLR2004 - another's, or it may not be looked at
                raise
            own = _own_names(aws)
            return Bucket(name, _region(error.response), is_ours=None if own is None else name in own)
    return Bucket(name, _region(seen), is_ours=True)


def _own_names(aws: Aws) -> set[str] | None:
    """The account's own buckets; None where they may not be listed."""
    with answers("the account's buckets cannot be listed"):
        try:
            return {row["Name"] for row in aws.client("s3").list_buckets()["Buckets"]}
        except ClientError as error:
            if is_denied(error):
                return None
            raise


def _region(answer: object) -> str:
    told = answer if isinstance(answer, dict) else {}
    headers = told.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(told.get("BucketRegion") or headers.get("x-amz-bucket-region") or "")


def make_bucket(aws: Aws, name: str) -> None:
    """Make it: closed to the public, encrypted, broken uploads cleared. One that was there is left as it is.

    Raises: `PlatformProblem` if somebody else has the name.
    """
    s3, owner = aws.client("s3"), aws.account()
    with answers(f"the bucket {name} could not be made"):
        is_new = _create(aws, name)
        if not is_new and not is_made_by_setup(name, aws.region):
            return
        s3.put_public_access_block(
            Bucket=name,
            ExpectedBucketOwner=owner,
            PublicAccessBlockConfiguration=dict.fromkeys(
                ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
            ),
        )
        s3.put_bucket_encryption(
            Bucket=name,
            ExpectedBucketOwner=owner,
            ServerSideEncryptionConfiguration=encryption(aws.settings.get("kms_key")),
        )
        rule = {
            "ID": "ipymlops-unfinished-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": DAYS_FOR_PARTS},
        }
        s3.put_bucket_lifecycle_configuration(
            Bucket=name, ExpectedBucketOwner=owner, LifecycleConfiguration={"Rules": [rule]}
        )


def encryption(kms_key: str | None) -> dict[str, Any]:
    """How a bucket encrypts what is put there with no word about it, as what SageMaker mirrors is."""
    if not kms_key:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}]}


def _create(aws: Aws, name: str) -> bool:
    """Whether it is new. us-east-1 makes a bucket of ours anew without a word, so it is looked for first."""
    there = bucket_named(aws, name)
    if there is not None and there.is_ours:
        return False
    where = {} if aws.region == FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    try:
        if there is None:
            aws.client("s3").create_bucket(Bucket=name, **where)
            return True
    except ClientError as error:
        if code_of(error) == "BucketAlreadyOwnedByYou":  # made meanwhile by another session of ours
            return False
        if code_of(error) != "BucketAlreadyExists":
            raise
    raise PlatformProblem(
        f"the bucket {name} could not be made",
        why="there is one of that name, of another account; all accounts share the names",
        fix="ipymlops setup sagemaker --yes",
    )


def removal_line(name: str) -> str:
    """The command that deletes a bucket and everything in it."""
    return f"aws s3 rb s3://{name} --force"
