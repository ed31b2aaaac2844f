"""Kill a submit at each of its steps, and count what was started: `python -m tests.bench.kills`.

A step is the first return from one of our functions. The victim is a forked process that traces itself and sends itself
SIGKILL there; a fresh one then does what the next session does. Nothing is patched.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from ipymlops.context import Context
from ipymlops.control import courier
from ipymlops.control.dispatch import lock_of, write_origin
from ipymlops.control.reconcile import reconcile
from ipymlops.control.submit import job_of, submit
from ipymlops.opening import NoScreen, open_context
from ipymlops.platforms.processes import is_locked
from ipymlops.spec import Intent, JobId, JobSpec, Plan
from ipymlops.store.base import JobQuery
from ipymlops.store.sqlite import SqliteStore  # noqa: F401 - imported before the forks, not in each
from ipymlops.testing.fake_platform import FakeWorld

ROOT = Path(__file__).parents[2]
PARTS = ("control/submit.py", "control/dispatch.py", "control/courier.py", "store/sqlite.py", "platforms", "testing")
OURS = tuple(str(ROOT / "ipymlops" / part) for part in PARTS)
TURNS = {
    "sqlite": {"add", "update", "_copy"},
    "fake_platform": {"launch", "submit"},
    "submit": {"submit", "job_of", "_on_its_way", "_user", "submitted", "_started", "_send", "_created", "_found"},
    "uploads": {"claim", "write", "write_once", "send_once"},
}
"""Of these files only the functions after which something is different; of the others all."""
FAR = f"{os.sep}platforms{os.sep}sagemaker{os.sep}"
"""Of a platform that is elsewhere only the files above: the rest changes nothing outside the process."""

LIMIT_S = 120.0

Step = str
"""`FILE.FUNCTION`, of its first return."""


@dataclass(frozen=True)
class Outcome:
    """What there was after a kill and the next session: both counts should be 1."""

    step: str
    was_killed: bool
    launches: int
    jobs: int


class FakePlace:
    """The fake platform: its jobs go on until they are told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def intent(self) -> Intent:
        return Intent(JobSpec("train.py", ("--lr", "3e-4")), Plan("fake"), None)

    def launches(self, home: Path) -> int:
        """End what runs, and say how often something was started."""
        return len(FakeWorld(home).launches())


SCRIPT = """
import os, pathlib, sys, time
with open(sys.argv[1], "ab", buffering=0) as marks:
    marks.write(b"%d\\n" % os.getpid())
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.02)
"""


