"""The jobs of an account in our list: page after page, by one process at a time, and a line waits only so long."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ipymlops.context import Context
from ipymlops.control.lock import FileLock
from ipymlops.control.pages import bring_page, file_of, lock_of, progress_of
from ipymlops.control.poller import Pace, described
from ipymlops.errors import IpymlopsError, MissingExtra, NotSignedIn, UsageProblem
from ipymlops.platforms.abilities import Lists

INLINE_S = 2.0
"""So long a line waits for pages; a detached process takes the rest."""
PAGE_S = 1.0
"""A page is not begun where less time is left."""
FRESH_S = 5.0
"""A list so young is not asked for again."""
EVERY_S = (60.0, 60.0)
"""How often whoever leads the watch asks what has changed."""
NO_ACCOUNT = (NotSignedIn, UsageProblem, MissingExtra)
"""What is no news to somebody who has no account there."""


@dataclass(frozen=True)
class ListReport:
    """What the list lacks: {platform, what, why, fix}."""

    errors: tuple[dict[str, str], ...] = ()


def refresh_list(
    context: Context, *, wait_s: float | None = None, asked: Collection[str] = (), only: Collection[str] = ()
) -> ListReport:
    """Bring in what has changed on the platforms that list their accounts.

    Args:
        wait_s: How long the line waits for it, `INLINE_S` without; the rest comes in the background.
        asked: The platforms whose account the user means; of others it is no error that there is none.
        only: No others than these; empty means all.
    """
    names = [name for name in listing_platforms(context, asked) if not only or name in only]
    runs = [_Run(context, name, INLINE_S if wait_s is None else wait_s) for name in names]
    for run in runs:
        run.start()
    for run in runs:
        run.wait()
    return ListReport(tuple(error for run in runs for error in run.errors(asked)))


def listing_platforms(context: Context, asked: Collection[str] = ()) -> Sequence[str]:
    """Those that list, and whose user seems to have an account there; asks nobody, and imports no library for it."""
    return [name for name in context.platforms if _lists(context, name, is_asked=name in asked)]


class Increments:
    """What whoever leads the watch has brought in once a minute, by a thread: a page may take its time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pace = Pace(*EVERY_S)
        self._thread: threading.Thread | None = None

    def turn(self) -> None:
        now = self._context.clock.now()
        if not self._pace.is_due(now) or (self._thread is not None and self._thread.is_alive()):
            return
        self._pace.slower(now)
        names = listing_platforms(self._context)
        if names:
            self._thread = threading.Thread(target=self._run, args=(names,), name="ipymlops-listing", daemon=True)
            self._thread.start()

    def _run(self, names: Iterable[str]) -> None:
        for name in names:
            _Run(self._context, name).bring()


class _Run:
    """Bringing in one platform's pages, in a thread that a line waits for only so long.

    Args:
        wait_s: After so long the rest is left to a detached process; None: stay until there is no more.
    """

    def __init__(self, context: Context, platform: str, wait_s: float | None = None) -> None:
        self._context, self._platform = context, platform
        self._until = None if wait_s is None else time.monotonic() + wait_s
        self._problem: Exception | None = None
        self._is_left = False
        self._thread = threading.Thread(target=self.bring, name=f"ipymlops-listing-{platform}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        """Wait as long as was agreed; who is then in the middle of a page may die with us, so somebody else goes on."""
        self._thread.join(max(0.0, (self._until or 0.0) - time.monotonic()))
        if self._thread.is_alive():
            self._is_left = True
            send_lister(self._context, self._platform)

    def bring(self) -> None:
        try:
            self._bring()
        except Exception as problem:  # noqa: BLE001 - the list is shown all the same, with the trouble beside it
            self._problem = problem

    def errors(self, asked: Collection[str]) -> Iterator[dict[str, str]]:
        if self._problem is not None and (self._platform in asked or not isinstance(self._problem, NO_ACCOUNT)):
            yield {"platform": self._platform, **described(self._problem)}
        elif self._problem is None:
            yield from self._still_to_come()

    def _bring(self) -> None:
        with lock_of(self._context.home, self._platform) as lock:
            if not lock.take() or self._is_fresh():
                return
            while bring_page(self._context, self._platform) and not self._is_left:
                if self._until is not None and time.monotonic() + PAGE_S >= self._until:
                    send_lister(self._context, self._platform, lock)
                    return

    def _is_fresh(self) -> bool:
        last = progress_of(self._context.home, self._platform).ended_at
        return abs(self._context.clock.now().timestamp() - last) < FRESH_S

    def _still_to_come(self) -> Iterator[dict[str, str]]:
        progress = progress_of(self._context.home, self._platform)
        if progress.is_whole:
            return
        of = f" of {progress.total:,}" if progress.total is not None else ""
        what = f"{progress.listed:,}{of} jobs listed so far"
        why = "the rest comes in the background"
        yield {"platform": self._platform, "what": what, "why": why, "fix": "ipymlops jobs"}


def send_lister(context: Context, platform: str, lock: FileLock | None = None) -> None:
    """Leave the rest to a detached process with our environment; it has the lock from its first moment, or waits."""
    log = file_of(context.home, platform, "log")
    words = [sys.executable, "-m", "ipymlops.control.lister", str(context.home), platform, str(context.cwd)]
    descriptors = (lock.descriptor,) if lock else ()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*words, *map(str, descriptors)],
            cwd=log.parent,  # ours: `-m` looks for modules in the current folder, where a user's json.py may lie
            env=dict(context.env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=descriptors,
            start_new_session=True,
        )
    if lock:
        lock.hand_over()
    threading.Thread(target=process.wait, name=f"ipymlops-lister-{platform}", daemon=True).start()  # leaves no zombie


def _lists(context: Context, name: str, *, is_asked: bool) -> bool:
    try:
        kind = context.platforms.kind(name)
        return issubclass(kind, Lists) and (is_asked or kind.is_configured(context.platforms.context_of(name)))
    except (IpymlopsError, ImportError):  # not installed, or not whole: whoever asks for it is told when it is made
        return is_asked
