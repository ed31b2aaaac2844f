from dataclasses import replace
from datetime import timedelta

import pytest

from ipymlops.control import dispatch
from ipymlops.control.poller import FAR_S, Pace, Poller
from ipymlops.job import EndReason, JobState
from ipymlops.testing.fake_platform import FakePlatform
from ipymlops.testing.sample_jobs import others_job


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """Each question after a status."""
    asked: list[str] = []
    status = FakePlatform.status
    monkeypatch.setattr(FakePlatform, "status", lambda self, ref: asked.append(ref) or status(self, ref))
    return asked


def test_a_round_brings_every_live_job_up_to_date(context, accepted, world):
    world.tell(accepted.id, "DONE", exit_code=0)
    Poller(context).round()
    assert context.store.get(accepted.id).state is JobState.SUCCEEDED


def test_a_job_where_nothing_happens_is_asked_about_less_and_less(context, accepted, clock, asked, monkeypatch):
    monkeypatch.setattr(FakePlatform, "is_here", False)
    poller = Poller(context)
    pauses = []
    for _ in range(20):
        pauses.append(poller.round())
        clock.pass_s(pauses[-1])
    assert len(asked) == 20
    assert 0.8 <= pauses[0] <= 1.0
    assert 0.8 * FAR_S[1] <= pauses[-1] <= FAR_S[1]


def test_a_change_makes_it_asked_about_often_again(context, accepted, world, clock, monkeypatch):
    monkeypatch.setattr(FakePlatform, "is_here", False)
    poller = Poller(context)
    for _ in range(20):
        clock.pass_s(poller.round())
    world.tell(accepted.id, "WARMING")
    assert poller.round() <= 1.0


def test_a_job_of_this_machine_is_asked_about_every_second_at_least(context, accepted, clock):
    poller = Poller(context)
    for _ in range(20):
        pause_s = poller.round()
        clock.pass_s(pause_s)
    assert pause_s <= 1.0


def test_a_platform_without_an_answer_is_a_notice_and_not_the_end(context, accepted, world, clock):
    world.misbehave(throttle=3)
    world.tell(accepted.id, "DONE")
    poller = Poller(context)
    for _ in range(3):
        pause_s = poller.round()
        assert [notice["what"] for notice in poller.notices.values()] == ["too many requests"]
        assert context.store.get(accepted.id).state is JobState.STARTING
        clock.pass_s(pause_s)
    poller.round()
    assert poller.notices == {}
    assert context.store.get(accepted.id).state is JobState.SUCCEEDED


def test_a_silent_platform_is_asked_once_a_round_not_once_a_job(context, intent, world, asked, monkeypatch):
    from ipymlops.control.courier import carry
    from ipymlops.control.submit import job_of

    for _ in range(5):
        carry(context, context.store.add(job_of(context, intent), intent, stem="train")[0].id)
    world.misbehave(throttle=5)
    Poller(context).round()
    assert len(asked) == 1


def test_a_bug_in_a_platform_does_not_end_the_watch(context, accepted, monkeypatch):
    def status(*_):
        raise ZeroDivisionError("no answer of mine")

    monkeypatch.setattr(FakePlatform, "status", status)
    poller = Poller(context)
    poller.round()
    assert "ZeroDivisionError" in poller.notices["fake"]["why"]


def test_a_clock_that_goes_back_delays_nothing(context, accepted, clock, asked):
    poller = Poller(context)
    poller.round()
    clock.time -= timedelta(days=1)
    poller.round()
    assert len(asked) == 2


def test_a_job_past_its_cap_and_grace_is_stopped_by_us_as_a_timeout(context, accepted, world, clock):
    world.tell(accepted.id, "WORKING", started_at=clock.now().timestamp())
    poller = Poller(context)
    clock.pass_s(3600 + 119)
    poller.round()
    assert context.store.get(accepted.id).state is JobState.RUNNING
    clock.pass_s(2)
    poller.round()
    job = context.store.get(accepted.id)
    assert (job.state, job.detail) == (JobState.STOPPING, "ran beyond its cap of 3600 s and was told to stop")
    assert world.status(accepted.id)["native"] == "ENDED"
    clock.pass_s(2)
    poller.round()
    job = context.store.get(accepted.id)
    assert (job.state, job.end_reason) == (JobState.STOPPED, EndReason.TIMEOUT)


def test_a_stop_that_was_lost_is_repeated(context, accepted, world, clock):
    world.tell(accepted.id, "WORKING")
    context.store.update(accepted.id, lambda job: replace(job, state=JobState.STOPPING))
    poller = Poller(context)
    poller.round()
    assert world.status(accepted.id)["native"] == "WORKING"
    clock.pass_s(61)
    poller.round()
    clock.pass_s(2)
    poller.round()
    assert context.store.get(accepted.id).state is JobState.STOPPED


def test_a_refused_job_is_sent_again_with_longer_and_longer_pauses(context, recorded, clock, sent):
    poller = Poller(context)
    for _ in range(60):
        poller.round()
        clock.pass_s(1)
    assert set(sent) == {recorded.id}
    assert 5 <= len(sent) <= 15


def test_a_courier_that_dies_without_a_word_is_told_on_the_job(context, recorded, clock, sent):
    poller = Poller(context)
    for _ in range(30):
        poller.round()
        clock.pass_s(1)
    log = dispatch.log_of(context.home, recorded.id)
    assert context.store.get(recorded.id).detail == f"the process that sends it ended early; see {log}"


def test_a_pace_starts_over_when_something_happened(clock):
    pace = Pace(1, 30)
    for _ in range(10):
        pace.slower(clock.now())
    assert pace.interval_s == 30
    pace.faster(clock.now())
    assert pace.interval_s == 1


@pytest.fixture
def theirs(context, accepted, world):
    """A job on the platform that somebody else has started."""
    world.launch("theirs")
    job = others_job("theirs", id="xtheirs", platform="fake", ref="theirs", state=JobState.RUNNING)
    context.store.merge([job])
    return context.store.get(job.id)


def test_jobs_of_others_are_not_asked_about_one_by_one(context, accepted, theirs, asked):
    Poller(context).round()
    assert asked == [accepted.ref]


def test_a_job_of_others_that_is_waited_for_is_asked_about_whoever_leads(context, accepted, theirs, asked):
    poller = Poller(context)
    poller.wanted = (theirs.id, accepted.id)
    poller.round(is_leading=False)
    assert asked == [theirs.ref]
    asked.clear()
    poller = Poller(context)
    poller.wanted = (theirs.id, accepted.id)
    poller.round()
    assert sorted(asked) == sorted([accepted.ref, theirs.ref])


def test_nobody_but_its_owner_ends_a_job_at_its_cap(context, theirs, world, clock):
    world.tell("theirs", "WORKING", started_at=clock.now().timestamp())
    context.store.update(theirs.id, lambda job: replace(job, max_runtime_s=3600))
    poller = Poller(context)
    poller.wanted = (theirs.id,)
    for _ in range(5):
        clock.pass_s(3600)
        poller.round()
    assert world.status("theirs")["native"] == "WORKING"
    assert context.store.get(theirs.id).state is JobState.RUNNING
