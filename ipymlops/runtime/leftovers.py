"""What an attempt left behind whose launcher was killed: found by its session and its job id, and ended."""

from __future__ import annotations

import signal
import time
from typing import List

from ipymlops.runtime.process import send, session_members
from ipymlops.runtime.state import State, boot_id

GRACE_S = 2.0
POLL_S = 0.02


def end_leftovers(state: State, job_id: str, grace_s: float = GRACE_S) -> List[int]:
    """End what still runs of the latest attempt; gives the processes that were found.

    To be called only while no launcher holds the lock. Safe where pids were used again: a process counts if it is in
    the attempt's session, was started by this start of the machine, and has this job's id among its variables.
    """
    attempt = state.attempt()
    if attempt is None or attempt.pgid is None or attempt.boot_id != boot_id():
        return []
    found = _ours(attempt.pgid, job_id)
    left = found
    send(left, signal.SIGTERM)
    ends_at = time.monotonic() + grace_s
    while left and time.monotonic() < ends_at:
        time.sleep(POLL_S)
        left = _ours(attempt.pgid, job_id)
    send(left, signal.SIGKILL)
    return found


def _ours(session: int, job_id: str) -> List[int]:
    wanted = "IPYMLOPS_JOB_ID={}".format(job_id).encode()
    return [pid for pid in session_members(session) if wanted in _variables(pid)]


def _variables(pid: int) -> List[bytes]:
    try:
        with open("/proc/{}/environ".format(pid), "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
