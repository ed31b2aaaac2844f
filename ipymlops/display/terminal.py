"""The screen of a terminal: the script's bytes on stdout, our own words on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TextIO

from ipymlops.context import SystemClock
from ipymlops.display.blocks import View
from ipymlops.display.card import Card
from ipymlops.display.looks import badge, look_of
from ipymlops.display.plain import is_yes, plain
from ipymlops.display.progress import Progress
from ipymlops.job import Job, JobState, LogLine
from ipymlops.spec import Intent, JobId

SGR = {"good": "32", "live": "34", "warn": "33", "bad": "31", "dim": "2"}
BAR_CHARACTERS = 79
"""A line that wraps could not be taken back."""
SIGPIPE_STATUS = 141
"""What a shell reports for a command that wrote to a pipe nobody reads any more: `logs 7 -f | head`."""


@dataclass(frozen=True)
class _Shown:
    state: JobState
    detail: str
    cell: object


class TerminalScreen:
    """Cards are printed once and then followed by a line for each change, as a terminal only grows.

    Args:
        cell: Tells one command from the next, where there are several: each may show a card anew.
    """

    def __init__(
        self,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        *,
        door: str = "ipymlops",
        now: Callable[[], datetime] | None = None,
        cell: Callable[[], object] | None = None,
    ) -> None:
        self._stdout, self._stderr = stdout or sys.stdout, stderr or sys.stderr
        self._door, self._now = door, now or SystemClock().now
        self._cell = cell or (lambda: None)
        self._shown: dict[JobId, _Shown] = {}
        self._progress, self._has_bar = Progress(self._now), False

    def note(self, text: str) -> None:
        self._say("\n".join(plain(line) for line in text.splitlines()))

    def ask(self, question: str) -> bool | None:
        if sys.stdin is None or not (sys.stdin.isatty() and self._stderr.isatty()):
            return None
        self._stderr.write(_encodable(f"{plain(question)} [y/N] ", self._stderr))
        self._stderr.flush()
        return is_yes(sys.stdin.readline())

    def card(self, job: Job, intent: Intent | None = None, hints: Sequence[str] = ()) -> None:
        before, now = self._shown.get(job.id), _Shown(job.state, job.detail, self._cell())
        if now == before:
            return
        self._shown[job.id] = now
        card = Card(job, self._now(), intent, tuple(hints), door=self._door)
        if before is None or before.cell != now.cell:
            self._say(self._painted(card.view(), job))
        elif job.is_final:
            self._say(self._painted(card.outcome(), job))
        else:
            self._say(self._painted(replace(card.view(), blocks=card.view().blocks[:1]), job))

    def log(self, line: LogLine, *, with_rank: bool) -> None:
        rank = f"[{line.node}] ".encode() if with_rank else b""
        data = rank + line.text + b"\n"
        buffer = getattr(self._stdout, "buffer", None)
        try:
            if buffer is None:
                self._stdout.write(data.decode(errors="replace"))
            else:
                buffer.write(data)
            self._stdout.flush()
        except BrokenPipeError:
            _leave(self._stdout)

    def progress(self, done_bytes: int, total_bytes: int, what: str) -> None:
        if not self._stderr.isatty():
            return
        text = self._progress.line(done_bytes, total_bytes, what)
        if text or self._has_bar:
            self._stderr.write(_encodable(f"\r\x1b[K{text[:BAR_CHARACTERS]}", self._stderr))
            self._stderr.flush()
        self._has_bar = bool(text)

    @contextmanager
    def following(self, job: Job) -> Iterator[None]:  # noqa: ARG002 - a terminal shows the lines as they come
        yield

    def _say(self, text: str) -> None:
        if not text:
            return
        try:
            self._stdout.flush()  # keep the order of what both streams show
            self._stderr.write(_encodable(text, self._stderr) + "\n")
            self._stderr.flush()
        except BrokenPipeError:
            _leave(self._stderr)

    def _painted(self, view: View, job: Job) -> str:
        from ipymlops.display.text import view_text

        text, sign = view_text(view), badge(job)
        code = SGR.get(look_of(job.state).tone)
        if not code or os.environ.get("NO_COLOR") or not self._stderr.isatty():
            return text
        return text.replace(sign, f"\x1b[1;{code}m{sign}\x1b[0m", 1)


def _encodable(text: str, stream: TextIO) -> str:
    """The text as far as the stream's encoding goes: a C locale has no `✓`."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _leave(stream: TextIO) -> None:
    """End quietly: nobody reads what we write. The dead pipe is replaced, as Python flushes it once more at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    raise SystemExit(SIGPIPE_STATUS)
