"""A machine that is not at its best, seen from the command: one message, nothing half-written, and the line works after."""

import ctypes
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

PR_CAPBSET_DROP = 24
FULL_AT = 200_000
WAITS = "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def mlops(repo, monkeypatch):
    """`mlops("jobs", code=3)`: the command; gives stdout and the lines of stderr."""
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)

    def run(*words: str, code: int = 0, preexec: Callable[[], None] | None = None) -> tuple[str, list[str]]:
        line = [sys.executable, "-m", "ipymlops", *words]
        done = subprocess.run(line, cwd=repo, capture_output=True, text=True, preexec_fn=preexec)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr.splitlines()

    return run


def full_disk() -> None:
    """From here on no file may grow beyond this: writing fails as it does on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT, FULL_AT))


def no_privileges() -> None:
    """Let the modes of files bind us, even if the tests run as root."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_a_disk_that_is_full_while_the_snapshot_is_written(mlops, repo, git, home):
    (repo / "weights.bin").write_bytes(os.urandom(2 * FULL_AT))
    out, said = mlops("train", "train.py", code=2, preexec=full_disk)
    assert (out, len(said)) == ("", 3)
    assert "the disk is full" in said[0]
    assert said[2].startswith("  fix: df -h")
    assert json.loads(mlops("jobs", "--json")[0])["jobs"] == []
    assert git(repo, "for-each-ref", "refs/ipymlops/jobs") == ""
    assert not list(home.glob("local/*")) + list(home.glob("code/*"))
    assert subprocess.run(said[2].removeprefix("  fix: "), shell=True, cwd=repo, capture_output=True).returncode == 0
    mlops("train", "--wait", "train.py")


def test_a_file_that_may_not_be_read(mlops, repo):
    closed = repo / "closed.py"
    closed.write_text("1")
    closed.chmod(0)
    out, said = mlops("train", "train.py", code=2, preexec=no_privileges)
    assert (out, len(said)) == ("", 3)
    assert "closed.py cannot be read" in said[0]
    subprocess.run(said[2].removeprefix("  fix: "), shell=True, cwd=repo, check=True)
    mlops("train", "--plan", "train.py", preexec=no_privileges)


def test_records_that_are_damaged_are_kept_aside_and_made_anew(mlops, home):
    mlops("train", "--wait", "--name", "mine", "train.py", "a")
    (home / "jobs.db").write_bytes(b"no database" * 1000)
    out, said = mlops("jobs", "--json")
    assert [(job["number"], job["name"], job["state"]) for job in json.loads(out)["jobs"]] == [(1, "mine", "succeeded")]
    [aside] = home.glob("jobs.db.corrupt-*")
    assert str(aside) in " ".join(said)
    assert mlops("logs", "mine") == ("args ['a']\n", [])


def test_records_of_a_newer_version_are_left_alone(mlops, home):
    mlops("train", "--wait", "train.py")
    with closing(sqlite3.connect(home / "jobs.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for words in (("jobs",), ("train", "train.py"), ("logs", "1")):
        out, said = mlops(*words, code=3)
        assert (out, len(said)) == ("", 3)
        assert "version 99" in said[1]
        assert said[2] == "  fix: python -m pip install --upgrade ipymlops"
    assert len(list(home.glob("local/j*"))) == 1


def test_a_follow_that_is_interrupted_says_so_and_the_job_goes_on(mlops, repo):
    (repo / "train.py").write_text(WAITS)
    line = [sys.executable, "-m", "ipymlops", "train", "-f", "train.py"]
    with subprocess.Popen(line, cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follow:
        assert follow.stdout.readline() == "ready\n"
        follow.send_signal(signal.SIGINT)
        out, said = follow.communicate()
    assert (follow.returncode, out) == (130, "")
    assert "detached" in said
    assert "Traceback" not in said
    assert json.loads(mlops("show", "last", "--json")[0])["state"] == "running"
    mlops("stop", "last")
    out, _ = mlops("wait", "last", "--json", code=1)
    assert [(job["state"], job["end_reason"]) for job in json.loads(out)["jobs"]] == [("stopped", "user")]


def test_a_job_whose_machine_went_down_is_told_and_nobody_elses_process_is_touched(mlops, repo, home):
    """As after a restart: the launcher is gone without a word, and its pid is somebody else's now."""
    (repo / "train.py").write_text(WAITS)
    job = json.loads(mlops("train", "--json", "train.py")[0])
    node = home / "local" / job["id"] / "nodes" / "0"
    mlops("logs", "last", "--json")
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        attempt = running_attempt(mlops, node)
        os.kill(attempt["pid"], signal.SIGKILL)
        (node / "state" / "attempt.json").write_text(
            json.dumps(attempt | {"pid": other.pid, "pgid": other.pid, "boot_id": "of the day before"})
        )
        document = json.loads(mlops("wait", "last", "--json", code=1)[0])["jobs"][0]
        assert (document["state"], document["end_reason"]) == ("failed", "platform_error")
        assert "restarted" in document["error"]["what"]
        mlops("stop", "last")
        assert other.poll() is None
        other.kill()


def running_attempt(mlops, node: Path) -> dict:
    """What the launcher wrote down of itself, once its script runs."""
    for _ in range(600):
        if "ready" in mlops("logs", "last")[0]:
            return json.loads((node / "state" / "attempt.json").read_text())
    raise AssertionError("it never ran")
