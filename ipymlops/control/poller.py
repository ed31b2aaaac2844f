"""The rounds of whoever leads the watch: each live job is asked about when it is due, seldom where nothing happens."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ipymlops.context import Context
from ipymlops.control import poll
from ipymlops.control.dispatch import log_of
from ipymlops.control.reconcile import sent_again
from ipymlops.errors import IpymlopsError, MissingExtra, NotSignedIn, Unreachable
from ipymlops.job import Job, JobState
from ipymlops.spec import JobId

HERE_S = (0.2, 1.0)
FAR_S = (1.0, 30.0)
RESEND_S = (1.0, 300.0)
SILENT_S = (1.0, 60.0)
STOP_AGAIN_S = (60.0, 60.0)
SILENT_COURIER_S = 5.0
"""Once the pauses are so long, couriers that left no word are called dead; before, they may be slow to start."""

GROWTH = 1.5
JITTER = (0.8, 1.0)

NO_ANSWER = (Unreachable, NotSignedIn, MissingExtra, ConnectionError, TimeoutError)
"""What is true of the whole platform, not of one job."""


@dataclass
class Pace:
    """When something is due again: after `least_s` seconds, and up to `most_s` with each time that brought nothing."""

    least_s: float
    most_s: float
    due: datetime | None = None
    interval_s: float = 0.0

    def is_due(self, now: datetime) -> bool:
        """The clock may go back: what would be due later than it ever could is due now."""
        return self.left_s(now) <= 0 or self.left_s(now) > self.most_s

    def left_s(self, now: datetime) -> float:
        return (self.due - now).total_seconds() if self.due else 0.0

    def faster(self, now: datetime) -> None:
        self.interval_s = 0.0
        self.slower(now)

    def slower(self, now: datetime) -> None:
        self.interval_s = min(self.most_s, max(self.least_s, self.interval_s * GROWTH))
        jitter = random.uniform(*JITTER)  # noqa: S311 - so that many machines do not ask in step
        self.due = now + timedelta(seconds=self.interval_s * jitter)


class Poller:
    """Looks at all live jobs of ours, and at those of others that somebody here waits for.

    Attributes:
        notices: The last trouble of each platform, {platform, what, why, fix}; gone once it answers again.
        wanted: Ids of the jobs that are waited for. The account's list keeps those of others up to date well enough
            for everybody else.
    """

    def __init__(self, context: Context) -> None:
        self.notices: dict[str, dict[str, str]] = {}
        self.wanted: Collection[JobId] = ()
        self._context = context
        self._paces: dict[tuple[JobId, bool], Pace] = {}
        self._silent: dict[str, Pace] = {}
        self._stops: dict[tuple[JobId, bool], Pace] = {}

    @property
    def silent(self) -> tuple[str, ...]:
        """The platforms that gave no answer when they were asked last."""
        return tuple(self._silent)

    def round(self, *, is_leading: bool = True) -> float:
        """Look at each job that is due; returns the seconds until the next one is.

        Args:
            is_leading: Without the lead, only those of others that are waited for here.
        """
        live = self._live(is_leading=is_leading)
        self._forget({_key(job) for job in live})
        for job in live:
            if self._is_due(job):
                self._visit(job)
        now = self._context.clock.now()
        waits = [max(self._pace(job).left_s(now), self._silence_s(job, now)) for job in live]
        return min([FAR_S[1], *waits])

    def _live(self, *, is_leading: bool) -> list[Job]:
        ours = self._context.store.live(only_ours=True) if is_leading else []
        if not self.wanted:
            return ours
        wanted = [self._context.store.get(job_id) for job_id in self.wanted]
        return [*ours, *(job for job in wanted if not job.is_ours and not job.is_over)]

    def _is_due(self, job: Job) -> bool:
        now = self._context.clock.now()
        silent = self._silent.get(job.platform)
        return self._pace(job).is_due(now) and (silent is None or silent.is_due(now))

    def _pace(self, job: Job) -> Pace:
        if _key(job) not in self._paces:
            asked_s = HERE_S if is_here(self._context, job) else FAR_S
            self._paces[_key(job)] = Pace(*(RESEND_S if job.ref is None else asked_s))
        return self._paces[_key(job)]

    def _silence_s(self, job: Job, now: datetime) -> float:
        silent = self._silent.get(job.platform)
        return silent.left_s(now) if silent else 0.0

    def _visit(self, job: Job) -> None:
        pace, clock = self._pace(job), self._context.clock
        try:
            seen = self._looked(job)
        except Exception as problem:  # noqa: BLE001 - a platform's trouble does not end the watch; it is kept and shown
            pace.slower(clock.now())
            self._note(job.platform, problem)
            return
        (pace.faster if seen != job else pace.slower)(clock.now())

    def _looked(self, job: Job) -> Job:
        if job.ref is None:
            return self._resent(job)
        seen = poll.ask(self._context, job)
        self.notices.pop(job.platform, None)
        self._silent.pop(job.platform, None)
        if not job.is_ours:  # whoever started it sees to its end
            return seen
        if poll.over_cap_s(seen, self._context.clock.now()):
            return poll.end_by_cap(self._context, seen)
        if seen.state is JobState.STOPPING:
            self._stop_again(seen)
        return seen

    def _resent(self, job: Job) -> Job:
        """A job that no courier has: one that was killed, or a refusal to be tried again."""
        if not sent_again(self._context, job):
            return job
        if self._pace(job).interval_s >= SILENT_COURIER_S and not job.detail:
            detail = f"the process that sends it ended early; see {log_of(self._context.home, job.id)}"
            return self._context.store.update(job.id, _with_detail(detail))
        return job

    def _stop_again(self, job: Job) -> None:
        """A stop may have been lost, with the courier that was to pass it on."""
        now = self._context.clock.now()
        pace = self._stops.setdefault(_key(job), Pace(*STOP_AGAIN_S))
        if pace.due is None:
            pace.slower(now)
        elif pace.is_due(now) and job.ref is not None:
            pace.slower(now)
            self._context.platforms[job.platform].stop(job.ref)

    def _note(self, platform: str, problem: Exception) -> None:
        self.notices[platform] = {"platform": platform, **described(problem)}
        if isinstance(problem, NO_ANSWER):
            self._silent.setdefault(platform, Pace(*SILENT_S)).slower(self._context.clock.now())

    def _forget(self, live: set[tuple[JobId, bool]]) -> None:
        for kept in (self._paces, self._stops):
            for gone in kept.keys() - live:
                del kept[gone]


def is_here(context: Context, job: Job) -> bool:
    """Whether the job runs on this machine, so that asking about it costs nothing."""
    try:
        return context.platforms.kind(job.platform).is_here
    except IpymlopsError:  # not installed: asking it says so
        return False


def _key(job: Job) -> tuple[JobId, bool]:
    """A job begins anew once the platform has it."""
    return job.id, job.ref is not None


def described(problem: Exception) -> dict[str, str]:
    """{what, why, fix} of any exception."""
    if isinstance(problem, IpymlopsError):
        return problem.to_json()
    return IpymlopsError("the platform gave an answer that we do not understand", why=repr(problem)).to_json()


def _with_detail(detail: str) -> Callable[[Job], Job]:
    return lambda job: job if job.is_final or job.ref is not None or job.detail else replace(job, detail=detail)
