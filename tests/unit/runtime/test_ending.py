"""How scripts end: by themselves, by signals, by the deadline; and that nothing of them goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipymlops.runtime.leftovers import end_leftovers
from tests.unit.runtime.launched import PATIENCE_S, eventually, lives, stat_of

HANDLER = """
import os, signal, sys, time
def told(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(int(sys.argv[1]))
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, told)
print("ready", flush=True)
while True:
    time.sleep(600)
"""
STUBBORN = (
    "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready', flush=True)\nwhile True: time.sleep(600)"
)
PLAIN = "import time\nprint('ready', flush=True)\ntime.sleep(600)"


def started(job, script, *argv, **changes):
    process = job.start(job.config({"train.py": script}, argv=list(argv), **changes))
    job.said(b"ready\n")
    return process


def pids(job, count):
    """The process ids that a script has written, one a line."""
    lines = eventually(
        lambda: job.folder.joinpath("log").exists() and len(job.log.splitlines()) >= count and job.log.splitlines()
    )
    return [int(line) for line in lines[:count]]


@pytest.mark.parametrize("code", [0, 1, 2, 77, 255])
def test_the_exit_code_is_the_scripts(job, code):
    assert job.run(job.config({"train.py": f"raise SystemExit({code})"}))[0] == code
    assert job.result["exit_code"] == code
    assert job.result["end_reason"] == ("exit_code" if code else None)
    assert (job.result["error"] is None) == (code == 0)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT", "SIGUSR1"])
def test_a_script_that_a_signal_ended_says_which(job, name):
    number = signal.Signals[name]
    assert job.run(job.config({"train.py": f"import os; os.kill(os.getpid(), {int(number)})"}))[0] == 128 + number
    assert (job.result["exit_code"], job.result["signal"], job.result["end_reason"]) == (
        128 + number,
        number,
        "exit_code",
    )
    assert f"{name} ({int(number)})" in job.result["error"]["what"]
    assert job.result["error"]["fix"] == "ipymlops logs j0123456789abcde --tail 50"


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_signals_are_passed_on_and_end_nothing_by_themselves(job, name):
    process = started(job, HANDLER, "0")
    process.send_signal(signal.Signals[name])
    job.said(f"got {name}\n".encode())
    assert process.poll() is None


@pytest.mark.parametrize("code", [0, 9])
def test_a_stop_by_the_user_is_passed_on_and_waited_for(job, code):
    process = started(job, HANDLER, str(code))
    job.state.ask_to_stop()
    process.terminate()
    assert process.wait(60) == code
    assert job.log == b"ready\ngot SIGTERM\n"
    assert (job.result["end_reason"], job.result["exit_code"], job.result["error"]) == ("user", code, None)


def test_stopping_twice_is_passed_on_twice_and_ends_once(job):
    script = HANDLER.replace("sys.exit(int(sys.argv[1]))", "seen.append(1)\n        if len(seen) == 2: sys.exit(4)")
    process = started(job, script.replace("import os", "seen = []\nimport os", 1))
    job.state.ask_to_stop()
    process.terminate()
    job.said(b"got SIGTERM")
    process.terminate()
    assert process.wait(60) == 4
    assert job.result["end_reason"] == "user"


def test_a_stop_from_outside_is_not_the_users(job):
    process = started(job, PLAIN)
    process.terminate()
    assert process.wait(60) == 143
    assert (job.result["end_reason"], job.result["signal"]) == ("exit_code", 15)
    assert "from outside" in job.result["error"]["what"]


def test_a_stop_from_outside_is_no_success_even_if_the_script_says_so(job):
    process = started(job, HANDLER, "0")
    process.terminate()
    assert process.wait(60) == 0
    assert (job.result["end_reason"], job.result["signal"], job.result["exit_code"]) == ("exit_code", 15, 0)


def test_a_script_that_does_not_stop_is_killed_after_its_grace(job):
    process = started(job, STUBBORN, stop_grace_s=0.3)
    job.state.ask_to_stop()
    process.terminate()
    assert process.wait(60) == 137
    assert (job.result["end_reason"], job.result["signal"]) == ("user", 9)


def test_a_script_that_was_paused_can_be_stopped(job):
    process = started(job, HANDLER, "6")
    os.kill(job.state.attempt().pgid, signal.SIGSTOP)
    job.state.ask_to_stop()
    process.terminate()
    assert process.wait(60) == 6


@pytest.mark.parametrize(("script", "code"), [(HANDLER, 3), (STUBBORN, 137), (HANDLER, 0)])
def test_the_deadline_is_told_first_and_kept(job, script, code):
    for cap_s in (1, 4, 16, 64):  # until the script is ready before it, however busy the machine is
        config = job.config({"train.py": script}, argv=[str(code)], max_runtime_s=cap_s, attempt_policy="again")
        ended = job.run(config | {"stop_grace_s": 0.3 if code == 137 else 30})[0]
        if b"ready" in job.log:
            break
    assert ended == code
    assert (job.result["end_reason"], job.result["exit_code"]) == ("timeout", code)
    assert "time limit" in job.result["error"]["what"]
    assert job.result["ended_at"] - job.result["started_at"] >= cap_s


def test_a_given_deadline_is_kept(job):
    assert job.run(job.config({"train.py": PLAIN}, deadline=time.time() + 1))[0] == 143
    assert job.result["end_reason"] == "timeout"


def test_a_deadline_that_has_passed_starts_nothing(job):
    result = job.script("open('ran', 'w')", deadline=time.time() - 1)
    assert (result["end_reason"], result["exit_code"]) == ("timeout", 143)
    assert not (job.folder / "code" / "ran").exists()


def test_a_stop_before_the_start_starts_nothing(job):
    job.state.ask_to_stop()
    result = job.script("open('ran', 'w')")
    assert (result["end_reason"], result["exit_code"]) == ("user", 143)
    assert not (job.folder / "code" / "ran").exists()


def test_a_signal_before_the_start_starts_nothing(job):
    config = job.config({"train.py": "open('ran', 'w')"}, secret_names=["TOKEN"])
    process = job.start(config, stdin=None)
    eventually(job.state.attempt)  # and now it waits for the secret
    process.terminate()
    process.communicate(b'{"TOKEN": "x"}\n', timeout=60)
    assert (process.returncode, job.result["signal"], job.result["end_reason"]) == (143, 15, "exit_code")
    assert job.result["error"]["what"] == "the script was not started"
    assert not (job.folder / "code" / "ran").exists()


def test_a_script_that_ended_in_time_was_not_stopped(job):
    script = "import os, pathlib; pathlib.Path(os.environ['IPYMLOPS_METRICS_FILE']).with_name('stop').touch()"
    assert job.script(script)["end_reason"] is None
    assert job.state.stop_was_asked()


def test_orphans_in_the_group_are_ended(job):
    script = "import subprocess\nfor _ in range(3): print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    assert job.script(script)["exit_code"] == 0
    assert [pid for pid in pids(job, 3) if lives(pid)] == []


def test_orphans_that_ignore_sigterm_are_killed(job):
    script = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN);"
        " print(1, flush=True); time.sleep(600)'], stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\nprint(p.pid)"
    )
    assert job.script(script, stop_grace_s=0.3)["exit_code"] == 0
    assert not lives(pids(job, 1)[0])


def test_daemons_that_stayed_in_the_session_are_ended(job):
    script = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setpgid(0, 0)\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True); time.sleep(600)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "while not os.path.getsize(os.environ['IPYMLOPS_STATE_LOG']): time.sleep(0.01)"
    )
    assert job.script(script, env={"IPYMLOPS_STATE_LOG": str(job.folder / "log")})["exit_code"] == 0
    assert not lives(pids(job, 1)[0])


def test_the_last_words_of_orphans_are_in_the_log(job):
    child = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit('last words')); print('up', flush=True); time.sleep(600)"
    script = f"import subprocess, sys\nr, w = __import__('os').pipe()\np = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=w)\n__import__('os').read(r, 1)"
    job.script(script)
    assert job.log == b"last words\n"


def test_the_workers_are_the_scripts_to_end(job):
    """A data loader's workers die of SIGTERM; the script still needs them while it saves."""
    script = (
        "import signal, subprocess, sys, time\n"
        "worker = subprocess.Popen(['sleep', '600'])\n"
        "def told(*_):\n"
        "    time.sleep(0.2)\n"
        "    sys.exit(5 if worker.poll() is None else 6)\n"
        "signal.signal(15, told)\nprint('ready', flush=True)\ntime.sleep(600)"
    )
    process = started(job, script)
    job.state.ask_to_stop()
    process.terminate()
    assert process.wait(60) == 5


