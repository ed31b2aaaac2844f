from dataclasses import replace

import pytest

from ipymlops.control.courier import PAUSES_S, carry, insist
from ipymlops.control.dispatch import lock_of, log_of
from ipymlops.control.reconcile import reconcile
from ipymlops.control.stop import stop
from ipymlops.control.submit import job_of
from ipymlops.errors import PlatformProblem, QuotaExceeded, UsageProblem
from ipymlops.job import EndReason, JobState
from ipymlops.spec import PlatformRef
from ipymlops.testing.fake_platform import FakePlatform


def refusing(monkeypatch, problem):
    """From now on a submit is refused."""

    def submit(*_):
        raise problem

    monkeypatch.setattr(FakePlatform, "submit", submit)


def test_a_recorded_job_is_launched_once_and_has_its_reference(context, recorded, world):
    job = carry(context, recorded.id)
    assert (job.state, job.ref, job.number) == (JobState.STARTING, recorded.id, 1)
    assert world.launches() == [recorded.id]


def test_a_second_courier_finds_nothing_to_do(context, accepted, world, monkeypatch):
    monkeypatch.setattr(FakePlatform, "submit", None)
    assert carry(context, accepted.id) == accepted
    assert world.launches() == [accepted.id]


def test_a_reply_that_was_lost_is_asked_for_again_and_launches_nothing_more(context, recorded, world):
    world.misbehave(lose_reply=2)
    for _ in range(2):
        job = carry(context, recorded.id)
        assert (job.state, job.ref) == (JobState.STARTING, None)
        assert job.detail == "no answer from fake, asked again: the line was cut (a fault of the fake platform)"
    assert carry(context, recorded.id).ref == recorded.id
    assert world.launches() == [recorded.id]


def test_a_refused_quota_leaves_the_job_queued_with_the_reason_and_the_same_name(context, recorded, world):
    world.misbehave(quota=1)
    job = carry(context, recorded.id)
    assert (job.state, job.ref, job.name) == (JobState.QUEUED, None, recorded.name)
    assert job.detail == "waits for quota: 1 x fake.large refused (this account may run 0)"
    assert world.launches() == []
    job = carry(context, recorded.id)
    assert (job.state, job.detail, job.name) == (JobState.STARTING, "", recorded.name)


def test_a_throttled_submit_stays_live(context, recorded, world):
    world.misbehave(throttle=1)
    assert not carry(context, recorded.id).is_final
    assert carry(context, recorded.id).ref == recorded.id


@pytest.mark.parametrize(
    ("fault", "reason", "what"),
    [
        ("capacity", EndReason.OUT_OF_CAPACITY, "no fake.large is free"),
        ("refuse", EndReason.PLATFORM_ERROR, "the request was refused"),
    ],
)
def test_a_refusal_ends_the_job_with_its_cause(context, recorded, world, fault, reason, what):
    world.misbehave(**{fault: 1})
    job = carry(context, recorded.id)
    assert (job.state, job.end_reason, job.error["what"]) == (JobState.FAILED, reason, what)
    assert set(job.error) == {"what", "why", "fix"}
    assert job.ended_at == context.clock.now()
    assert world.launches() == []


def test_an_exception_nobody_expected_is_recorded_with_its_traceback(context, recorded, world):
    world.misbehave(crash=1)
    job = carry(context, recorded.id)
    assert (job.state, job.end_reason) == (JobState.FAILED, EndReason.PLATFORM_ERROR)
    assert job.error["why"] == "RuntimeError: an answer that nobody expected"
    assert "Traceback" in job.error["traceback"]
    assert "in submit" in job.error["traceback"]


def test_a_secret_that_this_session_lacks_says_to_run_the_line_again(context, intent, world):
    asked = replace(intent, spec=replace(intent.spec, secrets=(("TOKEN", ""), ("KEY", "keyring:me/it"))))
    recorded, _ = context.store.add(job_of(context, asked), asked, stem="train")
    job = carry(context, recorded.id)
    assert (job.state, job.end_reason) == (JobState.FAILED, EndReason.PLATFORM_ERROR)
    assert job.error["what"] == "job 1 (train-1) was not started: TOKEN is not set in this session"
    assert job.error["fix"] == "set TOKEN and run the line again"
    assert world.launches() == []


def test_a_job_that_may_run_already_is_not_ended_because_it_cannot_be_asked_for(context, recorded, world, monkeypatch):
    world.misbehave(lose_reply=1)
    carry(context, recorded.id)
    refusing(monkeypatch, UsageProblem("there is no value for --secret TOKEN"))
    world.misbehave(throttle=1)
    job = carry(context, recorded.id)
    assert (job.state, job.ref) == (JobState.STARTING, None)
    assert job.detail == "may have been started, asked for again: too many requests (a fault of the fake platform)"
    assert carry(context, recorded.id).ref == recorded.id
    assert world.launches() == [recorded.id]


