"""What became of a script, as `result.json` tells it."""

from __future__ import annotations

import os
import signal
from typing import Any, Dict, NamedTuple, Optional, Tuple

from ipymlops.runtime.memory import MemoryKills
from ipymlops.runtime.problem import error_json
from ipymlops.runtime.supervise import Ended
from ipymlops.runtime.tracebacks import Traceback, last_line, last_traceback

GIB = 1 << 30


class Outcome(NamedTuple):
    """The part of `result.json` that says how it ended."""

    exit_code: int
    signal: Optional[int]
    end_reason: Optional[str]
    error: Optional[Dict[str, Any]]


class Place(NamedTuple):
    """Whose job it was and where it ran, for messages and for the files in a traceback."""

    job_id: str
    root: str
    workdir: str


def of_script(
    ended: Ended,
    tail: bytes,
    place: Place,
    *,
    asked: bool,
    before: Optional[MemoryKills],
    after: Optional[MemoryKills],
) -> Outcome:
    """How a script ended.

    Args:
        asked: The user asked for the end.
        before, after: The kernel's counter at the script's start and end.
    """
    exit_code, number = _exit_code(ended.status)
    if ended.cause == "timeout":
        return Outcome(exit_code, number, "timeout", _timeout(ended, place))
    if ended.cause == "term" and asked:
        return Outcome(exit_code, number, "user", None)
    if ended.cause == "term":
        return Outcome(exit_code, number or signal.SIGTERM, "exit_code", _told_from_outside(exit_code, place))
    if exit_code == 0:
        return Outcome(0, None, None, None)
    trace = last_traceback(tail, place.root, place.workdir)
    kills = after.killed - before.killed if after and before else 0
    if exit_code == 128 + signal.SIGKILL and after and kills > 0:
        return Outcome(exit_code, number, "out_of_memory", _with_trace(_out_of_memory(after, kills), trace))
    what, why = _words(exit_code, number, trace, last_line(tail), readable=after is not None)
    return Outcome(exit_code, number, "exit_code", _with_trace((what, why, _see_log(place)), trace))


def _exit_code(status: int) -> Tuple[int, Optional[int]]:
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status), os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None


def _words(
    exit_code: int, number: Optional[int], trace: Optional[Traceback], last: str, *, readable: bool
) -> Tuple[str, str]:
    if number is not None:
        why = {
            signal.SIGKILL: "something outside the job killed it; the kernel counted no kill for memory"
            if readable
            else "it was killed from outside, or memory ran out: the kernel's counter cannot be read here",
            signal.SIGSEGV: "native code touched memory that is not its own",
            signal.SIGBUS: "memory that was promised could not be had",
            signal.SIGABRT: "native code gave up; its last words are in the log",
        }.get(number, "nothing of ours sent it")  # type: ignore[call-overload]
        return "the script was ended by {}".format(_name(number)), why
    if trace is None:
        why = "the last line of its log is: {}".format(last) if last else "its log is empty"
        return "the script ended with exit code {}".format(exit_code), why
    where = " at {}, line {}".format(trace.file, trace.line) if trace.file else ""
    return trace.exception[:500], "the script ended with exit code {}{}".format(exit_code, where)


def _timeout(ended: Ended, place: Place) -> Dict[str, Any]:
    how = "did not stop within its grace and was killed" if ended.was_killed else "was told to stop and did"
    return error_json(
        "the job reached its time limit",
        "the script {}".format(how),
        "give it longer with --max-runtime; what it saved is there: ipymlops artifacts {}".format(place.job_id),
    )


def _told_from_outside(exit_code: int, place: Place) -> Dict[str, Any]:
    return error_json(
        "the job was told to stop from outside (SIGTERM)",
        "neither its user nor its time limit did that; the script ended with exit code {}".format(exit_code),
        _see_log(place),
    )


def _out_of_memory(kills: MemoryKills, count: int) -> Tuple[str, str, str]:
    limit = " of {:.1f} GiB".format(kills.limit / GIB) if kills.limit else ""
    return (
        "the script ran out of memory",
        "the kernel killed {} process{} for it (memory limit{}; {})".format(
            count, "" if count == 1 else "es", limit or ": none but the machine's", kills.source
        ),
        "take a machine with more memory (--machine TYPE), or read the data in smaller pieces",
    )


def _with_trace(words: Tuple[str, str, str], trace: Optional[Traceback]) -> Dict[str, Any]:
    if trace is None:
        return error_json(*words)
    return error_json(*words, traceback=trace.text, file=trace.file, line=trace.line)


def _see_log(place: Place) -> str:
    return "ipymlops logs {} --tail 50".format(place.job_id)


def _name(number: int) -> str:
    try:
        return "{} ({})".format(signal.Signals(number).name, number)
    except ValueError:
        return "signal {}".format(number)
