"""A context over a real store and the fake platform, with a clock that waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ipymlops.context import Context
from ipymlops.control.submit import job_of
from ipymlops.job import Job
from ipymlops.opening import NoScreen
from ipymlops.platforms.base import PlatformContext
from ipymlops.spec import Intent, JobSpec, Plan
from ipymlops.store.sqlite import SqliteStore
from ipymlops.testing.fake_platform import FakePlatforms, FakeWorld


class StepClock:
    """Sleeping moves it; `then` are called first, one a sleep: what happens elsewhere meanwhile."""

    def __init__(self) -> None:
        self.time = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
        self.slept: list[float] = []
        self.then: list[Callable[[], object]] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        assert len(self.slept) < 100_000, "it waits for something that never comes"
        if self.then:
            self.then.pop(0)()
        self.pass_s(max(seconds, 0.001))

    def pass_s(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class RecordingScreen(NoScreen):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def screen() -> RecordingScreen:
    return RecordingScreen()


@pytest.fixture
def store(home: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(home)
    yield store
    store.close()


@pytest.fixture
def world(home: Path) -> FakeWorld:
    return FakeWorld(home)


@pytest.fixture
def context(home, store, clock, screen, tmp_path) -> Context:
    platforms = FakePlatforms(lambda _name: PlatformContext(home, {}, {}))
    env = {"USER": "ada", "PATH": "/usr/bin:/bin"}
    return Context(home, None, store, platforms, clock, screen, tmp_path, env, "/usr/bin/python3")


@pytest.fixture
def intent() -> Intent:
    return Intent(
        JobSpec("train.py", ("--lr", "3e-4")), Plan("fake", machine_type="fake.large", max_runtime_s=3600), None
    )


@pytest.fixture
def recorded(context, intent) -> Job:
    """A job that is written down, and that nobody has sent."""
    job, _ = context.store.add(job_of(context, intent), intent, stem="train")
    return job


@pytest.fixture
def accepted(context, recorded) -> Job:
    """A job that the platform has."""
    from ipymlops.control.courier import carry

    return carry(context, recorded.id)


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """Whose couriers were sent by whoever found them missing, none of which starts."""
    sent: list[str] = []
    monkeypatch.setattr("ipymlops.control.reconcile.send", lambda _context, job_id, _lock: sent.append(job_id))
    return sent
