"""One submit, one job: whatever is killed, lost, refused or done twice. Real processes, real couriers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ipymlops.control import stop as stopping
from ipymlops.control.submit import submit
from ipymlops.control.watch import wait
from ipymlops.job import JobState
from ipymlops.opening import NoScreen, open_context
from ipymlops.platforms.base import PlatformContext
from ipymlops.spec import Intent, JobSpec, Plan
from ipymlops.store.base import JobQuery
from ipymlops.testing.fake_platform import FakePlatforms, FakeWorld, install_fake
from tests.bench.kills import command_lines, is_under_way

ROOT = Path(__file__).parents[2]
INTENT = Intent(JobSpec("train.py", ("--lr", "3e-4")), Plan("fake"), None)

SUBMIT = """
import os, pathlib, sys, time
from ipymlops.control.submit import submit
from ipymlops.opening import NoScreen, open_context
from ipymlops.spec import Intent, JobSpec, Plan
context = open_context(pathlib.Path.cwd(), os.environ, sys.executable, NoScreen())
print("ready", flush=True)
sys.stdin.readline()
done = submit(context, Intent(JobSpec("train.py", ("--lr", "3e-4")), Plan("fake"), None), stem="train")
print(done.job.id, done.is_new, flush=True)
"""


def until(condition, *, limit_s: float = 120.0) -> None:
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def plugin(tmp_path, monkeypatch) -> Path:
    """The fake platform as an installed one, for every process that is started from here."""
    folder = install_fake(tmp_path / "plugin")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
def world(home) -> FakeWorld:
    return FakeWorld(home)


@pytest.fixture
def context(home, plugin, tmp_path):
    """A session with the fake platform; no courier of it outlives the test."""
    opened = open_context(tmp_path, os.environ, sys.executable, NoScreen())
    platforms = FakePlatforms(lambda _name: PlatformContext(home, {}, os.environ))
    yield replace(opened, platforms=platforms)
    until(lambda: not any(str(home) in words for words in command_lines("ipymlops.control.courier")))
    opened.store.close()


def arrived(context, job):
    """The job once its courier has done what it could."""
    until(lambda: context.store.get(job.id).ref is not None or context.store.get(job.id).is_final)
    until(lambda: not is_under_way(context.home, job.id))
    return context.store.get(job.id)


@pytest.mark.parametrize(
    ("platform", "who", "steps", "least"),
    [
        ("fake", "submit", 1000, 10),
        ("fake", "courier", 1000, 20),
        ("local", "submit", 4, 3),
        ("local", "courier", 8, 7),
    ],
)
def test_killed_at_any_step_a_submit_starts_one_job(plugin, tmp_path, platform, who, steps, least):
    words = [sys.executable, "-m", "tests.bench.kills", str(tmp_path / "kills"), platform, who, str(steps), "1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in outcomes if (one["launches"], one["jobs"]) != (1, 1)] == []
    assert sum(one["was_killed"] for one in outcomes) >= least


def test_two_kernels_that_submit_the_same_cell_at_once_get_one_job(context, world):
    kernels = [
        subprocess.Popen([sys.executable, "-c", SUBMIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for kernel in kernels:
        assert kernel.stdout.readline() == "ready\n"
    for kernel in kernels:
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
    said = [kernel.communicate()[0].split() for kernel in kernels]
    assert len({job_id for job_id, _ in said}) == 1
    assert sorted(is_new for _, is_new in said) == ["False", "False", "True"]
    [job] = context.store.find(JobQuery())
    assert arrived(context, job).ref == job.id
    assert world.launches() == [job.id]


def test_an_identical_job_that_is_live_is_come_back_to(context, world):
    first = submit(context, INTENT, stem="train")
    arrived(context, first.job)
    second = submit(context, INTENT, stem="train")
    assert (first.is_new, second.is_new, second.job.id) == (True, False, first.job.id)
    again = submit(context, INTENT, stem="train", again=True)
    assert (again.is_new, again.job.name) == (True, "train-2")
    arrived(context, again.job)
    assert world.launches() == [first.job.id, again.job.id]
    other = submit(context, replace(INTENT, spec=replace(INTENT.spec, argv=("--lr", "1"))), stem="train")
    assert other.is_new
    arrived(context, other.job)


def test_an_identical_job_that_has_ended_is_not_come_back_to(context, world):
    first = arrived(context, submit(context, INTENT, stem="train").job)
    world.tell(first.id, "DONE")
    wait(context, [first])
    second = submit(context, INTENT, stem="train")
    assert (second.is_new, second.job.number) == (True, 2)
    arrived(context, second.job)


def test_coming_back_to_a_job_whose_courier_was_lost_sends_another(context, world, monkeypatch):
    with monkeypatch.context() as lost:
        lost.setattr("ipymlops.control.submit.send", lambda *_: None)
        first = submit(context, INTENT, stem="train")
    assert not submit(context, INTENT, stem="train").is_new
    assert arrived(context, first.job).ref == first.job.id


def test_the_record_says_everything_at_once(context):
    spec = replace(INTENT.spec, labels=(("team", "vision"),))
    plan = Plan("fake", "fake.large", "a100", 2, 2, 1, 7.5, max_runtime_s=60)
    job = submit(context, Intent(spec, plan, None), stem="train").job
    assert (job.number, job.name, job.state, job.platform) == (1, "train-1", JobState.QUEUED, "fake")
    assert (job.machine_type, job.accelerator, job.accelerator_count, job.usd_per_hour) == (
        "fake.large",
        "a100",
        2,
        7.5,
    )
    assert (job.labels, job.max_runtime_s, job.argv) == ({"team": "vision"}, 60, ("--lr", "3e-4"))
    arrived(context, job)


def test_a_lost_reply_neither_loses_the_job_nor_starts_it_twice(context, world):
    world.misbehave(lose_reply=1)
    job = submit(context, INTENT, stem="train").job
    until(world.launches)
    world.tell(job.id, "DONE")
    [ended] = wait(context, [job])
    assert ended.state is JobState.SUCCEEDED
    assert world.launches() == [job.id]


def test_a_refused_quota_is_tried_again_under_the_same_name_while_someone_watches(context, world):
    world.misbehave(quota=1)
    job = submit(context, INTENT, stem="train").job
    until(lambda: context.store.get(job.id).detail.startswith("waits for quota"))
    seen = []

    def on_change(changed):
        seen.append(changed)
        if changed.ref is not None:
            world.tell(job.id, "DONE")

    [ended] = wait(context, [job], on_change)
    assert (ended.state, ended.name) == (JobState.SUCCEEDED, "train-1")
    assert world.launches() == [job.id]


def test_a_stop_beside_the_courier_leaves_nothing_running(context, world):
    job = submit(context, INTENT, stem="train").job
    stopping.stop(context, job)
    [ended] = wait(context, [job])
    assert ended.state is JobState.STOPPED
    until(lambda: not is_under_way(context.home, job.id))
    assert len(world.launches()) <= 1
    assert all(world.status(job_id)["native"] == "ENDED" for job_id in world.launches())


def test_a_secret_of_the_session_reaches_the_courier_and_no_file(context, home, monkeypatch):
    monkeypatch.setenv("TOKEN", "hunter2-hunter2")
    spec = replace(INTENT.spec, secrets=(("TOKEN", "env:TOKEN"),))
    job = arrived(context, submit(context, replace(INTENT, spec=spec), stem="train").job)
    assert job.ref == job.id
    assert [path for path in home.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()] == []


def test_a_users_file_called_like_a_module_of_python_harms_no_courier(context, tmp_path, monkeypatch):
    for name in ("json.py", "sqlite3.py", "subprocess.py"):
        (tmp_path / name).write_text("raise RuntimeError('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    assert arrived(context, submit(context, INTENT, stem="train").job).ref is not None


def test_a_courier_leaves_the_session_of_who_sent_it(context, world, home):
    """What ends a kernel's process group does not reach it, and it leaves no zombie."""
    words = [sys.executable, "-c", SUBMIT]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as kernel:
        assert kernel.stdout.readline() == "ready\n"
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
        kernel.stdout.readline()
        os.killpg(kernel.pid, 9)
    [job] = context.store.find(JobQuery())
    assert arrived(context, job).ref == job.id


