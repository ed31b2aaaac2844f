"""Each fault that the server can be told to have, as an unmodified client meets it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from json import dumps, loads
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from tests.servers.sagemaker_api import Faults, SageMakerApi, Scripted
from tests.unit.servers.conftest import Create, Refusal

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def logs(api: SageMakerApi) -> Any:
    return api.client_as(api.env, "logs")


@pytest.fixture
def s3(api: SageMakerApi) -> Any:
    return api.client_as(api.env, "s3")


def test_a_reset_takes_all_faults_away(api: SageMakerApi) -> None:
    api.faults.create_reply_lost = 3
    api.faults.denied.add("s3:*")
    bucket = api.bucket
    api.reset()
    assert (api.faults, api.calls, api.jobs, api.bucket != bucket) == (Faults(), [], {}, True)


def test_a_create_whose_reply_is_lost_made_its_job(api: SageMakerApi, create: Create) -> None:
    api.faults.create_reply_lost = 1
    with pytest.raises(ConnectionClosedError):
        create()
    assert [job.name for job in api.all_jobs()] == ["job-1"]
    assert api.calls[-1].status == 0


def test_a_client_that_retries_meets_its_own_job(
    api: SageMakerApi, patient: Any, request_of: Callable[..., dict[str, Any]], refusal: Refusal
) -> None:
    api.faults.create_reply_lost = 1
    assert refusal(patient.create_training_job, **request_of())[0] == "ResourceInUse"
    assert [call.status for call in api.calls] == [0, 400]


def test_a_create_that_answers_500_may_have_made_its_job(api: SageMakerApi, create: Create) -> None:
    api.faults.create_500_before = api.faults.create_500_after = 1
    for made in (0, 1):
        with pytest.raises(ClientError) as caught:
            create()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert len(api.all_jobs()) == made


def test_throttling(api: SageMakerApi, sagemaker: Any, patient: Any, refusal: Refusal) -> None:
    api.faults.throttle_next = {"Search": 2}
    assert refusal(sagemaker.search, Resource="TrainingJob") == ("ThrottlingException", "Rate exceeded")
    assert patient.search(Resource="TrainingJob")["ResponseMetadata"]["RetryAttempts"] == 1


def test_list_and_search_share_a_rate(api: SageMakerApi, sagemaker: Any, refusal: Refusal) -> None:
    api.faults.list_rate_per_s = 2 / 3600
    sagemaker.list_training_jobs()
    assert refusal(sagemaker.search, Resource="TrainingJob") == ("ThrottlingException", "Rate exceeded")
    api.client_as(api.env, "sagemaker", "eu-central-1").list_training_jobs()
    api.faults.list_rate_per_s = None
    sagemaker.search(Resource="TrainingJob")


def test_a_quota_refuses_without_a_job(api: SageMakerApi, create: Create, refusal: Refusal) -> None:
    api.faults.resource_limit = 1
    code, text = refusal(create, ResourceConfig={"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2})
    assert code == "ResourceLimitExceeded"
    assert text.startswith(
        "The account-level service limit 'ml.p4d.24xlarge for training job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 2 Instances."
    )
    assert api.all_jobs() == []
    create()


def test_our_own_first_attempt_may_hold_the_quota(api: SageMakerApi, create: Create, refusal: Refusal) -> None:
    api.script = Scripted(("Starting",))
    api.faults.resource_limit_after_own_first = 1
    with pytest.raises(ConnectionClosedError):
        create("mine")
    assert refusal(create, "mine")[0] == refusal(create, "other")[0] == "ResourceLimitExceeded"
    assert [job.name for job in api.all_jobs()] == ["mine"]
    api.job("mine").finish("Completed")
    create("other")


def test_quotas_can_be_enforced(api: SageMakerApi, create: Create, refusal: Refusal) -> None:
    api.faults.enforce_quotas, api.script = True, Scripted(("Starting",))
    create("one", ResourceConfig={"InstanceType": "ml.g5.xlarge", "InstanceCount": 2})
    more = {"ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1}}
    code, text = refusal(create, "two", **more)
    assert (code, "is 2 Instances, with current utilization of 2" in text) == ("ResourceLimitExceeded", True)
    api.job("one").finish("Completed")
    create("two", **more)


def test_no_machines_minutes_later(api: SageMakerApi, create: Create, sagemaker: Any) -> None:
    api.faults.capacity_error = 1
    create()
    told = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert told["TrainingJobStatus"] == "Failed"
    assert told["FailureReason"].startswith("CapacityError: Unable to provision requested ML compute capacity.")


def test_an_expired_token_is_refused_by_each_service_in_its_way(api: SageMakerApi, s3: Any, sagemaker: Any) -> None:
    api.faults.expire_token = True
    assert _code(sagemaker.list_training_jobs) == "ExpiredTokenException"
    assert _code(lambda: s3.list_objects_v2(Bucket=api.bucket)) == "ExpiredToken"
    assert _code(lambda: s3.head_object(Bucket=api.bucket, Key="x")) == "400"
    assert _code(api.client_as(api.env, "sts").get_caller_identity) == "ExpiredToken"
    assert api.client_as(api.fresh_env, "sts").get_caller_identity()["Account"] == api.account
    api.faults.expire_token = False
    sagemaker.list_training_jobs()


def test_an_unknown_key_is_refused(api: SageMakerApi) -> None:
    assert _code(api.client_as(api.wrong_env, "sts").get_caller_identity) == "InvalidClientTokenId"
    assert _code(api.client_as(api.wrong_env, "sagemaker").list_training_jobs) == "UnrecognizedClientException"
    assert _code(api.client_as(api.wrong_env, "s3").list_buckets) == "InvalidAccessKeyId"


def test_a_denied_right_is_named_as_aws_names_it(
    api: SageMakerApi, create: Create, s3: Any, sagemaker: Any, refusal: Refusal
) -> None:
    api.faults.denied = {"iam:PassRole", "sagemaker:List*", "s3:ListBucket", "s3:PutObject"}
    who = f"User: arn:aws:sts::{api.account}:assumed-role/Developer/someone@example.com"
    assert refusal(create) == (
        "AccessDeniedException",
        (
            f"{who} is not authorized to perform: iam:PassRole on resource: {api.role} because no identity-based policy "
            "allows the iam:PassRole action"
        ),
    )
    assert refusal(sagemaker.list_training_jobs)[0] == "AccessDeniedException"
    assert refusal(s3.put_object, Bucket=api.bucket, Key="x")[0] == "AccessDenied"
    assert refusal(s3.head_object, Bucket=api.bucket, Key="x") == ("403", "Forbidden")
    assert refusal(s3.get_object, Bucket=api.bucket, Key="missing")[0] == "AccessDenied"
    api.client("s3").put_object(Bucket=api.bucket, Key="there")
    s3.get_object(Bucket=api.bucket, Key="there")


def test_tags_at_a_create_need_a_right(api: SageMakerApi, create: Create, refusal: Refusal) -> None:
    api.faults.denied = {"sagemaker:AddTags"}
    assert "sagemaker:AddTags" in refusal(create, Tags=[{"Key": "a", "Value": "b"}])[1]
    create()


def test_the_execution_role_is_another_principal(api: SageMakerApi, refusal: Refusal) -> None:
    api.faults.denied_to_role = {"secretsmanager:GetSecretValue"}
    api.client("secretsmanager").create_secret(Name="AmazonSageMaker-x", SecretString="v")
    ask = {"SecretId": "AmazonSageMaker-x"}
    text = refusal(api.client_as(api.execution_env, "secretsmanager").get_secret_value, **ask)[1]
    assert f"assumed-role/{api.role.rpartition('/')[2]}/SageMaker is not authorized to perform" in text
    assert api.client_as(api.env, "secretsmanager").get_secret_value(**ask)["SecretString"] == "v"
    assert [call.by for call in api.calls] == ["role", "caller"]


def test_a_clock_that_is_far_ahead_refuses_signatures(api: SageMakerApi, sagemaker: Any, s3: Any) -> None:
    api.faults.clock_skew_s = 120
    ahead = sagemaker.list_training_jobs()["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert ahead != time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    api.faults.clock_skew_s = 3600
    assert _code(sagemaker.list_training_jobs) == "InvalidSignatureException"
    assert _code(lambda: s3.get_object(Bucket=api.bucket, Key="x")) == "RequestTimeTooSkewed"


def test_a_download_breaks_off(api: SageMakerApi, s3: Any) -> None:
    s3.put_object(Bucket=api.bucket, Key="x", Body=bytes(1000))
    api.faults.cut_s3_get_after, api.faults.cut_s3_gets = 300, 1
    with pytest.raises(ResponseStreamingError):
        s3.get_object(Bucket=api.bucket, Key="x")["Body"].read()
    assert len(s3.get_object(Bucket=api.bucket, Key="x")["Body"].read()) == 1000


def test_empty_pages_of_a_log_have_a_token_that_differs(api: SageMakerApi, logs: Any) -> None:
    _write(api, "a", "b")
    api.faults.empty_log_pages = 3
    sizes, messages, token = [], [], {}
    while True:
        page = logs.get_log_events(logGroupName=GROUP, logStreamName="j/algo-1-1", startFromHead=True, **token)
        if page["nextForwardToken"] == token.get("nextToken"):
            break
        token = {"nextToken": page["nextForwardToken"]}
        sizes.append(len(page["events"]))
        messages += [event["message"] for event in page["events"]]
    assert (messages, sizes) == (["a", "b"], [0, 0, 0, 2])


def test_empty_pages_of_a_filter(api: SageMakerApi, logs: Any) -> None:
    _write(api, "a", "b")
    api.faults.empty_log_pages = 2
    found = list(logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix="j/"))
    assert [len(page["events"]) for page in found] == [0, 0, 2]


def test_an_event_may_come_twice_over_pages(api: SageMakerApi, logs: Any) -> None:
    _write(api, "a", "b", "c", "d")
    api.faults.duplicate_log_events = True
    found = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, limit=2)
    events = [event for page in found for event in page["events"]]
    assert [event["message"] for event in events] == ["a", "b", "b", "c", "d"]
    assert len({event["eventId"] for event in events}) == 4


def test_late_events_are_not_there_yet(api: SageMakerApi, logs: Any) -> None:
    _write(api, "a")
    api.faults.late_log_events = 3600
    page = logs.get_log_events(logGroupName=GROUP, logStreamName="j/algo-1-1", startFromHead=True)
    assert page["events"] == []
    api.faults.late_log_events = 0
    again = {"logGroupName": GROUP, "logStreamName": "j/algo-1-1", "nextToken": page["nextForwardToken"]}
    assert [event["message"] for event in logs.get_log_events(**again)["events"]] == ["a"]


def test_an_old_token_is_refused(api: SageMakerApi, logs: Any, refusal: Refusal) -> None:
    _write(api, "a")
    stream = {"logGroupName": GROUP, "logStreamName": "j/algo-1-1", "startFromHead": True}
    token = logs.get_log_events(**stream)["nextForwardToken"]
    api.faults.log_token_invalid = 1
    assert refusal(logs.get_log_events, **stream, nextToken=token)[0] == "InvalidParameterException"
    assert logs.get_log_events(**stream, nextToken=token)["nextForwardToken"] == token


def test_another_process_can_have_a_server_of_its_own() -> None:
    root = Path(__file__).parents[3]
    words = [sys.executable, "-m", "tests.servers.sagemaker_api"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        told = loads(server.stdout.readline())
        assert told["env"]["AWS_ENDPOINT_URL"] == told["url"]
        for asked in ({"seed_jobs": 3, "faults": {"list_rate_per_s": 2}}, {"faults": {"nope": 1}}, {"calls": True}):
            server.stdin.write(dumps(asked) + "\n")
        server.stdin.flush()
        answers = [loads(server.stdout.readline()) for _ in range(3)]
        assert answers == [{"calls": []}, {"error": "no fault is called nope"}, {"calls": []}]
        server.stdin.close()
        assert server.wait(120) == 0


def _write(api: SageMakerApi, *texts: str) -> None:
    api.write_log("us-east-1", "j/algo-1-1", [(time.time(), text) for text in texts])


def _code(call: Callable[[], Any]) -> str:
    """What a call is refused with; "" where it is not."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""
