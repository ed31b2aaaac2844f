from dataclasses import replace

import pytest

from ipymlops.control.stop import stop
from ipymlops.errors import Unreachable
from ipymlops.job import EndReason, JobState


def test_a_running_job_is_stopped_and_twice_is_harmless(context, accepted, world):
    job = stop(context, accepted)
    assert (job.state, job.end_reason) == (JobState.STOPPED, EndReason.USER)
    assert stop(context, accepted) == job
    assert stop(context, job) == job


def test_a_job_that_has_ended_stays_as_it_ended(context, accepted, world):
    world.tell(accepted.id, "DONE")
    assert stop(context, accepted).state is JobState.SUCCEEDED
    assert world.status(accepted.id)["native"] == "DONE"


def test_a_job_that_takes_its_time_reads_stopping(context, accepted, world, monkeypatch):
    from ipymlops.testing.fake_platform import FakePlatform

    monkeypatch.setattr(FakePlatform, "stop", lambda _self, ref: world.tell(ref, "WORKING"))
    assert stop(context, accepted).state is JobState.STOPPING
    assert stop(context, accepted).state is JobState.STOPPING


def test_a_platform_that_cannot_be_told_is_an_error_and_the_job_is_as_it_was(context, accepted, world):
    world.misbehave(throttle=1)
    with pytest.raises(Unreachable):
        stop(context, accepted)
    assert context.store.get(accepted.id) == accepted


def test_a_queued_job_is_ended_before_it_starts(context, recorded, world):
    job = stop(context, recorded)
    assert (job.state, job.end_reason, job.detail) == (JobState.STOPPED, EndReason.USER, "stopped before it started")
    assert job.ended_at == context.clock.now()


def test_a_job_that_is_being_sent_is_left_to_its_courier(context, recorded, sent):
    context.store.update(recorded.id, lambda job: replace(job, state=JobState.STARTING))
    job = stop(context, recorded)
    assert (job.state, job.ref) == (JobState.STOPPING, None)
    assert sent == [recorded.id]


def test_a_job_that_is_gone_can_be_taken_off_the_list(context, accepted, world):
    from ipymlops.control.poll import ask

    world.forget(accepted.id)
    assert ask(context, accepted).is_gone
    job = stop(context, accepted)
    assert (job.state, job.end_reason) == (JobState.STOPPED, EndReason.USER)
    assert job.detail == "fake no longer knows it"
