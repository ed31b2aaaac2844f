"""Following a job: its log as it comes and its state as it changes, until nothing more can happen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime

from ipymlops.context import Context
from ipymlops.control import poll
from ipymlops.control.poller import NO_ANSWER, Pace, described, is_here
from ipymlops.control.watch import LEAST_S, OnChange, Watch, detaching
from ipymlops.control.wording import line
from ipymlops.errors import MissingExtra, NotSignedIn, PlatformProblem
from ipymlops.job import Job, LogLine, LogPage

HERE_S = (0.05, 0.1)
FAR_S = (1.0, 5.0)
"""How often the log is asked for more: seldom where nothing comes."""

QUIET_END_S = 60.0
"""A final job whose log cannot be read, or never says that it has ended, is left after so long without a line."""

UNANSWERED = (PlatformProblem, NotSignedIn, MissingExtra, ConnectionError, TimeoutError)
"""What keeps a page from coming; `_Tail.dropped` says which of it is waited for."""


def follow(context: Context, job: Job, *, on_line: Callable[[LogLine], object], on_change: OnChange) -> Job:
    """Show the job until it is final and its log is at its end; returns it as it then is.

    `on_change` gets the job whenever its record changed, the last time after the last line.

    Raises: `FollowInterrupted` on Ctrl-C, at any moment; the job goes on.
    """
    following = Following(context, job, on_change)
    with detaching_from(job):
        for page in following.pages():
            for one in page.lines:
                on_line(one)
    return following.job


def detaching_from(job: Job) -> AbstractContextManager[None]:
    """Ctrl-C inside leaves the job alone, and says how to look at it again."""
    return detaching([job], fix=line("logs", job.number, "-f"))


class Following:
    """One follow: how far in the log it is, and what is known of the job.

    Attributes: `job`, as last seen.
    """

    def __init__(self, context: Context, job: Job, on_change: OnChange | None = None) -> None:
        self.job = job
        self._told = job
        self._context = context
        self._on_change = on_change or (lambda _job: None)
        self._is_here = is_here(context, job)
        self._log = _Tail(context, HERE_S if self._is_here else FAR_S)
        self._asks = Pace(HERE_S[1], HERE_S[1]) if self._is_here else Pace(FAR_S[0], FAR_S[0])

    def pages(self) -> Iterator[LogPage]:
        """The log from its beginning, page by page; an empty page says that all there is so far has been given."""
        with Watch(self._context) as watch:
            watch.want([self.job])
            while True:
                page = self._log.next_page(self.job)
                if page is not None:
                    watch.release()  # who reads this may never come back, and must not keep others from polling
                    yield page
                pause_s = max(LEAST_S, min(self._look(watch), self._log.rest_s(self.job)))
                if self.job.is_over and self._log.is_over(self.job):
                    self._tell()
                    return
                if page is None or not page.lines:
                    self._context.clock.sleep(pause_s)

    def _look(self, watch: Watch) -> float:
        """Bring the record up to date; returns how long it may rest. A job of this machine we ask ourselves."""
        pause_s = watch.turn()
        self.job = self._context.store.get(self.job.id)
        if (self._is_here or self._log.is_at_end) and self._asks.is_due(self._context.clock.now()):
            self._asks.slower(self._context.clock.now())
            self._ask()
        if not self.job.is_over:  # the end is told after the last line
            self._tell()
        return pause_s

    def _ask(self) -> None:
        try:
            self.job = poll.ask(self._context, self.job)
        except UNANSWERED as problem:
            self._log.dropped(problem)

    def _tell(self) -> None:
        if self.job != self._told:
            self._told = self.job
            self._on_change(self.job)


class _Tail:
    """The place in a log, kept across every lost connection."""

    def __init__(self, context: Context, range_s: tuple[float, float]) -> None:
        self.is_at_end = False
        self._has_begun = False
        self._context = context
        self._pace = Pace(*range_s)
        self._cursor = ""
        self._failures = 0
        self._quiet_since: datetime | None = None

    def rest_s(self, job: Job) -> float:
        """How long there is nothing to read, in seconds."""
        if job.ref is None or self.is_at_end:
            return math.inf
        return max(0.0, self._pace.left_s(self._context.clock.now()))

    def next_page(self, job: Job) -> LogPage | None:
        """What follows; None where it is not time yet, or there was no answer."""
        now = self._context.clock.now()
        if job.ref is None or self.is_at_end or not self._pace.is_due(now):
            return None
        try:
            page = self._context.platforms[job.platform].logs(job.ref, self._cursor)
        except UNANSWERED as problem:
            self.dropped(problem)
            return None
        self._took(page)
        return page

    def _took(self, page: LogPage) -> None:
        now, self._has_begun = self._context.clock.now(), True
        self._cursor, self.is_at_end, self._failures = page.cursor, page.is_end, 0
        if page.lines:
            self._quiet_since, self._pace.due, self._pace.interval_s = None, None, 0.0
        else:
            self._pace.slower(now)

    def dropped(self, problem: Exception) -> None:
        """No answer: asked again from the same place. Told once, not each time.

        Who was never let in has to do something first; a login that expires in the middle may be renewed any moment.
        """
        if isinstance(problem, MissingExtra) or (isinstance(problem, NotSignedIn) and not self._has_begun):
            raise problem
        self._failures += 1
        self._pace.slower(self._context.clock.now())
        # A line that is cut mends itself unseen; a login waits for the user.
        is_told = isinstance(problem, NotSignedIn) or not isinstance(problem, NO_ANSWER)
        if self._failures == 1 and is_told:
            self._context.screen.note(f"{described(problem)['what']}; asking again")

    def is_over(self, job: Job) -> bool:
        """Whether the log of a job that has ended brings nothing more."""
        if job.ref is None or self.is_at_end or job.is_gone:
            return True
        now = self._context.clock.now()
        self._quiet_since = self._quiet_since or now
        is_given_up = (now - self._quiet_since).total_seconds() > QUIET_END_S
        if is_given_up:
            self._context.screen.note("the end of the log could not be read")
        return is_given_up