class LocalPlace:
    """This machine, with a script that marks each start and goes on until a file is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = folder / "repo"
        self.repo.mkdir(parents=True, exist_ok=True)
        (self.repo / "train.py").write_text(SCRIPT)
        self.number = 0

    def intent(self) -> Intent:
        from ipymlops.source import snapshot

        spec = JobSpec("train.py", (str(self._marks), str(self._end)), python=sys.executable)
        context = opened(self.folder / "plan", self.repo)
        return Intent(spec, context.platforms["local"].plan(spec), snapshot(self.repo))

    def launches(self, home: Path) -> int:
        """End what runs, and say how often something was started."""
        until(self._marks.exists)
        self._end.touch()
        until(lambda: not any(is_locked(lock) for lock in home.glob("local/*/nodes/*/spawn.lock")))
        starts = len(self._marks.read_text().splitlines())
        self.number += 1
        return starts

    @property
    def _marks(self) -> Path:
        return self.folder / f"marks-{self.number}"

    @property
    def _end(self) -> Path:
        return self.folder / f"end-{self.number}"


class SageMakerPlace:
    """A server of ours, whose address and whose credentials are in the environment; its jobs end at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "code").mkdir(parents=True, exist_ok=True)
        (folder / "code" / "train.py").write_text("print(1)\n")
        self._seen = 0

    def intent(self) -> Intent:
        from ipymlops.source import snapshot

        code, spec = self.folder / "code", JobSpec("train.py", ("--lr", "3e-4"))
        context = opened(self.folder / "plan", code)
        return Intent(spec, context.platforms["sagemaker"].plan(spec), snapshot(code))

    def launches(self, home: Path) -> int:  # noqa: ARG002 - the service alone knows
        """How many training jobs there are more than the last time."""
        import boto3  # not through ours, which asks no more than its share

        client = boto3.client("sagemaker", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        pages = client.get_paginator("list_training_jobs").paginate(PaginationConfig={"PageSize": 100})
        total = sum(len(page["TrainingJobSummaries"]) for page in pages)
        before, self._seen = self._seen, total
        return total - before


PLACES: dict[str, Any] = {"fake": FakePlace, "local": LocalPlace, "sagemaker": SageMakerPlace}


class Kills:
    """The kills of one actor: `who` is `submit` (the session's own process) or `courier`."""

    def __init__(self, folder: Path, platform: str, who: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._who = folder, who
        self._place = PLACES[platform](folder)

    def steps(self) -> list[Step]:
        """The steps in their order, as a run that nobody kills has them."""
        with self._home() as home:
            steps = list(forked(lambda: traced(lambda: self._act(home), kill_at=None)))
            home.settle()
            self._place.launches(home.path)
            return steps

    def outcome(self, step: Step, *, in_process: bool = False) -> Outcome:
        """Kill at the step; `in_process` takes the job on without a courier's process, which is faster."""
        with self._home() as home:
            killed = forked(lambda: traced(lambda: self._act(home), kill_at=step)) is None
            jobs = forked(lambda: self._next_session(home, in_process=in_process))
            home.settle()
            return Outcome(step, killed, self._place.launches(home.path), jobs)

    def _home(self) -> Home:
        return Home(self._folder / "home", self._place, self._who)

    def _act(self, home: Home) -> None:
        if self._who == "submit":
            submit(opened(home.path, self._folder), home.intent, stem="train")
        else:
            lock = lock_of(home.path, home.job_id)
            assert lock.take()
            courier.main([str(home.path), home.job_id, str(os.dup(lock.descriptor))])

    def _next_session(self, home: Home, *, in_process: bool) -> int:
        """Another kernel, later: it finds what was left behind, and the user runs the cell again."""
        context = opened(home.path, self._folder)
        if in_process:
            for job in context.store.live():
                until(lambda job=job: not is_under_way(home.path, job.id))
                courier.carry(context, job.id)
        else:
            reconcile(context)
        if self._who == "submit":
            submit(context, home.intent, stem="train")
        until(lambda: all(job.ref is not None or job.is_final for job in context.store.live()))
        return len(context.store.find(JobQuery()))


class Home:
    """A fresh home for one kill, and what is about to be sent from it."""

    def __init__(self, path: Path, place: Any, who: str) -> None:
        self.path, self.intent, self._place = path, place.intent(), place
        self.job_id = JobId("")
        if who == "courier":
            self.job_id = JobId(forked(self._recorded))

    def __enter__(self) -> Home:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path)

    def settle(self) -> None:
        """Wait for every courier, also for one that has only just been sent: it too might start something."""
        until(lambda: not any(words[-3:-2] == [str(self.path)] for words in command_lines("ipymlops.control.courier")))

    def _recorded(self) -> str:
        """A job that is written down, whose session has died before it sent it."""
        context = opened(self.path, self.path)
        job = job_of(context, self.intent)
        write_origin(context, job.id)
        context.store.add(job, self.intent, stem="train")
        return job.id


def is_under_way(home: Path, job_id: JobId) -> bool:
    """Whether a living courier has the job."""
    return is_locked(lock_of(home, job_id).path)


def opened(home: Path, folder: Path) -> Context:
    return open_context(folder, os.environ, sys.executable, NoScreen(), home=home)


def traced(act: Callable[[], object], *, kill_at: Step | None) -> list[Step]:
    """Do it and name its steps; at the step `kill_at` this process kills itself."""
    seen: dict[Step, None] = {}

    def on_event(frame: FrameType, event: str, _: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(OURS):
            return None
        frame.f_trace_lines = False
        file = Path(code.co_filename).stem
        if FAR in code.co_filename and file not in TURNS:
            return None
        step = f"{file}.{code.co_name}"
        if event == "return" and step not in seen and code.co_name in TURNS.get(file, {code.co_name}):
            if step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            seen[step] = None
        return on_event

    sys.settrace(on_event)
    try:
        act()
    finally:
        sys.settrace(None)
    return list(seen)


def spread(steps: Sequence[Step], count: int) -> list[Step]:
    """At most `count` of the steps, evenly spread, the first and the last among them."""
    if len(steps) <= count:
        return list(steps)
    return [steps[round(number * (len(steps) - 1) / (count - 1))] for number in range(count)]


def forked(action: Callable[[], Any]) -> Any:
    """What `action` returns in a process of its own, as JSON; None if that was killed."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(out)
            with os.fdopen(into, "w") as file:
                json.dump(action(), file)
            status = 0
        except BaseException:  # noqa: BLE001 - shown here, and the exit status says so
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(into)
    with os.fdopen(out) as file:
        text = file.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return None
    assert os.waitstatus_to_exitcode(status) == 0, "the forked process broke; see above"
    return json.loads(text)


def command_lines(word: str) -> Iterator[list[str]]:
    """Of each process that has this word in its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            words = path.read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            if word in words:
                yield words


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError("it did not happen")
        time.sleep(0.01)


def main(words: Sequence[str]) -> None:
    """Print an outcome a line, as JSON. Words: FOLDER PLATFORM WHO STEPS ROUNDS; many rounds do without couriers."""
    folder, platform, who, count, rounds = words
    kills = Kills(Path(folder), platform, who)
    steps = spread(kills.steps(), int(count))
    if (platform, who) == ("sagemaker", "courier"):  # its own steps are killed on the other platforms
        steps = [step for step in steps if step.partition(".")[0] in ("submit", "uploads")]
    for _ in range(int(rounds)):
        for step in steps:
            print(json.dumps(asdict(kills.outcome(step, in_process=int(rounds) > 1))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
