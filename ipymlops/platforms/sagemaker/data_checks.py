"""Whether the data of a job is there, where the job can read it, and no more than what was meant."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.buckets import bucket_named
from ipymlops.platforms.sagemaker.data import Data
from ipymlops.platforms.sagemaker.layout import bucket_and_key
from ipymlops.platforms.sagemaker.problems import answers, is_denied


def check_data(aws: Aws, data: Data) -> None:
    """Raise `PlatformProblem` for data that is not there, elsewhere, or more than the one object that is named."""
    if data.scheme != "s3":
        return  # only the machine within the network sees it
    bucket, key = bucket_and_key(data.uri)
    _check_region(aws, data, bucket)
    keys = _first_keys(aws, data, bucket, key)
    what = f"--data {data.name}={data.uri}"
    if not keys:
        fix = f"aws s3 ls s3://{bucket}/{key.rpartition('/')[0]}"
        raise PlatformProblem(f"{what} is not there; nothing was sent", why=f"no key begins with {key}", fix=fix)
    if data.uri.endswith("/") or keys == [key]:
        return
    if key in keys:
        why = f"SageMaker reads every key that begins with {key}, so {next(one for one in keys if one != key)} too"
        raise PlatformProblem(
            f"{what} means more than one object; nothing was sent", why=why, fix=f"aws s3 ls {data.uri}"
        )
    raise PlatformProblem(
        f"{what} is no object; nothing was sent",
        why=f"keys that begin so are there ({keys[0]}); the name of a folder ends with a slash",
        fix=f"--data {data.name}={data.uri}/",
    )


def _check_region(aws: Aws, data: Data, name: str) -> None:
    bucket = bucket_named(aws, name)
    if bucket is None:
        raise PlatformProblem(f"--data {data.name}: there is no bucket {name}; nothing was sent", fix="aws s3 ls")
    if bucket.region and bucket.region != aws.region:
        raise PlatformProblem(
            f"--data {data.name} is in {bucket.region}; nothing was sent",
            why=f"a training job reads only buckets of its own region, {aws.region}",
            fix=f"aws s3 cp --recursive {data.uri} s3://BUCKET-IN-{aws.region}/",
        )


def _first_keys(aws: Aws, data: Data, bucket: str, key: str) -> list[str]:
    with answers(f"--data {data.name} cannot be looked at"):
        try:
            found = aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=2)
        except ClientError as error:
            if is_denied(error):  # the role may read it all the same
                return [key]
            raise
    return [one["Key"] for one in found.get("Contents", ())]
