"""The services beside SageMaker: what the server answers itself, repairs, or passes on."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest

from tests.servers.sagemaker_api import SageMakerApi
from tests.unit.servers.conftest import Create, Refusal

GROUP = "/aws/sagemaker/TrainingJobs"
STREAM = {"logGroupName": GROUP, "logStreamName": "j/algo-1-1"}


@pytest.fixture
def s3(api: SageMakerApi) -> Any:
    return api.client_as(api.env, "s3")


@pytest.fixture
def logs(api: SageMakerApi) -> Any:
    client = api.client_as(api.env, "logs")
    client.create_log_group(logGroupName=GROUP)
    return client


def test_who_the_caller_is(api: SageMakerApi) -> None:
    arn = api.client_as(api.env, "sts").get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{api.account}:assumed-role/Developer/someone@example.com"
    roles = {one["Arn"]: one for one in api.client_as(api.env, "iam").list_roles()["Roles"]}
    trust = roles[api.role]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}


def test_rights_can_be_simulated(api: SageMakerApi, refusal: Refusal) -> None:
    api.faults.denied, api.faults.denied_to_role = {"iam:PassRole"}, {"s3:GetObject"}
    iam = api.client_as(api.env, "iam")
    for source, denied in ((api.developer, "iam:PassRole"), (api.role, "s3:GetObject")):
        asked = {"PolicySourceArn": source, "ActionNames": ["iam:PassRole", "s3:GetObject"]}
        told = iam.simulate_principal_policy(**asked)["EvaluationResults"]
        assert {one["EvalActionName"] for one in told if one["EvalDecision"] == "implicitDeny"} == {denied}
    session = f"arn:aws:sts::{api.account}:assumed-role/Developer/x"
    assert refusal(iam.simulate_principal_policy, PolicySourceArn=session, ActionNames=["a:B"])[0] == "InvalidInput"


def test_prices_come_in_pages_with_rows_of_nothing(api: SageMakerApi, refusal: Refusal) -> None:
    wanted = {"regionCode": "us-east-1", "instanceName": "ml.g5.xlarge", "platoinstancetype": "Training"}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    prices = api.client_as(api.env, "pricing")
    pages = list(prices.get_paginator("get_products").paginate(ServiceCode="AmazonSageMaker", Filters=filters[:2]))
    assert len(pages) > 1
    rows = prices.get_products(ServiceCode="AmazonSageMaker", Filters=filters)["PriceList"]
    usd = [
        float(dimension["pricePerUnit"]["USD"])
        for row in rows
        for term in json.loads(row)["terms"]["OnDemand"].values()
        for dimension in term["priceDimensions"].values()
    ]
    assert usd == [0.0, 1.408, 0.0]
    elsewhere = api.client_as(api.env, "pricing", "eu-west-1")
    assert refusal(elsewhere.get_products, ServiceCode="AmazonSageMaker")[0] == "InvalidParameterException"


def test_a_quota_may_have_only_a_default(api: SageMakerApi, refusal: Refusal) -> None:
    quotas, name = api.client_as(api.env, "service-quotas"), "ml.p4d.24xlarge for training job usage"
    rows: dict[str, dict[str, Any]] = {}
    for call in ("list_service_quotas", "list_aws_default_service_quotas"):
        pages = quotas.get_paginator(call).paginate(ServiceCode="sagemaker")
        rows[call] = {one["QuotaName"]: one for page in pages for one in page["Quotas"]}
    assert name not in rows["list_service_quotas"]
    row = rows["list_aws_default_service_quotas"][name]
    assert (row["QuotaCode"], row["Value"]) == ("L-09B4A649", 0.0)
    asked = {"ServiceCode": "sagemaker", "QuotaCode": row["QuotaCode"]}
    assert refusal(quotas.get_service_quota, **asked)[0] == "NoSuchResourceException"
    told = quotas.request_service_quota_increase(**asked, DesiredValue=1)["RequestedQuota"]
    assert (told["Status"], api.quotas.requests[0]["QuotaName"]) == ("PENDING", name)
    again = refusal(quotas.request_service_quota_increase, **asked, DesiredValue=2)
    assert again[0] == "ResourceAlreadyExistsException"


def test_images_say_which_manifest_they_have(api: SageMakerApi, refusal: Refusal) -> None:
    ecr = api.client_as(api.env, "ecr")
    types = {
        tag: ecr.describe_images(repositoryName="python", imageIds=[{"imageTag": tag}])["imageDetails"][0]
        for tag in ("1", "oci")
    }
    assert "docker.distribution.manifest.v2" in types["1"]["imageManifestMediaType"]
    assert "oci.image.manifest.v1" in types["oci"]["imageManifestMediaType"]
    absent = {"repositoryName": "python", "imageIds": [{"imageTag": "9"}]}
    assert refusal(ecr.describe_images, **absent)[0] == "ImageNotFoundException"


def test_the_vendors_images_are_in_the_vendors_registry(api: SageMakerApi, refusal: Refusal) -> None:
    asked = {"repositoryName": "pytorch", "imageIds": [{"imageTag": "2.13-cpu-amzn2023-sagemaker"}]}
    for region in ("us-east-1", "eu-central-1"):
        ecr = api.client_as(api.env, "ecr", region)
        assert len(ecr.describe_images(registryId="763104351884", **asked)["imageDetails"]) == 1
        assert refusal(ecr.describe_images, **asked)[0] == "RepositoryNotFoundException"


def test_buckets_of_others_and_of_other_regions(api: SageMakerApi, s3: Any, refusal: Refusal) -> None:
    assert s3.head_bucket(Bucket=api.bucket)["BucketRegion"] == "us-east-1"
    assert s3.head_bucket(Bucket=api.other_bucket)["BucketRegion"] == "eu-central-1"
    assert s3.get_bucket_location(Bucket=api.other_bucket)["LocationConstraint"] == "eu-central-1"
    assert refusal(s3.head_bucket, Bucket=api.foreign_bucket)[0] == "403"
    assert refusal(s3.head_bucket, Bucket="no-such-bucket-at-all")[0] == "404"
    assert refusal(s3.head_bucket, Bucket=api.bucket, ExpectedBucketOwner="111111111111")[0] == "403"
    assert refusal(s3.create_bucket, Bucket=api.foreign_bucket)[0] == "BucketAlreadyExists"
    assert 301 in [call.status for call in api.calls]


def test_objects_are_conditional_checksummed_and_ranged(api: SageMakerApi, s3: Any, refusal: Refusal) -> None:
    place = {"Bucket": api.bucket, "Key": "a/b c#ä"}
    s3.put_object(**place, Body=b"0123456789", IfNoneMatch="*", ChecksumAlgorithm="SHA256")
    assert refusal(s3.put_object, **place, Body=b"other", IfNoneMatch="*")[0] == "PreconditionFailed"
    assert "ChecksumSHA256" in s3.head_object(**place, ChecksumMode="ENABLED")
    part = s3.get_object(**place, Range="bytes=2-4")
    assert (part["Body"].read(), part["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert refusal(s3.get_object, **place, Range="bytes=10-")[0] == "InvalidRange"
    etag = s3.head_object(**place)["ETag"]
    assert refusal(s3.get_object, **place, IfMatch='"0"')[0] == "PreconditionFailed"
    assert s3.get_object(**place, IfMatch=etag)["Body"].read() == b"0123456789"


def test_of_many_conditional_writers_one_wins(api: SageMakerApi, s3: Any) -> None:
    won: list[int] = []

    def put(number: int) -> None:
        try:
            s3.put_object(Bucket=api.bucket, Key="once", Body=b"%d" % number, IfNoneMatch="*")
            won.append(number)
        except s3.exceptions.ClientError:
            return

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"%d" % number for number in won] == [s3.get_object(Bucket=api.bucket, Key="once")["Body"].read()]


def test_an_upload_gets_leave_before_its_body(api: SageMakerApi) -> None:
    """A client asks "may I go on?" before a body, and waits a second where nobody answers."""
    head = f"PUT /{api.bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")


def test_the_log_group_is_not_there_before_the_first_job(api: SageMakerApi, refusal: Refusal) -> None:
    logs = api.client_as(api.env, "logs")
    for call in (logs.describe_log_streams, logs.filter_log_events):
        assert refusal(call, logGroupName=GROUP)[0] == "ResourceNotFoundException"
    assert refusal(logs.get_log_events, **STREAM)[0] == "ResourceNotFoundException"


def test_empty_messages_are_dropped(api: SageMakerApi, logs: Any) -> None:
    logs.create_log_stream(**STREAM)
    now, lax = int(time.time() * 1000), api.client_as(api.env, "logs", parameter_validation=False)
    for texts in (("a", "", "b"), ("",)):
        lax.put_log_events(**STREAM, logEvents=[{"timestamp": now, "message": text} for text in texts])
    assert [one["message"] for one in logs.get_log_events(**STREAM)["events"]] == ["a", "b"]


def test_a_token_gives_what_came_after_it(api: SageMakerApi, logs: Any) -> None:
    now = time.time()
    api.write_log("us-east-1", STREAM["logStreamName"], [(now, "a"), (now, ""), (now, "b")])
    page = logs.get_log_events(**STREAM, startFromHead=True, limit=1)
    token = page["nextForwardToken"]
    api.write_log("us-east-1", STREAM["logStreamName"], [(now - 60, "late")])
    page = logs.get_log_events(**STREAM, nextToken=token)
    assert [one["message"] for one in page["events"]] == ["b", "late"]
    token = page["nextForwardToken"]
    assert logs.get_log_events(**STREAM, nextToken=token)["nextForwardToken"] == token
    assert [one["message"] for one in logs.get_log_events(**STREAM, limit=1)["events"]] == ["late"]


def test_a_page_of_a_log_has_at_most_a_megabyte(api: SageMakerApi, logs: Any) -> None:
    api.write_log("us-east-1", STREAM["logStreamName"], [(time.time(), "x" * 200_000) for _ in range(12)])
    assert len(logs.get_log_events(**STREAM, startFromHead=True)["events"]) == 5


def test_a_filter_takes_a_prefix_of_stream_names(api: SageMakerApi, logs: Any, refusal: Refusal) -> None:
    now = time.time()
    for stream in ("j/algo-1-1", "j/algo-2-1", "j2/algo-1-1"):
        api.write_log("us-east-1", stream, [(now, stream)])
    events = logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="j/")["events"]
    assert {event["message"] for event in events} == {"j/algo-1-1", "j/algo-2-1"}
    both = {"logStreamNamePrefix": "j/", "logStreamNames": ["j/algo-1-1"]}
    assert refusal(logs.filter_log_events, logGroupName=GROUP, **both)[0] == "InvalidParameterException"


def test_calls_are_written_down_as_iam_names_them(api: SageMakerApi, create: Create, s3: Any) -> None:
    s3.put_object(Bucket=api.bucket, Key="k", Body=b"12345")
    s3.head_object(Bucket=api.bucket, Key="k")
    s3.list_objects_v2(Bucket=api.bucket)
    s3.get_object(Bucket=api.bucket, Key="k")["Body"].read()
    s3.delete_objects(Bucket=api.bucket, Delete={"Objects": [{"Key": "k"}]})
    api.client("s3").list_buckets()
    create(Tags=[{"Key": "a", "Value": "b"}])
    rights = [call.right for call in api.calls]
    s3_rights = ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:GetObject", "s3:DeleteObject"]
    assert rights == [*s3_rights, "sagemaker:CreateTrainingJob"]
    put, get = api.calls[0], api.calls[3]
    assert (put.resource, put.sent_bytes, get.got_bytes) == (f"arn:aws:s3:::{api.bucket}/k", 5, 5)
    assert ("iam:PassRole", api.role) in api.rights_used()
    job = f"arn:aws:sagemaker:us-east-1:{api.account}:training-job/job-1"
    assert ("sagemaker:AddTags", job) in api.rights_used()
