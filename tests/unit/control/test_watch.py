import itertools
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
from ipymlops.testing.sample_jobs import others_job

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


@pytest.fixture
def theirs(context, world):
    """A job on the platform that somebody else has started."""
    world.launch("theirs")
    job = others_job("theirs", id="xtheirs", platform="fake", ref="theirs", state=JobState.RUNNING)
    context.store.merge([job])
    return context.store.get(job.id)


@pytest.mark.parametrize("is_led_by_another", [False, True])
def test_waiting_for_a_job_of_others_asks_about_it(context, theirs, world, clock, is_led_by_another):
    clock.then = [lambda: None] * 20 + [lambda: world.tell("theirs", "DONE")]
    with Watch(context) as other:
        if is_led_by_another:
            other.turn()
            clock.then[10:20] = [other.turn] * 10
        assert wait(context, [theirs])[0].state is JobState.SUCCEEDED


def test_a_refresh_leaves_jobs_of_others_to_the_list_but_for_the_one_that_is_meant(context, theirs, world):
    world.tell("theirs", "DONE")
    refresh(context)
    assert context.store.get(theirs.id).state is JobState.RUNNING
    assert refreshed(context, theirs).state is JobState.SUCCEEDED


@pytest.fixture
def far(context, intent, monkeypatch):
    """Ten jobs of ours on a far platform, and each question after one of them."""
    from ipymlops.control.courier import carry
    from ipymlops.control.submit import job_of

    monkeypatch.setattr(FakePlatform, "is_here", False)
    for _ in range(10):
        carry(context, context.store.add(job_of(context, intent), intent, stem="train")[0].id)
    asked = []
    status = FakePlatform.status
    monkeypatch.setattr(FakePlatform, "status", lambda self, ref: asked.append(ref) or status(self, ref))
    return asked


def test_far_platforms_are_asked_about_several_jobs_at_once(context, far, monkeypatch):
    together, arrivals = threading.Barrier(8), itertools.count()
    status = FakePlatform.status

    def meet(self, ref):
        if next(arrivals) < 8:
            together.wait(60)
        return status(self, ref)

    monkeypatch.setattr(FakePlatform, "status", meet)
    assert refresh(context).errors == ()
    assert len(far) == 10


def test_a_refresh_does_not_ask_what_a_leader_asks_all_the_time(context, far, clock):
    with Watch(context) as leader:
        leader.turn()
        far.clear()
        refresh(context)
        assert far == []
        clock.pass_s(61)  # the leader has been suspended
        refresh(context)
        assert len(far) == 10
    far.clear()
    refresh(context)
    assert len(far) == 10


def test_what_a_leader_gets_no_answer_from_others_ask_themselves(context, far, world, clock):
    with Watch(context) as leader:
        world.misbehave(throttle=1)
        leader.turn()
        clock.pass_s(6)
        world.misbehave(throttle=1)
        leader.turn()
        far.clear()
        refresh(context)
        assert len(far) == 10
        for _ in range(20):
            clock.pass_s(6)
            leader.turn()
        far.clear()
        refresh(context)
        assert far == []


def test_a_leader_of_an_older_version_leaves_no_word_that_could_be_read(context, far):
    with Watch(context) as leader:
        leader.turn()
        (context.home / "watch.lock").write_text("")
        far.clear()
        refresh(context)
        assert len(far) == 10
