import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ipymlops.context import SystemClock
from ipymlops.control.watch import Watch, refresh, refreshed, wait
from ipymlops.control.watcher import Watcher
from ipymlops.errors import FollowInterrupted
from ipymlops.job import JobState
from ipymlops.testing.fake_platform import FakePlatform

LEADER = """
import sys, pathlib
from ipymlops.control.lock import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]) / "watch.lock")
print(lock.take(), flush=True)
sys.stdin.read()
"""


def until(condition, *, limit_s: float = 60.0) -> None:
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.01)


def test_one_leads_and_the_others_read_the_store(context, accepted, world, monkeypatch):
    asked = []
    status = FakePlatform.status
    monkeypatch.setattr(FakePlatform, "status", lambda self, ref: asked.append(ref) or status(self, ref))
    with Watch(context) as first, Watch(context) as second:
        first.turn()
        second.turn()
        assert (first.is_leading, second.is_leading) == (True, False)
        assert len(asked) == 1


def test_the_lead_passes_on_when_its_holder_is_killed(context, accepted, world, home):
    home.mkdir(exist_ok=True)
    world.tell(accepted.id, "DONE")
    words = [sys.executable, "-c", LEADER, str(home)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as leader:
        assert leader.stdout.readline() == b"True\n"
        with Watch(context) as watch:
            watch.turn()
            assert not watch.is_leading
            os.kill(leader.pid, signal.SIGKILL)
            leader.wait()
            until(lambda: watch.turn() is not None and watch.is_leading)
    assert context.store.get(accepted.id).state is JobState.SUCCEEDED


def test_waiting_ends_when_every_job_has(context, accepted, world, clock):
    changes = []
    clock.then = [lambda: world.tell(accepted.id, "DONE")]
    [job] = wait(context, [accepted], changes.append)
    assert job.state is JobState.SUCCEEDED
    assert [job.state.value for job in changes] == ["running", "succeeded"]


def test_waiting_without_the_lead_reads_what_the_leader_wrote(context, accepted, world, clock, home):
    with Watch(context) as leader:
        leader.turn()
        world.tell(accepted.id, "DONE")
        clock.then = [lambda: None] * 3 + [lambda: refresh(context)]
        assert wait(context, [accepted])[0].state is JobState.SUCCEEDED
    assert len(clock.slept) == 4


def test_a_leader_that_is_suspended_keeps_nobody_waiting(context, accepted, world, clock):
    with Watch(context) as suspended:
        suspended.turn()
        world.tell(accepted.id, "DONE")
        started = clock.now()
        assert wait(context, [accepted])[0].state is JobState.SUCCEEDED
        assert suspended.is_leading
    assert (clock.now() - started).total_seconds() > 60


def test_a_leader_that_lives_is_not_taken_for_a_suspended_one(context, accepted, clock, monkeypatch):
    asked = []
    status = FakePlatform.status
    with Watch(context) as leader, Watch(context) as other:
        for _ in range(100):
            leader.turn()
            clock.pass_s(10)
            monkeypatch.setattr(FakePlatform, "status", lambda self, ref: asked.append(ref) or status(self, ref))
            other.turn()
            monkeypatch.setattr(FakePlatform, "status", status)
    assert asked == []


def test_waiting_says_once_that_a_platform_is_silent(context, accepted, world, clock, screen):
    world.misbehave(throttle=4)
    clock.then = [lambda: None] * 200 + [lambda: world.tell(accepted.id, "DONE")]
    wait(context, [accepted])
    assert screen.notes == ["too many requests; asking again"]


def test_interrupting_a_wait_leaves_the_jobs_alone(context, accepted, world, clock):
    def interrupt():
        raise KeyboardInterrupt

    clock.then = [interrupt]
    with pytest.raises(FollowInterrupted) as caught:
        wait(context, [accepted])
    assert caught.value.what == "detached; job 1 (train-1) goes on"
    assert caught.value.fix == "ipymlops wait 1"
    assert world.status(accepted.id)["native"] == "WORKING"


def test_waiting_for_a_job_that_is_gone_ends(context, accepted, world):
    world.forget(accepted.id)
    assert wait(context, [accepted])[0].state is JobState.UNKNOWN


def test_a_refresh_reports_what_could_not_be_asked_and_goes_on(context, accepted, world):
    world.misbehave(throttle=1)
    report = refresh(context)
    assert [(one["platform"], one["what"]) for one in report.errors] == [("fake", "too many requests")]
    world.tell(accepted.id, "DONE")
    assert refresh(context).errors == ()
    assert context.store.get(accepted.id).state is JobState.SUCCEEDED


def test_one_job_is_refreshed_or_shown_as_it_was(context, accepted, world, screen):
    world.misbehave(throttle=1)
    world.tell(accepted.id, "DONE")
    assert refreshed(context, accepted) == accepted
    assert screen.notes == ["too many requests; this is what was last known"]
    assert refreshed(context, accepted).state is JobState.SUCCEEDED


@pytest.fixture
def living(context, request):
    """The context on the machine's own clock, for threads."""
    from dataclasses import replace

    return replace(context, clock=SystemClock())


@pytest.fixture
def watcher(living):
    seen = []
    watcher = Watcher(living, seen.append)
    watcher.seen = seen
    yield watcher
    watcher.stop()
    until(lambda: not any(thread.name == "ipymlops-watch" for thread in threading.enumerate()))


def test_the_watcher_keeps_a_card_up_to_date_and_ends_with_the_job(watcher, accepted, world):
    watcher.show(accepted)
    assert watcher.is_running
    until(lambda: [job.state.value for job in watcher.seen] == ["running"])
    world.tell(accepted.id, "DONE")
    until(lambda: [job.state.value for job in watcher.seen] == ["running", "succeeded"])
    until(lambda: not watcher.is_running)
    assert watcher.troubles == []


def test_the_watcher_does_not_run_for_jobs_that_have_ended(watcher, context, accepted, world):
    world.tell(accepted.id, "DONE")
    refresh(context)
    watcher.show(context.store.get(accepted.id))
    assert not watcher.is_running


def test_a_card_that_cannot_be_drawn_does_not_end_the_watcher(living, accepted, world):
    def broken(job):
        raise ValueError("no front end")

    watcher = Watcher(living, broken)
    watcher.show(accepted)
    until(lambda: watcher.troubles)
    world.tell(accepted.id, "DONE")
    until(lambda: not watcher.is_running)
    assert "no front end" in watcher.troubles[-1]["why"]


def test_a_watcher_can_be_stopped_and_started_again(watcher, accepted, world):
    watcher.show(accepted)
    watcher.stop()
    watcher.stop()
    watcher.show(accepted)
    world.tell(accepted.id, "DONE")
    until(lambda: watcher.seen and watcher.seen[-1].is_final)
