"""What SageMaker mirrors is encrypted by the bucket's own default key: whether that is the user's is looked at."""

import json
import shlex

import pytest

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.buckets import make_bucket
from ipymlops.platforms.sagemaker.checks import checks

NUMBER = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:us-east-1:123456789012:key/{NUMBER}"
OTHER = f"arn:aws:kms:us-east-1:123456789012:key/{NUMBER[::-1]}"
ALIAS = "alias/mine"


def encrypts(api, key, algorithm="aws:kms"):
    by_default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]}
    api.client("s3").put_bucket_encryption(Bucket=api.bucket, ServerSideEncryptionConfiguration=rules)


def found(api, home, **settings):
    aws = Aws(home, {**api.settings, **settings}, api.env)
    return {check.id: check for check in checks(aws)}


@pytest.mark.parametrize(
    ("default", "key", "status"),
    [
        (KEY, KEY, "ok"),
        (KEY, NUMBER, "ok"),
        (NUMBER, KEY, "ok"),
        (ALIAS, f"arn:aws:kms:us-east-1:123456789012:{ALIAS}", "ok"),
        (OTHER, KEY, "warn"),
        (None, KEY, "warn"),
        (ALIAS, KEY, "unknown"),
    ],
    ids=["same", "by its id", "as its id", "alias", "another", "AWS's", "behind an alias"],
)
def test_the_bucket_s_key_is_compared_with_the_one_that_is_set(api, home, default, key, status):
    encrypts(api, default)
    assert found(api, home, kms_key=key)["sagemaker.key"].status == status


@pytest.mark.parametrize("is_said", [True, False], ids=["said", "not said"])
def test_a_bucket_of_keys_of_aws_is_mended_by_the_line_that_is_told(api, home, is_said):
    if is_said:
        encrypts(api, None, "AES256")
    told = found(api, home, kms_key=KEY)["sagemaker.key"]
    assert told.status == "warn"
    words = shlex.split(told.fix)
    assert words[:5] == ["aws", "s3api", "put-bucket-encryption", "--bucket", api.bucket]
    rules = json.loads(words[-1])
    api.client("s3").put_bucket_encryption(Bucket=api.bucket, ServerSideEncryptionConfiguration=rules)
    assert found(api, home, kms_key=KEY)["sagemaker.key"].status == "ok"


def test_where_it_may_not_be_asked_nobody_knows(api, home):
    api.faults.denied = {"s3:GetEncryptionConfiguration"}
    assert found(api, home, kms_key=KEY)["sagemaker.key"].status == "unknown"


def test_without_a_key_nothing_is_asked(api, home):
    assert "sagemaker.key" not in found(api, home)
    assert "GetEncryptionConfiguration" not in {call.action for call in api.calls}


def test_a_bucket_that_setup_makes_encrypts_with_the_key(api, home):
    make_bucket(Aws(home, {"region": "us-east-1", "kms_key": KEY}, api.env), "ipymlops-0123456789ab-us-east-1")
    made = found(api, home, kms_key=KEY, bucket="ipymlops-0123456789ab-us-east-1")
    assert made["sagemaker.key"].status == "ok"
