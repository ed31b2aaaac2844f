"""The script as a process: in its own session, tied to the launcher's life, and everything it leaves behind."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from ipymlops.runtime.problem import LaunchProblem

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 20
EXIT_NOT_FOUND = 127
EXIT_NOT_RUN = 126


class NotStarted(LaunchProblem):
    """The command itself cannot be run; `exit_code` is what a shell would give."""

    def __init__(self, what: str, why: str, fix: str, exit_code: int) -> None:
        super().__init__(what, why, fix)
        self.exit_code = exit_code


class Script(NamedTuple):
    """A started script. `pid` is its process, its process group and its session; `output` what it writes."""

    pid: int
    output: int


def start(words: Sequence[bytes], env: Dict[bytes, bytes], workdir: bytes) -> Script:
    """Start the script: standard input empty, both outputs into one pipe.

    It is killed when the launcher dies, so that no job goes on that nobody records.
    """
    output, end = os.pipe()
    _widen(output)
    try:
        process = subprocess.Popen(
            words,
            env=env,
            cwd=workdir,
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
            start_new_session=True,
            preexec_fn=_tie_to_parent(),  # noqa: PLW1509 - the launcher has no threads
        )
    except OSError as error:
        raise _not_started(words, env, error) from error
    finally:
        os.close(end)
    process.returncode = 0  # `reap` waits for it, not this object
    return Script(process.pid, output)


def adopt_orphans() -> None:
    """Become the parent of what the script's children leave behind, so that its end is seen. Linux only."""
    prctl = _prctl()
    if prctl is not None:
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def reap(pid: int) -> Optional[int]:
    """Collect every child that has ended; the wait status of `pid` if it is among them."""
    status = None
    while True:
        try:
            ended, one = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if ended == 0:
            return status
        if ended == pid:
            status = one


def session_members(session: int) -> List[int]:
    """The living processes of a session, whichever group they are in."""
    members = []
    for pid in _all_pids():
        fields = _stat(pid)
        # state ppid pgrp session; a zombie is dead and waits for its parent only
        if fields and fields[3] == str(session) and fields[0] not in "ZX":
            members.append(pid)
    return members


def all_of(session: int) -> List[int]:
    """What a script left: its session, and where we are the first process of a container, whatever runs there."""
    if os.getpid() != 1 or not _shows_us():
        return session_members(session)
    return [pid for pid in _all_pids() if pid != 1 and _stat(pid)[:1] not in ([], ["Z"], ["X"])]


def send(pids: Sequence[int], number: int) -> None:
    """Send a signal; one who is gone already is no error. A stopped process is woken, to see it."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, signal.SIGCONT)


def _shows_us() -> bool:
    """Whether /proc is that of our own container."""
    try:
        return os.readlink("/proc/self") == "1"
    except OSError:
        return False


def _all_pids() -> List[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _stat(pid: int) -> List[str]:
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            text = file.read().decode("ascii", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before it may hold anything


def _widen(pipe: int) -> None:
    import fcntl

    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return  # the system's own size: slower, no less right


def _prctl() -> Optional[Callable[[int, int], int]]:
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        prctl = libc.prctl
    except (ImportError, OSError, AttributeError):
        return None  # a Python without ctypes, or no Linux
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
    return lambda option, value: int(prctl(option, value))


def _tie_to_parent() -> Callable[[], None]:
    prctl = _prctl()
    parent = os.getpid()

    def tie() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the launcher died in between
                os._exit(EXIT_NOT_RUN)

    return tie


def _not_started(words: Sequence[bytes], env: Dict[bytes, bytes], error: OSError) -> NotStarted:
    command = os.fsdecode(words[0])
    if error.errno == errno.E2BIG:
        size = sum(len(word) + 1 for word in (*words, *env, *env.values()))
        return NotStarted(
            "the arguments are too many",
            "arguments and variables have {:,} bytes together, more than this machine gives a process".format(size),
            "put them in a file and pass its path",
            EXIT_NOT_RUN,
        )
    if isinstance(error, FileNotFoundError):
        path = os.fsdecode(env.get(b"PATH", os.defpath.encode()))
        why = "there is no such file, or not the interpreter that its first line names"
        return NotStarted(
            "the command was not found: {!a}".format(command),
            why if "/" in command else "no folder on PATH has it: {!a}".format(path),
            "install it where the job runs, or give its path: -- /path/to/command ARG…",
            EXIT_NOT_FOUND,
        )
    fix = "run it with its interpreter, for example: -- sh {}".format(command)
    return NotStarted("the command cannot be run: {!a}".format(command), str(error.strerror), fix, EXIT_NOT_RUN)