def test_a_courier_clears_up_once_it_has_delivered_its_job(context, home):
    forgotten = home / "code" / "forgotten.tar"
    forgotten.parent.mkdir(parents=True)
    forgotten.touch()
    os.utime(forgotten, (0, 0))
    assert arrived(context, submit(context, INTENT, stem="train").job).ref is not None
    until(lambda: not forgotten.exists())


WATCH = """
import os, pathlib, sys
from ipymlops.control.watcher import Watcher
from ipymlops.opening import NoScreen, open_context
context = open_context(pathlib.Path.cwd(), os.environ, sys.executable, NoScreen())
watcher = Watcher(context, lambda job: None)
watcher.show(context.store.resolve("1"))
print(watcher.is_running, flush=True)
"""


def test_an_interpreter_ends_while_it_watches_a_job_that_goes_on(context, world):
    job = arrived(context, submit(context, INTENT, stem="train").job)
    done = subprocess.run([sys.executable, "-c", WATCH], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    assert world.status(job.id)["native"] == "WORKING"


def test_what_is_kept_of_jobs_is_for_their_user_only(context, home):
    arrived(context, submit(context, INTENT, stem="train").job)
    assert [oct(folder.stat().st_mode & 0o777) for folder in (home, home / "couriers")] == ["0o700", "0o700"]
