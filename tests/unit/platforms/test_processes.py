"""Processes that outlive us, and locks that say so."""

import gc
import os
import signal
import sys
import warnings
from pathlib import Path

import pytest

from ipymlops.platforms.processes import is_locked, start_detached, try_lock
from ipymlops.testing.job_runner import eventually


@pytest.fixture
def start(tmp_path):
    """Start Python code; gives its pid and its lock."""
    started = []

    def run(code, stdin=b""):
        lock = try_lock(tmp_path / "lock")
        words = [sys.executable, "-S", "-c", code]
        pid = start_detached(words, lock=lock, said=tmp_path / "said", cwd=tmp_path, env=dict(os.environ), stdin=stdin)
        os.close(lock)
        started.append(pid)
        return pid

    yield run
    if started and is_locked(tmp_path / "lock"):  # else its number may be another's by now
        os.kill(started[-1], signal.SIGKILL)


def test_the_lock_is_held_exactly_as_long_as_the_process_lives(start, tmp_path):
    pid = start("import sys; sys.stdin.read(); import time; time.sleep(600)")
    assert is_locked(tmp_path / "lock")
    assert try_lock(tmp_path / "lock") is None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_locked(tmp_path / "lock"), "the lock is free")


def test_it_has_a_session_of_its_own_and_all_of_its_input(start, tmp_path):
    pid = start("import os, sys; print(os.getsid(0), len(sys.stdin.read()))", b"x" * 60_000)
    eventually(lambda: (tmp_path / "said").read_text().endswith("\n"), "it says so")
    assert (tmp_path / "said").read_text().split() == [str(pid), "60000"]


def test_more_than_a_pipe_holds_is_an_error_and_no_process(start, tmp_path):
    with pytest.raises(BlockingIOError):
        start("", b"x" * 1_000_000)


def test_a_process_that_has_ended_is_no_zombie_and_nobody_is_warned(start):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        running = start("import time; time.sleep(600)")
        gc.collect()
    assert [str(one.message) for one in caught] == []
    os.kill(running, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{running}").exists(), "it is reaped")
