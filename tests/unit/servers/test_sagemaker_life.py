"""The life of a training job, lists and searches, as an unmodified client sees them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest

from tests.servers.sagemaker_api import SageMakerApi, Scripted
from tests.unit.servers.conftest import Create, Refusal


@pytest.fixture
def steered(api: SageMakerApi) -> SageMakerApi:
    """Jobs do what the test says."""
    api.script = Scripted(("Starting",), obeys=False)
    return api


def pages(call: Any, token: str = "NextToken", **fields: Any) -> list[Any]:
    answer = call(**fields)
    found = [answer]
    while token in answer:
        answer = call(**fields, NextToken=answer[token])
        found.append(answer)
    return found


def names(page: Any) -> list[str]:
    return [one["TrainingJobName"] for one in page["TrainingJobSummaries"]]


def test_a_job_goes_through_its_states(steered: SageMakerApi, create: Create, sagemaker: Any) -> None:
    create()
    job = steered.job("job-1")
    told = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("InProgress", "Starting")
    assert not {"TrainingStartTime", "TrainingEndTime", "ModelArtifacts", "FailureReason"} & set(told)
    job.transition("Downloading")
    job.transition("Training", "a message")
    job.metrics = [("loss", 0.25, job.now())]
    told = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert told["SecondaryStatusTransitions"][-1]["StatusMessage"] == "a message"
    assert "EndTime" not in told["SecondaryStatusTransitions"][-1]
    job.finish("Failed", reason="AlgorithmError: " + "x" * 2000)
    job.finish("Completed")
    told = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert (told["TrainingJobStatus"], len(told["FailureReason"])) == ("Failed", 1024)
    states = [one["Status"] for one in told["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Downloading", "Training", "Failed"]
    assert all(one["EndTime"] == two["StartTime"] for one, two in pairwise(told["SecondaryStatusTransitions"]))
    assert told["FinalMetricDataList"][0]["MetricName"] == "loss"
    assert told["BillableTimeInSeconds"] == told["TrainingTimeInSeconds"] == 0


def test_stopping(steered: SageMakerApi, create: Create, sagemaker: Any, refusal: Refusal) -> None:
    create()
    for _ in range(2):
        sagemaker.stop_training_job(TrainingJobName="job-1")
        told = sagemaker.describe_training_job(TrainingJobName="job-1")
        assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopping", "Stopping")
    assert refusal(sagemaker.delete_training_job, TrainingJobName="job-1")[0] == "ResourceInUse"
    steered.job("job-1").finish("Stopped", "MaxRuntimeExceeded")
    code, text = refusal(sagemaker.stop_training_job, TrainingJobName="job-1")
    assert (code, "in status Stopped" in text) == ("ValidationException", True)
    assert refusal(sagemaker.stop_training_job, TrainingJobName="no")[1] == "Requested resource not found."


def test_tags_can_change(create: Create, sagemaker: Any, refusal: Refusal) -> None:
    arn = create(Tags=[{"Key": "a", "Value": "1"}])["TrainingJobArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    many = [{"Key": f"t{number}", "Value": ""} for number in range(50)]
    assert refusal(sagemaker.add_tags, ResourceArn=arn, Tags=many)[0] == "ResourceLimitExceeded"


WARM = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30, "KeepAlivePeriodInSeconds": 3600}


def test_a_machine_is_kept_until_its_time_is_over_or_it_is_let_go(
    steered: SageMakerApi, create: Create, sagemaker: Any, refusal: Refusal
) -> None:
    create(ResourceConfig=WARM)
    job = steered.job("job-1")

    def pool() -> Any:
        return sagemaker.describe_training_job(TrainingJobName="job-1").get("WarmPoolStatus")

    def keep(seconds: int) -> dict[str, Any]:
        return {"TrainingJobName": "job-1", "ResourceConfig": {"KeepAlivePeriodInSeconds": seconds}}

    assert pool() == {"Status": "InUse"}
    assert refusal(sagemaker.update_training_job, **keep(0))[0] == "ValidationException"
    job.transition("Training")
    job.finish("Failed")
    assert pool() == {"Status": "Available"}
    assert names(sagemaker.list_training_jobs(WarmPoolStatusEquals="Available")) == ["job-1"]
    assert refusal(sagemaker.delete_training_job, TrainingJobName="job-1")[0] == "ResourceInUse"
    assert refusal(sagemaker.update_training_job, **keep(6 * 3600 + 1))[0] == "ValidationException"
    sagemaker.update_training_job(**keep(7200))
    job.training_ended_at = job.now() - 7000
    assert pool() == {"Status": "Available"}
    sagemaker.update_training_job(**keep(0))
    assert pool()["Status"] == "Terminated"
    assert 7000 <= pool()["ResourceRetainedBillableTimeInSeconds"] < 7200
    assert refusal(sagemaker.update_training_job, **keep(0))[0] == "ValidationException"
    assert names(sagemaker.list_training_jobs(WarmPoolStatusEquals="Available")) == []
    sagemaker.delete_training_job(TrainingJobName="job-1")


def test_the_next_job_takes_the_machine_if_it_asks_for_the_same(
    steered: SageMakerApi, create: Create, sagemaker: Any
) -> None:
    create(ResourceConfig=WARM)
    steered.job("job-1").finish("Completed")
    create(TrainingJobName="job-2", ResourceConfig={**WARM, "VolumeSizeInGB": 31})
    told = sagemaker.describe_training_job(TrainingJobName="job-1")["WarmPoolStatus"]
    assert told == {"Status": "Available"}
    create(TrainingJobName="job-3", ResourceConfig=WARM)
    told = sagemaker.describe_training_job(TrainingJobName="job-1")["WarmPoolStatus"]
    assert (told["Status"], told["ReusedByJob"]) == ("Reused", "job-3")


def test_a_page_has_ten_jobs_unless_asked(api: SageMakerApi, sagemaker: Any, refusal: Refusal) -> None:
    seeded = [job.name for job in api.seed_jobs(25)]
    listed = pages(sagemaker.list_training_jobs)
    assert [len(names(page)) for page in listed] == [10, 10, 5]
    assert [name for page in listed for name in names(page)] == seeded
    down = pages(sagemaker.list_training_jobs, MaxResults=100, SortBy="CreationTime", SortOrder="Descending")
    assert names(down[0]) == seeded[::-1]
    by_name = names(sagemaker.list_training_jobs(MaxResults=100, SortBy="Name"))
    assert by_name == sorted(seeded)
    assert refusal(sagemaker.list_training_jobs, MaxResults=101)[0] == "ValidationException"
    assert refusal(sagemaker.list_training_jobs, NextToken="xyz")[0] == "ValidationException"


def test_a_job_that_comes_between_two_pages_moves_none(api: SageMakerApi, create: Create, sagemaker: Any) -> None:
    seeded = [job.name for job in api.seed_jobs(20)][::-1]
    first = sagemaker.list_training_jobs(SortBy="CreationTime", SortOrder="Descending")
    create("new")
    token = first["NextToken"]
    second = sagemaker.list_training_jobs(SortBy="CreationTime", SortOrder="Descending", NextToken=token)
    assert names(first) + names(second) == seeded


def test_a_status_filter_leaves_pages_empty(steered: SageMakerApi, create: Create, sagemaker: Any) -> None:
    steered.seed_jobs(30)
    create("running")
    listed = pages(sagemaker.list_training_jobs, StatusEquals="InProgress")
    assert [names(page) for page in listed] == [[], [], [], ["running"]]
    lately = datetime.now(timezone.utc) - timedelta(minutes=30)
    listed = pages(sagemaker.list_training_jobs, LastModifiedTimeAfter=lately)
    assert [names(page) for page in listed] == [[], [], [], ["running"]]


def test_creation_times_and_names_are_filtered_before(api: SageMakerApi, create: Create, sagemaker: Any) -> None:
    seeded = api.seed_jobs(30)
    create("mine-1")
    after = datetime.fromtimestamp(seeded[-1].created_at + 1, timezone.utc)
    assert names(sagemaker.list_training_jobs(CreationTimeAfter=after)) == ["mine-1"]
    assert len(names(sagemaker.list_training_jobs(CreationTimeBefore=after, MaxResults=100))) == 30
    assert names(sagemaker.list_training_jobs(NameContains="Mine-")) == ["mine-1"]


def found(client: Any, *filters: tuple[str, str, str], **fields: Any) -> list[str]:
    asked = [{"Name": name, "Operator": operator, "Value": value} for name, operator, value in filters]
    expression = {"SearchExpression": {"Filters": asked}} if asked else {}
    answer = client.search(Resource="TrainingJob", **expression, **fields)
    return [one["TrainingJob"]["TrainingJobName"] for one in answer["Results"]]


def test_a_search_gives_whole_jobs_newest_change_first(api: SageMakerApi, create: Create, sagemaker: Any) -> None:
    api.seed_jobs(5)
    create("mine-1", HyperParameters={"lr": "0.1"}, Tags=[{"Key": "ipymlops:job", "Value": "j1"}])
    create("mine-2")
    api.job("mine-1").tags["late"] = "x"
    answer = sagemaker.search(Resource="TrainingJob")
    assert answer["TotalHits"]["Value"] == 7
    first, second = (one["TrainingJob"] for one in answer["Results"][:2])
    assert (first["TrainingJobName"], second["HyperParameters"]) == ("mine-2", {"lr": "0.1"})
    assert second["Tags"] == [{"Key": "ipymlops:job", "Value": "j1"}, {"Key": "late", "Value": "x"}]


def test_search_filters(api: SageMakerApi, create: Create, sagemaker: Any, refusal: Refusal) -> None:
    api.seed_jobs(20)
    create("mine-1", HyperParameters={"lr": "0.5"}, Tags=[{"Key": "ipymlops:job", "Value": "j1"}])
    hour = datetime.fromtimestamp(time.time() - 1800, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    for one in (
        ("Tags.ipymlops:job", "Equals", "j1"),
        ("HyperParameters.lr", "Equals", "0.5"),
        ("LastModifiedTime", "GreaterThan", hour),
        ("TrainingJobName", "Contains", "ine-1"),
        ("OutputDataConfig.S3OutputPath", "Equals", f"s3://{api.bucket}/out"),
        ("TrainingJobName", "In", "mine-1,mine-2"),
    ):
        assert found(sagemaker, one) == ["mine-1"], one
    assert len(found(sagemaker, ("LastModifiedTime", "LessThanOrEqualTo", hour))) == 20
    assert found(sagemaker, ("TrainingJobStatus", "Equals", "InProgress")) == []
    assert len(found(sagemaker, ("Metrics.val_loss", "LessThan", "0.4"))) == 10
    assert len(found(sagemaker, ("ResourceConfig.InstanceType", "Equals", "ml.g5.xlarge"))) == 5
    missing = {"Filters": [{"Name": "Tags.team", "Operator": "NotExists"}]}
    assert sagemaker.search(Resource="TrainingJob", SearchExpression=missing)["TotalHits"]["Value"] == 1
    many = {"Filters": [{"Name": "TrainingJobName", "Operator": "Exists"}] * 21}
    assert refusal(sagemaker.search, Resource="TrainingJob", SearchExpression=many)[0] == "ValidationException"


def test_search_pages(api: SageMakerApi, sagemaker: Any) -> None:
    seeded = [job.name for job in api.seed_jobs(230)]
    answers = pages(sagemaker.search, Resource="TrainingJob", SortBy="CreationTime", SortOrder="Ascending")
    assert [len(page["Results"]) for page in answers] == [100, 100, 30]
    assert [one["TrainingJob"]["TrainingJobName"] for page in answers for one in page["Results"]] == seeded


def test_search_may_lag(steered: SageMakerApi, create: Create, sagemaker: Any, refusal: Refusal) -> None:
    create()
    steered.faults.search_lag_s = 3600
    assert found(sagemaker) == []
    steered.faults.search_lag_s = 0
    job = steered.job("job-1")
    job.created_at -= 600
    job.transitions[0].start -= 600
    job.transition("Downloading")
    job.finish("Completed")
    state = "TrainingJobStatus", "Equals"
    assert found(sagemaker, (*state, "Completed")) == ["job-1"]
    steered.faults.search_lag_s = 300
    assert (found(sagemaker, (*state, "Completed")), found(sagemaker, (*state, "InProgress"))) == ([], ["job-1"])
    sagemaker.delete_training_job(TrainingJobName="job-1")
    assert found(sagemaker) == ["job-1"]
    steered.faults.search_lag_s = 0
    assert found(sagemaker) == []


def test_twenty_thousand_jobs_fit(api: SageMakerApi, sagemaker: Any) -> None:
    api.seed_jobs(20_000)
    page = sagemaker.search(Resource="TrainingJob", MaxResults=100)
    assert (page["TotalHits"]["Value"], len(page["Results"])) == (20_000, 100)
    assert len(names(sagemaker.list_training_jobs(MaxResults=100))) == 100


def test_the_token_of_a_forgotten_page_is_refused(api: SageMakerApi, sagemaker: Any, refusal: Refusal) -> None:
    api.seed_jobs(20)
    token = sagemaker.list_training_jobs()["NextToken"]
    api.reset()
    assert refusal(sagemaker.list_training_jobs, NextToken=token)[0] == "ValidationException"
