"""From a folder and an environment to a `Context`: what every front door, and the courier, opens first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ipymlops.context import Context, Screen, SystemClock
from ipymlops.job import Job, LogLine
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.registry import Platforms
from ipymlops.spec import Intent


class NoScreen:
    """For those whom nobody watches."""

    def note(self, text: str) -> None: ...

    def ask(self, question: str) -> None: ...

    def card(self, job: Job, intent: Intent | None = None, hints: Sequence[str] = ()) -> None: ...

    def log(self, line: LogLine, *, with_rank: bool) -> None: ...

    def progress(self, done_bytes: int, total_bytes: int, what: str) -> None: ...

    def following(self, job: Job) -> AbstractContextManager[None]:  # noqa: ARG002 - nothing to show of any job
        return nullcontext()


def open_context(
    cwd: Path, env: Mapping[str, str], python: str, screen: Screen, *, home: Path | None = None
) -> Context:
    """Settings, store and platforms as they are from `cwd` with `env`. Cheap: nothing is connected to yet.

    Args:
        python: The interpreter for jobs on this machine.
        home: In place of the one that the settings name.
    """
    from ipymlops.config import load
    from ipymlops.store.sqlite import SqliteStore

    config = load(cwd, env, home)

    def context_of(name: str) -> PlatformContext:
        return PlatformContext(config.home, config.platform(name), env)

    store = SqliteStore(config.home)
    return Context(config.home, config, store, Platforms(context_of), SystemClock(), screen, cwd, env, python)