def test_who_left_the_session_keeps_no_job_alive(job):
    script = "import subprocess\nprint(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)"
    assert job.script(script)["exit_code"] == 0
    pid = pids(job, 1)[0]
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)


def test_the_script_dies_with_its_launcher(job):
    process = started(job, PLAIN)
    script = eventually(lambda: job.state.attempt().pgid)
    process.kill()
    process.wait()
    eventually(lambda: not lives(script), "the script's death")
    assert not job.state.is_held()
    assert job.state.result() is None


def test_what_a_killed_launcher_leaves_can_be_ended(job):
    script = "import subprocess, time\nprint(subprocess.Popen(['sleep', '600']).pid, flush=True)\ntime.sleep(600)"
    process = job.start(job.config({"train.py": script}))
    child = pids(job, 1)[0]
    session = eventually(lambda: job.state.attempt().pgid)
    process.kill()
    process.wait()
    eventually(lambda: not lives(session), "the script's death")
    assert lives(child)
    assert end_leftovers(job.state, "j-of-another-job") == []
    assert end_leftovers(job.state, "j0123456789abcde") == [child]
    eventually(lambda: not lives(child))
    assert end_leftovers(job.state, "j0123456789abcde") == []


def test_a_process_id_from_before_the_restart_is_nobody(job):
    started(job, PLAIN)
    attempt = eventually(lambda: job.state.attempt().pgid and job.state.attempt())
    job.state.write_attempt(attempt._replace(boot_id="another"))
    assert end_leftovers(job.state, "j0123456789abcde") == []
    assert lives(attempt.pgid)


