"""Pages of an account into the store: by one at a time, a bounded time inline, killed anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest

from ipymlops.context import Context, SystemClock
from ipymlops.control import lister, listing, pages
from ipymlops.control.listing import Increments, listing_platforms, refresh_list
from ipymlops.control.pages import bring_page, lock_of, progress_of
from ipymlops.control.watch import Watch
from ipymlops.errors import NotSignedIn, PlatformProblem, Unreachable
from ipymlops.job import Job, JobState
from ipymlops.opening import NoScreen, open_context
from ipymlops.platforms.abilities import Listing, Lists
from ipymlops.platforms.base import Platform, PlatformContext
from ipymlops.spec import Plan, PlatformRef
from ipymlops.store.base import JobQuery
from ipymlops.testing.fake_platform import FakePlatform, FakePlatforms
from ipymlops.testing.job_runner import eventually
from ipymlops.testing.sample_jobs import NOON, others_job
from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api

T = TypeVar("T")
ROOT = Path(__file__).parents[3]


class ListingPlatform(FakePlatform, Lists):
    """The fake platform with an account: pages that a test lays out, then nothing new."""

    pages: ClassVar[list[Listing | Exception]] = []
    cursors: ClassVar[list[str]] = []
    known: ClassVar[list[set[PlatformRef]]] = []
    is_there: ClassVar[bool] = True

    def listing(self, cursor: str, known: Iterable[PlatformRef] = ()) -> Listing:
        self.cursors.append(cursor)
        page = self.pages.pop(0) if self.pages else Listing((), cursor, is_end=True)
        if isinstance(page, Exception):
            raise page
        if page.deleted:
            self.known.append(set(known))
        return page

    def plan_of(self, ref: PlatformRef) -> Plan:
        return Plan("fake", machine_type=f"machine of {ref}", request={"Name": str(ref)})

    @classmethod
    def is_configured(cls, context: PlatformContext) -> bool:  # noqa: ARG003
        return cls.is_there


class ListingPlatforms(FakePlatforms):
    def kind(self, name: str) -> type[Platform]:
        return ListingPlatform if name == FakePlatform.name else super().kind(name)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> type[ListingPlatform]:
    for name in ("pages", "cursors", "known"):
        monkeypatch.setattr(ListingPlatform, name, [])
    monkeypatch.setattr(ListingPlatform, "is_there", True)
    return ListingPlatform


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, a line is done before its time is over."""
    monkeypatch.setattr(listing, "INLINE_S", 120.0)


@pytest.fixture
def context(context: Context, home: Path, account: type[ListingPlatform]) -> Context:
    return replace(context, platforms=ListingPlatforms(lambda _name: PlatformContext(home, {}, {})))


