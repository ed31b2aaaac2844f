"""SageMaker as a user of the command meets it: each line a real process, the service a real server, no engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipymlops.testing.job_runner import eventually
from tests.e2e.sagemaker_lines import Shell, changes, creates, leave_result, packed, put, recorded, say, sign_in
from tests.servers.sagemaker_api import SageMakerApi, Scripted, TrainingJobRecord, sagemaker_api, signed_in

RUNNING = Scripted(("Downloading", "Training"))
PER_HOUR = 25.25
"""What the server's price list says of eight A100."""
TRAIN = ("train", "--on", "sagemaker")
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@pytest.fixture(scope="module")
def server() -> Iterator[SageMakerApi]:
    with sagemaker_api() as running:
        yield running


@pytest.fixture
def api(server: SageMakerApi) -> SageMakerApi:
    """An account in which a job runs until a test ends it."""
    server.reset()
    server.script = RUNNING
    return server


@pytest.fixture
def mlops(api: SageMakerApi, repo: Path) -> Shell:
    """`mlops("show", "1")`, typed by somebody who is signed in and has every setting."""
    return Shell(repo, signed_in(api))


def without_credentials(api: SageMakerApi) -> dict[str, str]:
    """Every setting, and no key in a variable."""
    return {name: value for name, value in signed_in(api).items() if name not in CREDENTIALS}


def the_job(api: SageMakerApi) -> TrainingJobRecord:
    """The only one of the account, once it is there."""
    eventually(api.all_jobs, "a training job")
    (job,) = api.all_jobs()
    return job


def succeed(api: SageMakerApi, job: TrainingJobRecord, *, log_lines: int = 0) -> None:
    """End it as a job ends whose launcher was content."""
    leave_result(api, job, log_lines=log_lines)
    job.finish("Completed")


def listed(mlops: Shell, *words: str) -> list[dict[str, Any]]:
    """The list's jobs."""
    return list(mlops("jobs", "--json", *words).document["jobs"])


def once_listed(mlops: Shell) -> dict[str, Any]:
    """The one job of the account; a line leaves to the background what takes long."""
    (job,) = eventually(lambda: listed(mlops, "platform:sagemaker"), "the account's list")
    return job


def test_a_plan_as_json_is_the_whole_request_and_touches_nothing(mlops, api, home):
    plan = mlops(*TRAIN, "--gpu", "a100", "--plan", "--json", "train.py").document
    assert (plan["machine_type"], plan["accelerator"]) == ("ml.p4d.24xlarge", "a100")
    assert (plan["asked_count"], plan["accelerator_count"], plan["usd_per_hour"]) == (1, 8, PER_HOUR)
    request = plan["request"]["CreateTrainingJob"]
    assert request["ResourceConfig"]["InstanceType"] == "ml.p4d.24xlarge"
    assert request["RoleArn"] == api.role
    assert plan["code"]["files"] == 2
    assert changes(api) == []
    assert recorded(home) == []


def test_a_plan_says_that_eight_are_rented_and_which_are_rented_alone(mlops, api):
    plan = mlops(*TRAIN, "--gpu", "a100", "--plan", "train.py").out
    assert "8 \N{MULTIPLICATION SIGN} a100 (1 asked for)" in plan
    assert "SageMaker rents 8 together, all of them paid" in plan
    (alone,) = [line for line in plan.splitlines() if "it rents alone:" in line]
    assert "--gpu l40s (ml.g6e.xlarge, $2.61 an hour)" in alone
    assert "--gpu h100 (ml.p5.4xlarge" in alone
    assert changes(api) == []


