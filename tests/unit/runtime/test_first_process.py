"""The launcher as the first process of a container: a real process namespace, which it has to keep in order."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from tests.unit.runtime.launched import eventually, lives, stat_of

LEAVES = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
"""


@pytest.fixture
def first(job):
    """An interpreter that is the first process of a new process namespace."""
    job.folder.mkdir(parents=True)
    path = job.folder / "python"
    words = ["unshare", "-fp", "--mount-proc", "--kill-child", sys.executable]
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)
    return str(path)


def child_of(pid):
    return int(eventually(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), "a child")[0])


def running(word):
    """The processes of the machine that have this word among theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words and words[0] == b"sleep":
            found.append(int(path.parent.name))
    return found


def test_a_stop_reaches_the_script(job, first):
    script = "import os, signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(7))\nprint(os.getppid(), flush=True)\ntime.sleep(600)"
    process = job.start(job.config({"train.py": script}), python=first)
    assert job.said(b"\n") == b"1\n"
    launcher = child_of(process.pid)
    assert stat_of(launcher)
    os.kill(launcher, signal.SIGTERM)
    assert process.wait(60) == 7


def test_children_that_nobody_waits_for_are_collected(job, first):
    script = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(0.1)
    os._exit(0)
os.wait()
def zombies():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                state, parent = open("/proc/" + name + "/stat").read().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if parent == "1" and name != str(os.getpid()):
                yield name
while list(zombies()):
    time.sleep(0.01)
print("none left")
"""
    assert job.run(job.config({"train.py": script}), python=first)[0] == 0
    assert job.log == b"none left\n"


def test_it_is_ended_before_the_result_is_there(job, first):
    """While the launcher still lives, which would take it along at its end."""
    word = f"98764.{id(first) % 10**6:06}"
    process = job.start(job.config({"train.py": LEAVES}, argv=[word], stop_grace_s=0.2), python=first)
    eventually((job.folder / "state" / "result.json").exists, "a result")
    assert running(word) == []
    process.communicate(timeout=60)


def test_beside_other_processes_it_ends_none_that_left(job):
    word = f"98763.{id(job) % 10**6:06}"
    job.run(job.config({"train.py": LEAVES}, argv=[word], stop_grace_s=0.2))
    found = running(word)
    try:
        assert [lives(pid) for pid in found] == [True]
    finally:
        for pid in found:
            os.kill(pid, signal.SIGKILL)
