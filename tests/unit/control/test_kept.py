"""A machine that is kept after its job: seen, counted, and let go by a stop; nobody is asked where none was."""

from dataclasses import replace

import pytest

from ipymlops.control.kept import looked_at
from ipymlops.control.poll import ask
from ipymlops.control.stop import stop
from ipymlops.job import EndReason, JobState
from ipymlops.spec import Intent, JobSpec, Plan
from ipymlops.testing.fake_platform import FakePlatform
from ipymlops.verbs import show

HOUR_S = 3600


@pytest.fixture
def intent() -> Intent:
    spec = JobSpec("train.py", keep_warm_s=HOUR_S)
    return Intent(spec, Plan("fake", machine_type="fake.large", usd_per_hour=3.6, max_runtime_s=HOUR_S), None)


@pytest.fixture
def ended(context, accepted, world, clock):
    """A job that has run for an hour and whose machine is kept for another."""
    at = clock.now().timestamp()
    world.tell(accepted.id, "DONE", started_at=at - HOUR_S, ended_at=at, billed_s=HOUR_S, kept_until=at + HOUR_S)
    return ask(context, accepted)


def kept_until(world, job):
    return world.status(job.id).get("kept_until")


def test_it_is_in_the_record_from_the_end_on(context, ended, clock):
    assert (ended.kept_until - clock.now()).total_seconds() == HOUR_S
    assert context.store.get(ended.id) == ended


def test_a_stop_of_a_job_that_has_ended_lets_it_go(context, ended, world):
    job = stop(context, ended)
    assert kept_until(world, ended) is None
    assert (job.state, job.kept_until) == (JobState.SUCCEEDED, None)
    assert stop(context, job) == job


def test_showing_it_asks_once_more(context, ended, world):
    world.tell(ended.id, "DONE", billed_s=1.5 * HOUR_S)
    assert show.run(show.ShowOptions(job=ended.id), context).job.cost_usd == pytest.approx(5.4)
    assert context.store.get(ended.id).kept_until is None


def test_showing_it_without_an_answer_is_what_was_last_known(context, ended, world, screen):
    world.misbehave(throttle=9)
    assert show.run(show.ShowOptions(job=ended.id), context).job == ended
    assert "what was last known" in screen.notes[0]


def test_what_it_cost_meanwhile_is_counted_once_it_is_told(context, ended, world):
    assert ended.cost_usd == pytest.approx(3.6)
    world.tell(ended.id, "DONE", billed_s=1.5 * HOUR_S)
    job = looked_at(context, ended)
    assert job.cost_usd == pytest.approx(5.4)
    assert (job.kept_until, job.state, job.ended_at) == (None, ended.state, ended.ended_at)


def test_a_stop_of_a_job_that_runs_lets_it_go_at_the_end(context, accepted, world, clock, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(FakePlatform, "stop", lambda _self, ref: world.tell(ref, "LEAVING"))
        job = stop(context, accepted)
    world.tell(job.id, "ENDED", kept_until=clock.now().timestamp() + HOUR_S)
    job = ask(context, job)
    assert (job.state, job.end_reason, job.kept_until) == (JobState.STOPPED, EndReason.USER, None)
    assert kept_until(world, job) is None


def test_where_it_ends_by_itself_it_is_kept(context, ended, world):
    assert ask(context, ended).kept_until is not None
    assert kept_until(world, ended) is not None


def test_a_job_that_keeps_nothing_is_not_asked_about(context, world, clock):
    from ipymlops.control.courier import carry
    from ipymlops.control.submit import job_of

    intent = Intent(JobSpec("other.py"), Plan("fake", max_runtime_s=HOUR_S), None)
    job, _ = context.store.add(job_of(context, intent), intent, stem="train")
    job = carry(context, job.id)
    world.tell(job.id, "DONE")
    job = ask(context, job)
    world.misbehave(throttle=1)
    assert stop(context, looked_at(context, job)) == job
    assert world.is_left("throttle")


def test_a_job_of_somebody_else_that_keeps_one_is_let_go_as_well(context, ended, world):
    context.store.update(ended.id, lambda job: replace(job, is_ours=False))
    stop(context, ended)
    assert kept_until(world, ended) is None
