"""What a verb is given: one object per kernel or command, passed in, never global."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ipymlops.config import Config
    from ipymlops.job import Job, LogLine
    from ipymlops.platforms.registry import Platforms
    from ipymlops.spec import Intent
    from ipymlops.store.base import Store


class Clock(Protocol):
    """The time, and waiting for it; tests bring their own."""

    def now(self) -> datetime:
        """UTC, aware."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def sleep(self, seconds: float) -> None:
        import time

        time.sleep(seconds)


class Screen(Protocol):
    """Where a verb shows something while it still runs: a terminal, or the output of a cell."""

    def note(self, text: str) -> None:
        """A sentence of ours: stderr in a terminal, never among the script's bytes."""

    def ask(self, question: str) -> bool | None:
        """A yes or a no; None where nobody can answer: it never waits for somebody who is not there."""

    def card(self, job: Job, intent: Intent | None = None, hints: Sequence[str] = ()) -> None:
        """Show the job's card, or bring the one already shown for this job up to date in place.

        Args:
            hints: Sentences for the card that belong to this submit (a misspelt flag of the script, a re-attach).
        """

    def log(self, line: LogLine, *, with_rank: bool) -> None:
        """A line of the script."""

    def progress(self, done_bytes: int, total_bytes: int, what: str) -> None:
        """How far a transfer is; the last time with all of it done."""

    def following(self, job: Job) -> AbstractContextManager[None]:
        """Around a follow: a tail card in a notebook, nothing in a terminal."""


@dataclass(frozen=True)
class Context:
    """Everything a verb may use."""

    home: Path
    config: Config
    store: Store
    platforms: Platforms
    clock: Clock
    screen: Screen
    cwd: Path
    env: Mapping[str, str]
    python: str
    """The interpreter for jobs on this machine: the kernel's own, or the shell's (never ours)."""

    notebook_variable: Callable[[str], str] | None = None
