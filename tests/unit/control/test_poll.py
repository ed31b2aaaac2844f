from dataclasses import replace

from ipymlops.control.poll import ask
from ipymlops.job import EndReason, JobState
from ipymlops.testing.fake_platform import FakePlatform


def test_each_word_of_the_platform_is_a_state_and_stays_visible(context, accepted, world):
    world.tell(accepted.id, "WORKING", started_at=1_800_000_000)
    job = ask(context, accepted)
    assert (job.state, job.detail, job.started_at.year) == (JobState.RUNNING, "WORKING", 2027)
    assert context.store.get(job.id) == job


def test_a_word_that_nobody_mapped_is_unknown_and_not_the_end(context, accepted, world):
    world.tell(accepted.id, "HIBERNATING")
    job = ask(context, accepted)
    assert (job.state, job.detail) == (JobState.UNKNOWN, "HIBERNATING")
    assert not job.is_over
    world.tell(accepted.id, "WORKING")
    assert ask(context, job).state is JobState.RUNNING


def test_an_answer_that_says_nothing_new_writes_nothing(context, accepted, world, monkeypatch):
    job = ask(context, accepted)
    monkeypatch.setattr(type(context.store), "update", None)
    assert ask(context, job) == job


def test_a_failure_keeps_exit_code_error_and_metrics(context, accepted, world):
    error = {"what": "ValueError: no", "why": "", "fix": "", "file": "train.py", "line": 3}
    world.tell(accepted.id, "BROKEN", exit_code=1, error=error, metrics={"loss": 0.5}, ended_at=1_800_000_060)
    job = ask(context, accepted)
    assert (job.state, job.end_reason, job.exit_code) == (JobState.FAILED, EndReason.EXIT_CODE, 1)
    assert (job.error, job.metrics) == (error, {"loss": 0.5})


def test_nothing_leaves_a_final_state(context, accepted, world):
    world.tell(accepted.id, "DONE")
    job = ask(context, accepted)
    world.tell(accepted.id, "BROKEN")
    assert ask(context, accepted) == ask(context, job) == job


def test_a_job_that_the_platform_forgot_is_unknown_and_over_with_no_guess(context, accepted, world):
    world.forget(accepted.id)
    job = ask(context, accepted)
    assert (job.state, job.end_reason, job.ended_at) == (JobState.UNKNOWN, None, None)
    assert job.error["what"] == "fake no longer knows job 1 (train-1)"
    assert job.error["fix"] == "ipymlops stop 1"
    assert job.is_gone
    assert job.is_over


def test_a_far_platform_may_take_a_minute_to_show_a_new_job(context, accepted, world, clock, monkeypatch):
    monkeypatch.setattr(FakePlatform, "is_here", False)
    world.forget(accepted.id)
    assert ask(context, accepted) == accepted
    clock.pass_s(61)
    assert ask(context, accepted).is_gone


def test_a_job_told_to_stop_reads_so_until_the_platform_says_how_it_ended(context, accepted, world):
    stopping = context.store.update(accepted.id, lambda job: replace(job, state=JobState.STOPPING))
    for word in ("WARMING", "WORKING", "LEAVING"):
        world.tell(accepted.id, word)
        assert ask(context, stopping).state is JobState.STOPPING
    world.tell(accepted.id, "ENDED")
    assert ask(context, stopping).state is JobState.STOPPED