@pytest.fixture
def listers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The platforms for which a detached process would have been started."""
    sent: list[str] = []
    monkeypatch.setattr(listing, "send_lister", lambda _context, platform, _lock=None: sent.append(platform))
    return sent


def page(*names: str, cursor: str = "c", is_end: bool = False, total: int | None = None, **more: object) -> Listing:
    jobs = tuple(others_job(name, id=f"x{name}", platform="fake", **more) for name in names)
    return Listing(jobs, cursor, is_end, total=total)


def until(condition: Callable[[], T]) -> T:
    return eventually(condition, "what the test waits for")


def names(context: Context) -> set[str]:
    return {job.name for job in context.store.find(JobQuery())}


def test_pages_come_in_until_the_end_and_the_next_time_only_what_is_new(context, account, clock, listers):
    account.pages += [page("a", cursor="1"), page("b", cursor="2", is_end=True)]
    assert refresh_list(context).errors == ()
    clock.pass_s(60)
    account.pages += [page("a", "c", cursor="3", is_end=True, state=JobState.SUCCEEDED)]
    assert refresh_list(context).errors == ()
    assert account.cursors == ["", "1", "2"]
    assert names(context) == {"a", "b", "c"}
    assert context.store.resolve("a").state is JobState.SUCCEEDED
    assert listers == []


def test_a_list_of_just_now_is_not_asked_for_again(context, account, clock):
    for pause_s in (0, 1, 3):
        clock.pass_s(pause_s)
        refresh_list(context)
    assert len(account.cursors) == 1
    clock.pass_s(5)
    refresh_list(context)
    clock.pass_s(-3600)
    refresh_list(context)
    assert len(account.cursors) == 3


def test_what_takes_longer_is_left_to_a_detached_process_and_said(context, account, listers):
    account.pages += [page("a", cursor="1", total=20_000), page("b")]
    report = refresh_list(context, wait_s=0.5)
    assert report.errors == (
        {
            "platform": "fake",
            "what": "1 of 20,000 jobs listed so far",
            "why": "the rest comes in the background",
            "fix": "ipymlops jobs",
        },
    )
    assert listers == ["fake"]


def test_a_line_does_not_wait_for_a_page_that_does_not_come(context, account, listers, monkeypatch):
    comes = threading.Event()
    monkeypatch.setattr(account, "listing", lambda *_: comes.wait(60) and page("late", is_end=True))
    began = time.monotonic()
    report = refresh_list(context, wait_s=0.1)
    assert time.monotonic() - began < 30
    assert [error["what"] for error in report.errors] == ["0 jobs listed so far"]
    assert listers == ["fake"]
    comes.set()
    until(lambda: not any(thread.name.startswith("ipymlops-listing") for thread in threading.enumerate()))
    assert names(context) == {"late"}


def test_while_somebody_lists_others_only_look(context, account):
    account.pages += [page("a")]
    with lock_of(context.home, "fake") as lock:
        assert lock.take()
        report = refresh_list(context)
    assert account.cursors == []
    assert [error["what"] for error in report.errors] == ["0 jobs listed so far"]


@pytest.mark.parametrize(
    "problem", [NotSignedIn("not signed in to AWS"), Unreachable("no answer"), ZeroDivisionError()]
)
def test_a_trouble_is_told_and_the_page_is_asked_for_again(context, account, problem):
    account.pages += [page("a", cursor="1"), problem, page("b", cursor="2", is_end=True)]
    (error,) = refresh_list(context, asked={"fake"}).errors
    assert error["platform"] == "fake"
    refresh_list(context, asked={"fake"})
    assert account.cursors == ["", "1", "1"]
    assert names(context) == {"a", "b"}


def test_who_did_not_ask_for_the_account_is_not_told_that_there_is_none(context, account):
    account.pages += [NotSignedIn("not signed in to AWS"), PlatformProblem("may not list")]
    assert refresh_list(context).errors == ()
    assert [error["what"] for error in refresh_list(context).errors] == ["may not list"]


def test_a_platform_of_which_nothing_is_configured_is_not_made(context, account, monkeypatch):
    monkeypatch.setattr(account, "is_there", False)
    assert list(listing_platforms(context)) == []
    assert refresh_list(context).errors == ()
    assert list(listing_platforms(context, asked={"fake"})) == ["fake"]


def test_only_the_platforms_that_a_line_is_about_are_listed(context, account):
    refresh_list(context, only={"local"})
    assert account.cursors == []


def test_a_deleted_job_keeps_how_it_ended(context, account, clock):
    ended, lives, new = (
        others_job(name, id=f"x{name}", platform="fake", created_at=NOON, state=state)
        for name, state in (("ended", JobState.FAILED), ("lives", JobState.RUNNING), ("new", JobState.RUNNING))
    )
    new = replace(new, created_at=clock.now())
    account.pages += [Listing((ended, lives, new), "1", is_end=True)]
    refresh_list(context)
    clock.pass_s(60)
    account.pages += [Listing((), "2", is_end=True, deleted=(ended.ref, lives.ref, PlatformRef("who?")))]
    refresh_list(context)
    assert account.known == [{ended.ref, lives.ref}]  # not the one of this hour
    job = context.store.get(ended.id)
    assert (job.state, job.detail, job.is_deleted) == (JobState.FAILED, "deleted on fake", True)
    job = context.store.get(lives.id)
    assert (job.state, job.detail, job.is_gone, job.is_over) == (JobState.UNKNOWN, "deleted on fake", True, True)
    clock.pass_s(60)
    account.pages += [Listing((), "3", is_end=True, deleted=(PlatformRef("who?"),))]
    refresh_list(context)
    assert account.known[1] == set()  # nobody looks for what is known to be gone


def test_of_ours_only_what_has_ended_is_marked_as_deleted(context, account, accepted, world, clock):
    for state, detail in ((JobState.RUNNING, ""), (JobState.SUCCEEDED, "deleted on fake")):
        context.store.update(
            accepted.id, lambda job, state=state: replace(job, state=state, detail="", created_at=NOON)
        )
        account.pages += [Listing((), "1", is_end=True, deleted=(accepted.ref,))]
        refresh_list(context)
        job = context.store.get(accepted.id)
        assert (job.state, job.detail) == (state, detail)
        clock.pass_s(60)


def test_a_kill_between_page_and_cursor_brings_the_page_again(context, account, monkeypatch):
    account.pages += [page("a", "b", cursor="1")]
    monkeypatch.setattr(pages, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        bring_page(context, "fake")
    monkeypatch.undo()
    assert names(context) == {"a", "b"}
    assert progress_of(context.home, "fake").cursor == ""


@pytest.mark.parametrize("content", ["", "x", "[]", '{"who": 1}', "\udcff"])
def test_a_damaged_progress_begins_anew(context, account, clock, content):
    refresh_list(context)
    clock.pass_s(60)
    path = context.home / "listing" / "fake.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    refresh_list(context)
    assert account.cursors == ["", ""]


def test_the_lister_goes_on_through_lost_answers(context, account, clock):
    account.pages += [page("a", cursor="1"), *[Unreachable("cut")] * 3, page("b", cursor="2", is_end=True)]
    lister.bring_all(context, "fake")
    assert account.cursors == ["", "1", "1", "1", "1"]
    assert len(clock.slept) == 3
    assert names(context) == {"a", "b"}


def test_the_lister_gives_up_where_there_is_no_answer_for_long(context, account):
    account.pages += [Unreachable("cut")] * 20
    with pytest.raises(Unreachable):
        lister.bring_all(context, "fake")
    assert len(account.cursors) == lister.MOST_FAILURES


def test_whoever_leads_the_watch_asks_once_a_minute(context, account, clock):
    with Watch(context) as leader, Watch(context) as other:
        for _ in range(30):
            leader.turn()
            other.turn()
            until(lambda: not any(thread.name == "ipymlops-listing" for thread in threading.enumerate()))
            clock.pass_s(10)
    assert len(account.cursors) in range(5, 8)


def test_an_increment_that_takes_its_time_holds_nobody_up(context, account, clock, monkeypatch):
    comes = threading.Event()
    asked = []
    monkeypatch.setattr(account, "listing", lambda *_: asked.append(1) or (comes.wait(60) and page("a", is_end=True)))
    increments = Increments(context)
    for _ in range(5):
        increments.turn()
        clock.pass_s(70)
    comes.set()
    until(lambda: names(context) == {"a"})
    assert asked == [1]


@pytest.fixture(scope="module")
def aws_server() -> Iterator[SageMakerApi]:
    with sagemaker_api() as running:
        yield running


@pytest.fixture
def api(aws_server: SageMakerApi) -> SageMakerApi:
    aws_server.reset()
    return aws_server


@dataclass
class Session:
    """A home with AWS's environment, for processes of its own."""

    home: Path
    env: dict[str, str]
    cwd: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ipymlops", *words], cwd=self.cwd, env=self.env, stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process

    def context(self) -> Context:
        return open_context(self.cwd, self.env, sys.executable, NoScreen(), home=self.home)

    def listed(self) -> list[Job]:
        context = self.context()
        found = context.store.find(JobQuery())
        context.store.close()
        return found

    def lister(self) -> int | None:
        """The process that brings in the rest, by what its command line says of this home."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"ipymlops.control.lister" in words and str(self.home).encode() in words:
                return int(path.parent.name)
        return None


@pytest.fixture
def session(home: Path, api: SageMakerApi, tmp_path: Path) -> Iterator[Session]:
    session = Session(home, {**os.environ, **api.env, "PYTHONPATH": str(ROOT)}, tmp_path)
    yield session
    for process in session.processes:
        process.kill()
        process.wait()
    leftover = session.lister()
    if leftover is not None:
        os.kill(leftover, signal.SIGKILL)


def test_a_lister_that_is_killed_is_followed_by_another_from_there(session: Session, api: SageMakerApi) -> None:
    api.seed_jobs(600)
    first = json.loads(session.command("jobs", "--json").communicate()[0])
    assert 100 <= len(first["jobs"]) < 600
    assert "of 600 jobs listed so far" in first["errors"][0]["what"]
    pid = until(session.lister)
    os.kill(pid, signal.SIGKILL)
    until(lambda: session.lister() is None)
    before = progress_of(session.home, "sagemaker")
    assert not before.is_whole
    session.command("jobs").communicate()
    until(lambda: progress_of(session.home, "sagemaker").is_whole)
    assert len(session.listed()) == 600
    searches = [call for call in api.calls if call.action == "Search"]
    assert len(searches) <= 9  # six pages, one that the kill took, the totals, and an increment
    until(lambda: session.lister() is None)


def test_two_kernels_at_once_list_each_job_once(session: Session, api: SageMakerApi) -> None:
    api.seed_jobs(150)
    both = [session.command("jobs", "--json") for _ in range(2)]
    for process in both:
        assert process.communicate()[0]
        assert process.returncode == 0
    until(lambda: progress_of(session.home, "sagemaker").is_whole)
    jobs = session.listed()
    assert sorted(job.number for job in jobs) == list(range(1, 151))
    until(lambda: session.lister() is None)


def test_the_list_needs_no_aws_library_where_nothing_is_configured(session: Session) -> None:
    check = (
        "import sys, os; from pathlib import Path; from ipymlops.opening import *\n"
        "from ipymlops.verbs.dispatch import dispatch\n"
        "env = {k: v for k, v in os.environ.items() if not k.startswith('AWS_')}\n"
        "context = open_context(Path.cwd(), env, sys.executable, NoScreen())\n"
        "assert dispatch(['jobs'], None, context).errors == ()\n"
        "assert 'botocore.session' not in sys.modules and 'botocore.client' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", check], cwd=session.cwd, env=session.env, check=True)


def test_a_context_on_the_machine_s_own_clock_lists_too(session: Session, api: SageMakerApi) -> None:
    api.seed_jobs(3)
    context = session.context()
    assert isinstance(context.clock, SystemClock)
    assert refresh_list(context, wait_s=60).errors == ()
    assert len(context.store.find(JobQuery())) == 3
    context.store.close()
