"""A submit that is killed (SIGKILL) before each of its acts in turn: `python -m ipymlops.testing.killed_submit`.

The module run by itself reads pickled submits from standard input and makes each in a process of its own.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ipymlops.platforms.base import Platform
from ipymlops.spec import CodeArchive, JobId, JobSpec, Plan

ACTS = frozenset(
    {
        *("os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree", "shutil.copyfile"),
        *("subprocess.Popen", "http.client.send", "fcntl.flock"),
    }
)
"""What Python's audit hooks tell of that changes something outside the process."""
REQUESTS = frozenset({"http.client.send", "subprocess.Popen"})
"""Only what others see of it, where each try is dear."""
AFTER_ALL = -1


@dataclass(frozen=True)
class Submit:
    """One call of `submit`."""

    platform: Platform
    job_id: JobId
    spec: JobSpec
    code: CodeArchive
    plan: Plan
    acts: frozenset[str] = ACTS

    def __call__(self) -> None:
        self.platform.submit(self.job_id, "killed", self.spec, self.code, self.plan)


def kills(submits: Sequence[Submit]) -> int:
    """Kill the first submit before its first act, the second before its second and so on, until one comes through.

    Returns: How many were killed; fewer than there are.
    """
    killed = _made(list(enumerate(submits)))
    assert killed < len(submits), f"all {killed} submits were killed: give more of them"
    return killed


def submit_and_die(submit: Submit) -> None:
    """Submit in a process that is killed as soon as `submit` has returned."""
    assert _made([(AFTER_ALL, submit)]) == 1


def _made(submits: list[tuple[int, Submit]]) -> int:
    """How many were killed before one came through."""
    words = [sys.executable, "-m", "ipymlops.testing.killed_submit"]
    done = subprocess.run(words, input=pickle.dumps(submits), stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def main() -> int:
    submits: list[tuple[int, Submit]] = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own, from the test
    killed = 0
    for before, submit in submits:
        if _in_child(before, submit) != signal.SIGKILL:
            break
        killed += 1
    print(killed)  # noqa: T201 - the answer to whoever runs this
    return 0


def _in_child(before: int, submit: Submit) -> int:
    """The signal that ended it, 0 for none; an error in it ends us too."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _run(before, submit)
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status <= 0, f"the submit failed when killed before act {before}"
    return -status


def _run(before: int, submit: Submit) -> None:
    left = before

    def count(event: str, _args: object) -> None:
        nonlocal left
        if event in submit.acts:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    if before != AFTER_ALL:
        sys.addaudithook(count)
    submit()
    if before == AFTER_ALL:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
