"""The screen of a notebook's cell: one card per job, brought up to date in place, with the end of its log."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ipymlops.context import SystemClock
from ipymlops.display.card import Card
from ipymlops.display.plain import is_yes, plain
from ipymlops.display.progress import Progress
from ipymlops.job import Job, LogLine
from ipymlops.spec import Intent, JobId
from ipymlops.units import size

TAIL_LINES = 20
TAIL_LINE_BYTES = 2000
REFRESH_S = 0.25
IDLE_REFRESH_S = 5.0  # nothing new: only the ages move
PRINTED_BYTES = 32_000
CARDS = 200  # how many jobs' cards are kept up to date
DOOR = "%mlops"


@dataclass
class _Live:
    """What one job's card shows now. `cell`: the execution that holds its newest copy."""

    job: Job
    intent: Intent | None = None
    hints: tuple[str, ...] = ()
    cell: object = None
    tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    last_output_at: datetime | None = None
    is_changed: bool = True


class NotebookScreen:
    """Shows cards through the kernel's display messages.

    - A job has one display id; a cell that shows it again gets its own copy, and all copies change together.
    - Other threads than the cell's bring cards up to date, and never add one to whatever cell runs just then.
    - While a job is followed, a ticker publishes at most four times a second, so a line costs the kernel an append.
    """

    def __init__(self, shell: Any, *, now: Callable[[], datetime] | None = None) -> None:
        self._shell, self._now = shell, now or SystemClock().now
        self._cards: OrderedDict[JobId, _Live] = OrderedDict()
        self._lock = threading.RLock()
        self._followed: _Live | None = None
        self._progress, self._bars, self._has_bar = Progress(self._now), 0, False
        self._printed: deque[bytes] = deque()
        self._printed_bytes = self._dropped_lines = 0
        shell.events.register("post_execute", self._print_lines)

    def note(self, text: str) -> None:
        self._print_lines()
        sys.stdout.write("\n".join(plain(line) for line in text.splitlines()) + "\n")

    def ask(self, question: str) -> bool | None:
        from IPython.core.error import StdinNotImplementedError

        self._print_lines()
        try:
            return is_yes(input(f"{plain(question)} [y/N] "))
        except (StdinNotImplementedError, EOFError):  # papermill and its kin take no answers
            return None

    def card(self, job: Job, intent: Intent | None = None, hints: Sequence[str] = ()) -> None:
        with self._lock:
            live = self._live(job)
            job = live.job if live.job.is_final and not job.is_final else job  # an object kept from earlier
            live.is_changed |= (live.job, live.intent) != (job, intent or live.intent) or bool(hints)
            live.job, live.intent = job, intent or live.intent
            live.hints = tuple(hints) or live.hints
            is_new = self._is_cell_thread() and live.cell != self._cell()
            if is_new or (live.is_changed and live is not self._followed) or job.is_final:
                self._publish(live, is_new=is_new)

    def log(self, line: LogLine, *, with_rank: bool) -> None:
        text = b"[%d] %s" % (line.node, line.text) if with_rank else line.text
        live = self._followed
        if live is None:
            self._keep(text)
            return
        live.tail.append(text if len(text) <= TAIL_LINE_BYTES else text[-TAIL_LINE_BYTES:])
        live.is_changed = True

    def progress(self, done_bytes: int, total_bytes: int, what: str) -> None:
        """One line of the cell; what stays of it says how much came."""
        text = self._progress.line(done_bytes, total_bytes, what)
        if text or self._has_bar:
            self._bars += not self._has_bar
            data = {"text/plain": text or f"{size(total_bytes)}: {plain(what)}"}
            transient = {"display_id": f"ipymlops-progress-{id(self)}-{self._bars}"}
            self._shell.display_pub.publish(data, {}, transient=transient, update=self._has_bar)
        self._has_bar = bool(text)

    @contextmanager
    def following(self, job: Job) -> Iterator[None]:
        with self._lock:
            live = self._live(job)
            self._followed = live
        self.card(live.job)
        done = threading.Event()
        ticker = threading.Thread(
            target=contextvars.copy_context().run, args=(self._tick, live, done), name="ipymlops-card", daemon=True
        )
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()
            with self._lock:
                self._followed = None
                self._publish(live, is_new=False)

    def _tick(self, live: _Live, done: threading.Event) -> None:
        waited_s = 0.0
        while not done.wait(REFRESH_S):
            waited_s += REFRESH_S
            with self._lock:
                if live.is_changed or waited_s >= IDLE_REFRESH_S:
                    self._publish(live, is_new=False)
                    waited_s = 0.0

    def _live(self, job: Job) -> _Live:
        live = self._cards.get(job.id)
        if live is None:
            live = self._cards[job.id] = _Live(job)
        self._cards.move_to_end(job.id)
        if len(self._cards) > CARDS:
            self._cards.popitem(last=False)
        return live

    def _publish(self, live: _Live, *, is_new: bool) -> None:
        from ipymlops.display.html import view_html
        from ipymlops.display.text import view_text

        if live.is_changed and live.tail:
            live.last_output_at = self._now()
        live.is_changed = False
        if is_new:
            live.cell = self._cell()
        view = self._card(live).view()
        data = {"text/html": view_html(view), "text/plain": view_text(view)}
        transient = {"display_id": f"ipymlops-{live.job.id}"}
        self._shell.display_pub.publish(data, {}, transient=transient, update=not is_new)

    def _card(self, live: _Live) -> Card:
        """Ages are shown while a follow keeps them true; what is left in the cell holds for good."""
        known = (live.job, self._now(), live.intent, live.hints, tuple(live.tail), live.last_output_at, DOOR)
        return Card(*known, is_ticking=live is self._followed)

    def _cell(self) -> object:
        """What tells one execution from the next: the request's id in a kernel, else the prompt's number."""
        parent = getattr(self._shell, "parent_header", None) or {}
        return parent.get("header", {}).get("msg_id") or self._shell.execution_count

    def _is_cell_thread(self) -> bool:
        return threading.current_thread() is threading.main_thread()

    def _keep(self, text: bytes) -> None:
        """Outside a follow, lines are printed when the cell ends: as many of the last as a notebook should hold."""
        line = text if len(text) <= PRINTED_BYTES else text[-PRINTED_BYTES:]
        self._printed.append(line)
        self._printed_bytes += len(line) + 1
        while self._printed_bytes > PRINTED_BYTES:
            self._printed_bytes -= len(self._printed.popleft()) + 1
            self._dropped_lines += 1

    def _print_lines(self) -> None:
        if not self._printed:
            return
        lines = [line.decode(errors="replace") for line in self._printed]
        dropped = self._dropped_lines
        self._printed.clear()
        self._printed_bytes = self._dropped_lines = 0
        if dropped:
            hint = "a terminal's `ipymlops logs` shows all of them"
            sys.stdout.write(f"… {dropped:,} earlier lines are left out of the notebook; {hint} …\n")
        sys.stdout.write("\n".join(lines) + "\n")
