"""A context over a user's repository: the real source, store and platforms, and beside them the fake one, which has a price."""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ipymlops.config import load
from ipymlops.context import Context, SystemClock
from ipymlops.platforms.base import PlatformContext
from ipymlops.store.sqlite import SqliteStore
from ipymlops.testing.fake_platform import FakePlatforms


@dataclass
class Seen:
    """A screen that remembers."""

    notes: list[str] = field(default_factory=list)
    cards: list[tuple] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    answer: bool | None = None

    def note(self, text):
        self.notes.append(text)

    def ask(self, question):
        self.questions.append(question)
        return self.answer

    def card(self, job, intent=None, hints=()):
        self.cards.append((job, intent, tuple(hints)))

    def log(self, line, *, with_rank):  # noqa: ARG002
        self.lines.append(line.text)

    def progress(self, done_bytes, total_bytes, what):
        """Tested with the screens."""

    def following(self, job):  # noqa: ARG002
        return nullcontext()


@pytest.fixture
def screen() -> Seen:
    return Seen()


@pytest.fixture
def context(repo, home, screen, monkeypatch) -> Iterator[Context]:
    monkeypatch.chdir(repo)
    store = SqliteStore(home)
    yield context_in(repo, home, store, screen)
    store.close()


def context_in(folder: Path, home: Path, store, screen) -> Context:
    env = dict(os.environ)
    config = load(folder, env, home)
    platforms = FakePlatforms(lambda name: PlatformContext(home, config.platform(name), env))
    return Context(home, config, store, platforms, SystemClock(), screen, folder, env, sys.executable)


@pytest.fixture
def again(context, home, screen):
    """The context after settings or files have changed; `again(folder)` stands in that folder."""
    return lambda folder=None: context_in(folder or context.cwd, home, context.store, screen)
