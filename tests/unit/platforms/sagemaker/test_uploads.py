"""What we put into the bucket is encrypted with the key that is set, whatever was there before."""

import pytest

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.uploads import Uploads

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KEYED = ("aws:kms", KEY)


def encryption(api, key):
    head = api.client("s3").head_object(Bucket=api.bucket, Key=key)
    return head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")


def keys(api):
    return {one["Key"] for one in api.client("s3").list_objects_v2(Bucket=api.bucket)["Contents"]}


def test_everything_that_a_job_reads_is_encrypted_with_the_key(api, sender):
    sender.submit()
    before = keys(api)
    request = sender.request(sender.submit(settings=(("kms_key", KEY),)))
    assert {encryption(api, key) for key in keys(api) - before} == {KEYED}
    for channel in request["InputDataConfig"]:
        prefix = channel["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{api.bucket}/")
        assert {encryption(api, key) for key in keys(api) if key.startswith(prefix)} == {KEYED}


def test_without_a_key_the_bucket_s_own_way_of_encrypting_is_left_alone(api, sender):
    sender.submit()
    assert {encryption(api, key)[1] for key in keys(api)} == {None}


@pytest.mark.parametrize("size", [1, 9 << 20], ids=["whole", "in parts"])
def test_a_file_is_encrypted_however_it_is_sent(api, home, tmp_path, size):
    (tmp_path / "code.tar").write_bytes(b"x" * size)
    aws = Aws(home, {**api.settings, "kms_key": KEY}, api.env)
    Uploads(aws, api.bucket, api.account).send_once("ipymlops/code/x/code.tar", tmp_path / "code.tar")
    assert encryption(api, "ipymlops/code/x/code.tar") == KEYED


def test_equal_code_is_sent_once_with_the_same_key(api, sender):
    for _ in range(2):
        sender.submit(settings=(("kms_key", KEY),))
    assert len([key for key in keys(api) if key.endswith("code.tar")]) == 1