def test_a_script_that_closes_its_output_still_ends_well(job):
    script = "import os, time\nprint('said', flush=True)\nos.close(1); os.close(2)\ntime.sleep(0.3)\nos._exit(8)"
    assert job.script(script)["exit_code"] == 8
    assert job.log == b"said\n"


ENDS_AT_THE_WRONG_MOMENT = """
import os, sys
from ipymlops.runtime import launch, supervise
reap = supervise.reap
def late(pid):
    status = reap(pid)
    if status is None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return status
supervise.reap = late
sys.exit(launch.main(sys.argv))
"""


def test_a_script_that_ends_just_after_its_launcher_looked_is_not_waited_for_in_vain(job):
    config = job.folder / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps(job.config({"train.py": "import os\nos.close(1); os.close(2)\nos._exit(8)"})))
    words = [sys.executable, "-c", ENDS_AT_THE_WRONG_MOMENT, str(config)]
    assert subprocess.run(words, check=False, timeout=PATIENCE_S).returncode == 8


def test_what_the_scripts_children_leave_is_the_launchers_and_collected(job):
    """In a container the launcher is process 1: nobody else would."""
    script = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.environ['PARENT'] = str(os.getpid())\n"
        "    if os.fork() == 0:\n"
        "        while os.getppid() == int(os.environ['PARENT']): time.sleep(0.01)\n"
        "        os.write(1, b'%d\\n' % os.getppid())\n"
        "        os._exit(0)\n"
        "    os._exit(0)\n"
        "os.wait(); print('ready', flush=True); time.sleep(600)"
    )
    process = started(job, script)

    def zombies():
        stats = [stat_of(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [fields for fields in stats if fields[:2] == ["Z", str(process.pid)]]

    assert b"%d\n" % process.pid in job.said(b"%d\n" % process.pid)
    eventually(lambda: not zombies(), "the collection of zombies")