@pytest.mark.parametrize("problem", [PlatformProblem("not as this user"), OSError("no space left on device")])
def test_a_refusal_of_another_session_does_not_end_what_an_earlier_one_has_started(
    context, recorded, world, monkeypatch, problem
):
    world.misbehave(lose_reply=1)
    carry(context, recorded.id)
    refusing(monkeypatch, problem)
    job = carry(context, recorded.id)
    assert (job.state, job.ref) == (JobState.STARTING, recorded.id)


def test_a_claimed_job_that_is_nowhere_is_refused_as_any_other(context, recorded, world, monkeypatch):
    world.misbehave(throttle=1)
    carry(context, recorded.id)
    refusing(monkeypatch, PlatformProblem("not as this user"))
    job = carry(context, recorded.id)
    assert (job.state, job.error["what"]) == (JobState.FAILED, "not as this user")


def test_an_exception_after_the_start_does_not_end_the_job(context, recorded, world, monkeypatch):
    launch = FakePlatform.submit

    def submit(*words):
        launch(*words)
        raise KeyError("TrainingJobArn")

    monkeypatch.setattr(FakePlatform, "submit", submit)
    job = carry(context, recorded.id)
    assert (job.state, job.ref) == (JobState.STARTING, recorded.id)


def test_a_stop_never_starts_what_a_killed_courier_has_only_claimed(context, recorded, world, sent):
    world.misbehave(throttle=1)
    carry(context, recorded.id)
    assert stop(context, recorded).state is JobState.STOPPING
    job = carry(context, recorded.id)
    assert (job.state, job.end_reason) == (JobState.STOPPED, EndReason.USER)
    assert world.launches() == []


def test_a_stop_of_what_cannot_be_asked_for_goes_on_asking(context, recorded, world, sent):
    world.misbehave(lose_reply=1)
    carry(context, recorded.id)
    stop(context, recorded)
    world.misbehave(throttle=1)
    job = carry(context, recorded.id)
    assert (job.state, job.ref) == (JobState.STOPPING, None)
    job = carry(context, recorded.id)
    assert (job.state, job.ref) == (JobState.STOPPING, recorded.id)
    assert world.status(recorded.id)["native"] == "ENDED"


def test_where_there_is_no_answer_it_is_asked_again_after_pauses(context, recorded, world, clock):
    world.misbehave(throttle=2)
    assert insist(context, recorded.id).ref == recorded.id
    assert clock.slept == list(PAUSES_S[:2])
    assert world.launches() == [recorded.id]


def test_a_refused_quota_is_not_insisted_on(context, recorded, world, clock):
    world.misbehave(quota=1)
    assert insist(context, recorded.id).state is JobState.QUEUED
    assert clock.slept == []


def test_a_job_that_was_stopped_before_its_courier_came_is_never_launched(context, recorded, world):
    stopped = stop(context, recorded)
    assert (stopped.state, stopped.end_reason) == (JobState.STOPPED, EndReason.USER)
    assert carry(context, recorded.id) == stopped
    assert world.launches() == []


def test_a_stop_that_comes_while_the_job_is_sent_reaches_the_platform(context, recorded, world, monkeypatch):
    launch = FakePlatform.submit

    def submit(self, job_id, *rest):
        assert stop(context, recorded).state is JobState.STOPPING
        return launch(self, job_id, *rest)

    monkeypatch.setattr(FakePlatform, "submit", submit)
    job = carry(context, recorded.id)
    assert (job.state, job.ref) == (JobState.STOPPING, PlatformRef(recorded.id))
    assert world.status(recorded.id)["native"] == "ENDED"


def test_a_stop_that_comes_while_the_job_is_refused_ends_it(context, recorded, world, monkeypatch):
    def submit(self, *_):
        stop(context, recorded)
        raise QuotaExceeded("none left")

    monkeypatch.setattr(FakePlatform, "submit", submit)
    job = carry(context, recorded.id)
    assert (job.state, job.end_reason) == (JobState.STOPPED, EndReason.USER)
    assert world.launches() == []


def test_a_courier_leaves_no_files_behind_but_a_log_that_says_something(context, recorded, home):
    log_of(home, recorded.id).parent.mkdir(parents=True)
    log_of(home, recorded.id).write_text("a warning\n")
    carry(context, recorded.id)
    assert [path.name for path in (home / "couriers").iterdir()] == [f"{recorded.id}.log"]


def test_while_one_courier_is_at_it_no_other_is_sent(context, recorded, home):
    lock = lock_of(home, recorded.id)
    assert lock.take()
    assert reconcile(context) == ()
    lock.release()
