"""A stop reaches the job that is meant, once, and is harmless at any other time."""

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.stopping import stop
from tests.servers.sagemaker_api import Scripted


@pytest.fixture
def running(sender, api):
    """The name of a job that runs until it is told to stop."""
    api.script = Scripted(states=("Downloading", "Training"), obeys=False)
    return sender.submit().rpartition("/")[2]


def reference(api, name, created_ms=None):
    return Reference("aws", "us-east-1", api.account, name, created_ms)


def stops(api):
    return [call.action for call in api.calls].count("StopTrainingJob")


def test_a_job_that_runs_is_told_once(aws, api, running):
    for _ in range(3):
        stop(aws, reference(api, running))
    assert api.job(running).status == "Stopping"
    assert stops(api) == 1


def test_a_job_that_is_over_gone_or_never_was_is_left_alone(aws, api, running):
    api.job(running).finish("Completed")
    stop(aws, reference(api, running))
    api.client("sagemaker").delete_training_job(TrainingJobName=running)
    stop(aws, reference(api, running))
    stop(aws, reference(api, "never-was"))
    assert stops(api) == 0


def test_a_job_that_ends_while_it_is_told_is_no_problem(aws, api, running):
    job = api.job(running)
    client = aws.client("sagemaker", "us-east-1")
    client.meta.events.register("before-call.sagemaker.StopTrainingJob", lambda **_: job.finish("Completed"))
    stop(aws, reference(api, running))
    assert stops(api) == 1
    assert job.status == "Completed"


def test_another_job_of_a_name_that_was_used_again_is_not_stopped(aws, api, running):
    created_ms = int(api.job(running).created_at * 1000)
    stop(aws, reference(api, running, created_ms - 60_000))
    assert stops(api) == 0
    stop(aws, reference(api, running, created_ms))
    assert stops(api) == 1


def test_whoever_may_not_stop_it_is_told(aws, api, running):
    api.faults.denied = {"sagemaker:StopTrainingJob"}
    with pytest.raises(PlatformProblem, match="may not do that"):
        stop(aws, reference(api, running))


@pytest.fixture
def warm(sender, api):
    """A job that keeps its machine for an hour, as it trains."""
    api.script = Scripted(states=("Downloading", "Training"), obeys=False)
    return api.job(sender.submit(keep_warm_s=3600, machine_type="ml.m5.xlarge").rpartition("/")[2])


def pool(api, job):
    told = api.client("sagemaker").describe_training_job(TrainingJobName=job.name)
    return told["WarmPoolStatus"]["Status"]


@pytest.mark.parametrize("how", ["Completed", "Failed", "Stopped"])
def test_a_machine_that_is_kept_after_its_job_is_let_go_once(aws, api, warm, how):
    warm.finish(how)
    assert pool(api, warm) == "Available"
    for _ in range(2):
        stop(aws, reference(api, warm.name))
    assert pool(api, warm) == "Terminated"
    assert [call.action for call in api.calls].count("UpdateTrainingJob") == 1
    assert stops(api) == 0


def test_the_stop_of_a_job_that_runs_is_no_problem_where_its_machine_cannot_be_let_go_yet(aws, api, warm):
    stop(aws, reference(api, warm.name))
    assert warm.status == "Stopping"
    warm.finish("Stopped")
    assert pool(api, warm) == "Available"
    stop(aws, reference(api, warm.name))
    assert pool(api, warm) == "Terminated"


def test_a_machine_that_the_next_job_has_taken_is_left_to_it(aws, api, warm, sender):
    warm.finish("Completed")

    def meanwhile(**_):
        sender.submit(keep_warm_s=3600, machine_type="ml.m5.xlarge")

    aws.client("sagemaker", "us-east-1").meta.events.register("before-call.sagemaker.UpdateTrainingJob", meanwhile)
    stop(aws, reference(api, warm.name))
    assert pool(api, warm) == "Reused"


def test_whoever_may_not_let_it_go_is_told_that_it_is_paid_for(aws, api, warm):
    api.faults.denied = {"sagemaker:UpdateTrainingJob"}
    stop(aws, reference(api, warm.name))  # that a job may be stopped is enough while it runs
    warm.finish("Stopped")
    with pytest.raises(PlatformProblem, match="paid for"):
        stop(aws, reference(api, warm.name))


def test_without_a_machine_to_keep_nothing_more_is_asked(aws, api, running):
    api.job(running).finish("Completed")
    stop(aws, reference(api, running))
    assert [call.action for call in api.calls].count("UpdateTrainingJob") == 0