def test_a_job_without_quota_is_queued_and_started_under_its_name_once_there_is_some(mlops, api, home):
    api.faults.resource_limit = 1000
    assert "queued" in mlops(*TRAIN, "train.py").err
    eventually(lambda: recorded(home)[0].detail, "a refusal")
    (waiting,) = eventually(lambda: [one for one in listed(mlops) if one["state"] == "queued"], "queued")
    assert "waits for quota" in waiting["detail"]
    assert "ml.m5.xlarge for training job usage" in waiting["detail"]
    assert api.all_jobs() == []

    api.faults.resource_limit = 0
    awaiting = mlops.start("wait", "1", "--json")
    job = the_job(api)
    succeed(api, job)
    said = awaiting.end()
    assert said.exit_code == 0, said.err
    (ended,) = said.document["jobs"]
    assert (ended["state"], ended["id"], ended["name"]) == ("succeeded", waiting["id"], waiting["name"])
    assert [one.name for one in api.all_jobs()] == [f"{waiting['name']}-{waiting['id']}"]


def test_a_line_that_follows_says_that_and_why_its_job_is_queued(mlops, api):
    api.faults.resource_limit = 1
    said = mlops.start(*TRAIN, "-f", "train.py")
    job = the_job(api)
    succeed(api, job)
    ended = said.end()
    assert ended.exit_code == 0, ended.err
    assert "queued" in ended.err
    assert "waits for quota" in ended.err


def test_no_capacity_is_a_failure_that_names_other_machines_in_order(mlops, api):
    api.faults.capacity_error = 1
    mlops(*TRAIN, "--gpu", "a10g", "train.py")
    said = mlops("wait", "last", "--json", exit_code=1)
    (job,) = said.document["jobs"]
    assert (job["state"], job["end_reason"]) == ("failed", "out_of_capacity")
    shown = mlops("show", "1").out
    assert "AWS has no ml.g5.xlarge free now" in shown
    others = [shown.index(f"--machine ml.g5.{size}xlarge (ml.g5.{size}xlarge, $") for size in (2, 4, 8)]
    assert others == sorted(others)
    assert "next: --machine ml.g5.2xlarge" in shown


def test_a_follow_whose_login_expires_says_so_and_goes_on_with_the_new_one(api, repo):
    mlops = Shell(repo, without_credentials(api))
    sign_in(api.env)
    mlops(*TRAIN, "train.py")
    job = the_job(api)
    say(api, job, "one", "two")
    follow = mlops.start("logs", "1", "-f")
    eventually(lambda: follow.out == "one\ntwo\n", "two lines")
    api.faults.expire_token = True
    told = "AWS does not accept these credentials; the job itself goes on; asking again\n"
    eventually(lambda: told in follow.err, "word of it")

    say(api, job, "two", "three")
    sign_in(api.fresh_env)
    eventually(lambda: follow.out == "one\ntwo\ntwo\nthree\n", "what was written meanwhile")
    say(api, job, "four")
    succeed(api, job, log_lines=5)
    said = follow.end()
    assert (said.exit_code, said.out) == (0, "one\ntwo\ntwo\nthree\nfour\n"), said.err


def test_who_waits_while_the_login_expires_is_told_and_goes_on_with_the_new_one(api, repo):
    mlops = Shell(repo, without_credentials(api))
    sign_in(api.env)
    mlops(*TRAIN, "train.py")
    job = the_job(api)
    api.faults.expire_token = True
    waiting = mlops.start("wait", "1", "--json")
    told = "AWS does not accept these credentials; the job itself goes on; asking again\n"
    eventually(lambda: told in waiting.err, "word of it")
    succeed(api, job)
    sign_in(api.fresh_env)
    said = waiting.end()
    assert (said.exit_code, said.err.count(told)) == (0, 1), said.err
    assert [one["state"] for one in said.document["jobs"]] == ["succeeded"]


