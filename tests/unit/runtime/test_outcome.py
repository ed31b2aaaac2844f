"""What a wait status, the log's end and the kernel's counter mean together."""

from __future__ import annotations

import signal

import pytest

from ipymlops.runtime import memory
from ipymlops.runtime.memory import MemoryKills
from ipymlops.runtime.outcome import Place, of_script
from ipymlops.runtime.supervise import Ended

PLACE = Place("j1", "/code", "/code")
KILLED = int(signal.SIGKILL)  # the wait status of a killed process is the signal's number
TRACE = b'Traceback (most recent call last):\n  File "/code/a.py", line 4, in f\nMemoryError\n'


def outcome(status, *, cause="", asked=False, before=0, after=0, tail=b"", counter=True):
    kills = [MemoryKills(count, "memory.events", 2 << 30) if counter else None for count in (before, after)]
    return of_script(
        Ended(status, cause, was_killed=False, notes=[]), tail, PLACE, asked=asked, before=kills[0], after=kills[1]
    )


@pytest.mark.parametrize("status", [KILLED, 137 << 8])
def test_killed_and_counted_by_the_kernel_is_out_of_memory(status):
    found = outcome(status, before=1, after=2)
    assert (found.end_reason, found.exit_code) == ("out_of_memory", 137)
    assert "memory limit of 2.0 GiB; memory.events" in found.error["why"]


def test_killed_and_not_counted_is_somebody_outside():
    found = outcome(KILLED, before=1, after=1)
    assert (found.end_reason, found.exit_code, found.signal) == ("exit_code", 137, 9)
    assert "counted no kill" in found.error["why"]


def test_killed_without_a_counter_is_not_guessed():
    found = outcome(KILLED, counter=False)
    assert found.end_reason == "exit_code"
    assert "cannot be read" in found.error["why"]


def test_a_worker_that_ran_out_of_memory_is_not_the_scripts_end():
    assert outcome(1 << 8, before=0, after=1).end_reason == "exit_code"


@pytest.mark.parametrize(
    ("cause", "asked", "status", "reason"),
    [
        ("timeout", False, 0, "timeout"),
        ("timeout", True, KILLED, "timeout"),
        ("term", True, 0, "user"),
        ("term", True, KILLED, "user"),
        ("term", False, 15, "exit_code"),
        ("", True, 0, None),
        ("", True, 1 << 8, "exit_code"),
    ],
)
def test_who_ended_it_is_the_reason(cause, asked, status, reason):
    assert outcome(status, cause=cause, asked=asked, before=0, after=1).end_reason == reason


def test_a_traceback_names_the_cause_and_the_line():
    error = outcome(1 << 8, tail=TRACE).error
    assert error == {
        "what": "MemoryError",
        "why": "the script ended with exit code 1 at a.py, line 4",
        "fix": "ipymlops logs j1 --tail 50",
        "traceback": TRACE.decode().rstrip(),
        "file": "a.py",
        "line": 4,
    }


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        (
            b"usage: a.py\n\x1b[31ma.py: error: no --lrr\x1b[0m\r\n \n",
            "the last line of its log is: a.py: error: no --lrr",
        ),
        (b" 10%\r 20%\rkilled\r", "the last line of its log is: killed"),
        (b"\xff" + b"x" * 999, "the last line of its log is: \ufffd" + "x" * 299),
        (b"\n \n", "its log is empty"),
    ],
)
def test_without_a_traceback_the_last_line_tells(tail, why):
    assert outcome(2 << 8, tail=tail).error["why"] == why


def test_a_success_has_no_error_whatever_the_log_holds():
    assert outcome(0, tail=TRACE) == (0, None, None, None)


@pytest.fixture
def cgroups(tmp_path):
    """Write files below a control group mount; gives its root and the file that says where we are."""

    def write(own, **files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            path = tmp_path / "mount" / name.replace("__", "/").replace("_at_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return memory.kills(str(tmp_path / "mount"), str(tmp_path / "own"))

    return write


def test_version_2_counts_in_memory_events(cgroups):
    found = cgroups("0::/a/b\n", a__b__memory_at_events="low 0\noom 3\noom_kill 2\n", a__b__memory_at_max="1048576\n")
    assert (found.killed, found.limit) == (2, 1 << 20)


def test_version_2_inside_a_container_counts_at_the_mount(cgroups):
    found = cgroups("0::/docker/x\n", memory_at_events="oom_kill 7\n", memory_at_max="max\n")
    assert (found.killed, found.limit) == (7, None)


def test_version_1_counts_in_oom_control(cgroups):
    found = cgroups(
        "9:cpu:/x\n4:memory:/a\n0::/\n",
        memory__a__memory_at_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
        memory__a__memory_at_limit_in_bytes="9223372036854771712\n",
    )
    assert (found.killed, found.limit) == (4, None)


def test_old_kernels_count_how_often_the_limit_was_met(cgroups):
    found = cgroups("4:memory:/\n", memory__memory_at_failcnt="12\n", memory__memory_at_oom_control="under_oom 0\n")
    assert found.killed == 12


def test_no_counter_is_no_number(cgroups):
    assert cgroups("0::/a\n") is None
    assert memory.kills("/nowhere", "/nowhere") is None


def test_the_counter_of_this_machine_can_be_read_or_is_none():
    found = memory.kills()
    assert found is None or found.killed >= 0
