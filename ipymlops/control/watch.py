"""Who polls: one process of a machine leads and asks the platforms, all others read the store."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from ipymlops.context import Context
from ipymlops.control import poll
from ipymlops.control.listing import Increments
from ipymlops.control.lock import FileLock
from ipymlops.control.poller import NO_ANSWER, Pace, Poller, described, is_here
from ipymlops.control.reconcile import sent_again
from ipymlops.control.wording import called, line, listing
from ipymlops.errors import FollowInterrupted
from ipymlops.job import Job

GLANCE_S = 0.2
"""How often those who do not lead read the store: a query of under a millisecond."""

BEAT_S = 5.0
"""How often whoever leads leaves word of it."""

SILENT_LEADER_S = 60.0
"""A leader who left no word for so long has been suspended, or hangs: the others ask for themselves meanwhile."""

AT_ONCE = 8
"""Questions to far platforms at the same time."""

LEAST_S = 0.02
"""Nobody asks again sooner: what is due in less is due then."""

OnChange = Callable[[Job], object]


class Watch:
    """A share in the watch. `turn` leads a round if nobody else on this machine does.

    The lead is a lock on `HOME/watch.lock`: it passes on by itself when its holder dies. One that is only suspended
    (Ctrl-Z) keeps it: the file's time says when it last led.
    """

    def __init__(self, context: Context) -> None:
        self._poller = Poller(context)
        self._increments = Increments(context)
        self._lead = FileLock(context.home / "watch.lock")
        self._clock = context.clock
        self._beat = Pace(BEAT_S, BEAT_S)

    def __enter__(self) -> Watch:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Let another lead; the next turn asks for it again."""
        self._lead.release()

    @property
    def is_leading(self) -> bool:
        return self._lead.is_held

    def want(self, jobs: Iterable[Job]) -> None:
        """Ask about these too where others started them, whoever leads."""
        self._poller.wanted = tuple(job.id for job in jobs if not job.is_ours)

    @property
    def notices(self) -> tuple[dict[str, str], ...]:
        """The platforms that do not answer us now: {platform, what, why, fix}."""
        return tuple(self._poller.notices.values())

    def turn(self) -> float:
        """Ask about what is due, if it is for us to ask; returns how long the caller may rest, up to `GLANCE_S`."""
        is_leading = self._lead.take()
        if is_leading:
            self._leave_word()
            self._increments.turn()
        is_for_us = is_leading or _is_silent(self._lead.path, self._clock.now())
        if not is_for_us and not self._poller.wanted:
            return GLANCE_S
        return max(LEAST_S, min(GLANCE_S, self._poller.round(is_leading=is_for_us)))

    def _leave_word(self) -> None:
        """That we live, and which platforms we get no answer from: others may."""
        now = self._clock.now()
        if self._beat.is_due(now):
            self._beat.slower(now)
            self._lead.path.write_text(json.dumps(self._poller.silent))
            os.utime(self._lead.path, (now.timestamp(), now.timestamp()))


def _is_silent(path: Path, now: datetime) -> bool:
    """Whether the leader has left no word for long; the clock may have gone back."""
    try:
        return abs(now.timestamp() - path.stat().st_mtime) > SILENT_LEADER_S
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class RefreshReport:
    """The platforms that could not be asked: {platform, what, why, fix}."""

    errors: tuple[dict[str, str], ...] = ()


def refresh(context: Context, jobs: Iterable[Job] | None = None) -> RefreshReport:
    """Ask about these jobs once, now; a platform that does not answer is asked no further.

    Args:
        jobs: None means all live ones of ours that nobody has asked about just now.
    """
    looks = _Looks(context)
    for job in _unasked(context) if jobs is None else jobs:
        if not job.is_final:
            looks.at(job)
    return RefreshReport(looks.errors())


class _Looks:
    """Questions about jobs: those to far platforms go out together, as each takes its time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._errors: dict[str, dict[str, str]] = {}
        self._silent: set[str] = set()
        self._far: list[Job] = []

    def at(self, job: Job) -> None:
        if job.ref is None or is_here(self._context, job):
            self._look(job)
        else:
            self._far.append(job)

    def errors(self) -> tuple[dict[str, str], ...]:
        """Once all have been answered, or not."""
        if self._far:
            with ThreadPoolExecutor(min(AT_ONCE, len(self._far))) as pool:
                list(pool.map(self._look, self._far))
        return tuple(self._errors.values())

    def _look(self, job: Job) -> None:
        if job.platform in self._silent:
            return
        try:
            _looked(self._context, job)
        except Exception as problem:  # noqa: BLE001 - the list is shown all the same, with the trouble beside it
            self._errors[job.platform] = {"platform": job.platform, **described(problem)}
            self._silent |= {job.platform} if isinstance(problem, NO_ANSWER) else set()


def _unasked(context: Context) -> list[Job]:
    """Our live jobs without those of far platforms that a leader asks about all the time, and gets answers."""
    live = context.store.live(only_ours=True)
    silent = _silent_to_leader(context)
    if silent is None:
        return live
    return [job for job in live if job.ref is None or job.platform in silent or is_here(context, job)]


def _silent_to_leader(context: Context) -> Collection[str] | None:
    """The platforms that another leader gets no answer from; None where nobody leads, or nobody knows."""
    with FileLock(context.home / "watch.lock") as lead:
        if lead.take() or _is_silent(lead.path, context.clock.now()):
            return None
        try:
            return frozenset(json.loads(lead.path.read_text()))
        except (OSError, ValueError, TypeError):  # it has only just begun, or is of an older version
            return None


def refreshed(context: Context, job: Job) -> Job:
    """One job as its platform now says it is; where there is no answer, as it was recorded, and a note says so."""
    for trouble in refresh(context, [job]).errors:
        context.screen.note(f"{trouble['what']}; this is what was last known")
    return context.store.get(job.id)


def _looked(context: Context, job: Job) -> None:
    if job.ref is not None:
        poll.ask(context, job)
    else:
        sent_again(context, job)


def wait(context: Context, jobs: Sequence[Job], on_change: OnChange | None = None) -> list[Job]:
    """Block until nothing more can happen to these jobs; returns them as they then are.

    Raises: `FollowInterrupted` on Ctrl-C; the jobs go on.
    """
    seen = {job.id: job for job in jobs}
    told: tuple[dict[str, str], ...] = ()
    with detaching(jobs), Watch(context) as watch:
        watch.want(jobs)
        while True:
            pause_s = watch.turn()
            for job in list(seen.values()):
                fresh = context.store.get(job.id)
                if fresh != job and on_change:
                    on_change(fresh)
                seen[job.id] = fresh
            if all(job.is_over for job in seen.values()):
                return [seen[job.id] for job in jobs]
            told = _told(context, told, watch.notices)
            context.clock.sleep(pause_s)


def _told(
    context: Context, told: tuple[dict[str, str], ...], notices: tuple[dict[str, str], ...]
) -> tuple[dict[str, str], ...]:
    for notice in notices:
        if notice not in told:
            context.screen.note(f"{notice['what']}; asking again")
    return notices


@contextmanager
def detaching(jobs: Sequence[Job], *, fix: str = "") -> Iterator[None]:
    """Ctrl-C inside leaves the jobs alone, and says so."""
    try:
        yield
    except KeyboardInterrupt:
        names = listing([called(job) for job in jobs])
        fix = fix or line("wait", *(job.number for job in jobs))
        raise FollowInterrupted(f"detached; {names} {'goes' if len(jobs) == 1 else 'go'} on", fix=fix) from None