@pytest.fixture
def foreign(api: SageMakerApi) -> Callable[..., TrainingJobRecord]:
    """Another tool's job of that name."""

    def make(name: str, script: Scripted = RUNNING) -> TrainingJobRecord:
        api.script = script
        api.client("sagemaker").create_training_job(
            TrainingJobName=name,
            RoleArn=api.role,
            AlgorithmSpecification={"TrainingImage": api.image, "TrainingInputMode": "File"},
            HyperParameters={"lr": "0.1"},
            OutputDataConfig={"S3OutputPath": f"s3://{api.bucket}/foreign"},
            ResourceConfig={"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )
        return api.job(name)

    return make


def test_the_job_of_another_tool_is_listed_shown_and_read(mlops, api, foreign):
    job = foreign("not-ours", Scripted(lines=("first", "second")))
    put(api, job.artifact, packed({"weights.txt": b"w", "deep/auc": b"0.9\n"}))
    there = once_listed(mlops)
    assert (there["name"], there["state"], there["machine_type"]) == ("not-ours", "succeeded", "ml.g5.xlarge")
    assert (there["accelerator"], there["accelerator_count"], there["exit_code"]) == ("a10g", 1, 0)
    shown = mlops("show", "not-ours").out
    assert "not-ours" in shown
    assert "lr" in shown
    assert mlops("logs", "not-ours").out == "first\nsecond\n"
    files = mlops("artifacts", "not-ours", "--json").document["files"]
    paths = ["model.tar.gz", "model.tar.gz/deep/auc", "model.tar.gz/weights.txt"]
    assert sorted(one["path"] for one in files) == paths


def test_the_job_of_another_tool_is_stopped_by_its_name(mlops, api, foreign):
    job = foreign("endless")
    once_listed(mlops)
    mlops("stop", "endless")
    assert job.status == "Stopped"
    assert mlops("show", "endless", "--json").document["state"] == "stopped"


def test_a_stop_twice_is_harmless(mlops, api):
    mlops(*TRAIN, "train.py")
    job = the_job(api)
    for _ in range(2):
        stopped = mlops("stop", "1", "--json").document
        assert stopped["state"] in {"stopping", "stopped"}
    (ended,) = mlops("wait", "1", "--json", exit_code=1).document["jobs"]
    assert (ended["state"], ended["end_reason"], job.status) == ("stopped", "user", "Stopped")
    mlops("stop", "1")


@pytest.mark.parametrize(
    ("words", "seconds", "said"),
    [
        pytest.param((), 86400, "at most $606.00 (24 h)", id="neither"),
        pytest.param(("--max-runtime", "2h"), 7200, "at most $50.50 (2 h)", id="runtime"),
        pytest.param(("--max-cost", "50"), 7128, "at most $49.99 (1 h 58 min)", id="cost"),
    ],
)
def test_the_cap_is_on_the_card_and_in_the_request(mlops, api, words, seconds, said):
    card = mlops(*TRAIN, "--gpu", "a100", *words, "train.py").err
    assert said in card
    assert the_job(api).request["StoppingCondition"]["MaxRuntimeInSeconds"] == seconds


def test_without_credentials_there_is_one_error_and_nothing_is_launched(api, repo, home):
    stranger = Shell(repo, {**without_credentials(api), "AWS_EC2_METADATA_DISABLED": "true"})
    said = stranger(*TRAIN, "train.py", exit_code=4)
    assert said.out == ""
    first, why, fix = said.err.splitlines()
    assert first == "NotSignedIn: not signed in to AWS"
    assert why.startswith("  why: ")
    assert fix.startswith("  fix: aws sso login")
    assert changes(api) == []
    assert recorded(home) == []


def test_the_bucket_of_somebody_else_is_refused_and_nothing_is_launched(mlops, api, home):
    said = mlops(*TRAIN, "--set", f"bucket={api.foreign_bucket}", "--json", "train.py", exit_code=3)
    error = json.loads(said.out)["error"]
    assert error["what"] == "the bucket is somebody else's; nothing was sent"
    assert api.foreign_bucket in error["why"]
    assert "ipymlops setup sagemaker" in error["fix"]
    assert changes(api) == []
    assert recorded(home) == []


def test_a_lost_reply_leaves_one_job_that_is_ours(mlops, api):
    api.faults.create_reply_lost = 1
    sent = mlops(*TRAIN, "--json", "train.py").document
    job = the_job(api)
    succeed(api, job)
    (ended,) = mlops("wait", "1", "--json").document["jobs"]
    assert (ended["state"], ended["id"]) == ("succeeded", sent["id"])
    assert [one.name for one in api.all_jobs()] == [f"train-1-{sent['id']}"]
    assert creates(api) == 1
