"""Press Ctrl-C at each step of a `train` line, run the line again, and count: `python -m tests.bench.interrupts`.

A step is the first return from one of our functions, wherever it is. The line runs in a forked process with a group of
its own, which sends itself SIGINT there, as a terminal would. Nothing is patched.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import ipymlops
from ipymlops.cli import main as ipymlops_main
from ipymlops.platforms.processes import is_locked
from ipymlops.store.base import JobQuery
from ipymlops.store.sqlite import SqliteStore
from tests.bench.kills import SCRIPT, forked, spread, until

OURS = str(Path(ipymlops.__file__).parent)

TOLD, UNTOLD = 130, -2
"""The status of a line that says it was interrupted, and of one that the interrupt got out of."""

Step = str
"""`FILE.FUNCTION`, of its first return."""


@dataclass(frozen=True)
class Outcome:
    """What an interrupted line said, and what there was after the next one.

    Attributes:
        status, said: The exit status of the interrupted line, and what it wrote to stderr.
        again: The exit status of the same line once more.
        launches, jobs: Both should be 1.
    """

    step: Step
    status: int
    said: str
    again: int
    launches: int
    jobs: int

    @property
    def is_right(self) -> bool:
        """One sentence and one job. Where Python closes a generator it drops what is raised there: the line goes on."""
        is_told = self.status == TOLD and "Traceback" not in self.said
        return (is_told or self.status == 0) and (self.again, self.launches, self.jobs) == (0, 1, 1)


class Interrupts:
    """The interruptions of one line, each in a home of its own, in one user's repository."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._repo = folder / "repo"
        self._repo.mkdir(parents=True)
        (self._repo / "train.py").write_text(SCRIPT)
        subprocess.run(["git", "init", "-q"], cwd=self._repo, check=True)

    def steps(self) -> list[Step]:
        """The steps of a line that nobody interrupts, in their order; the last one is its end."""
        steps: list[Step] = self._line("steps", None)["steps"][:-1]
        self._ended("steps")
        return steps

    def outcome(self, number: int, step: Step) -> Outcome:
        name = f"{number}"
        first = self._line(name, step)
        again = self._line(name, None)
        until(self._marks(name).exists)
        store = SqliteStore(self._home(name))
        jobs = len(store.find(JobQuery()))
        store.close()
        launches = self._ended(name)
        return Outcome(step, first["status"], first["said"], again["status"], launches, jobs)

    def _line(self, name: str, interrupt_at: Step | None) -> dict[str, Any]:
        """Run the line in a process of its own."""
        said = self._folder / f"said-{name}"

        def act() -> dict[str, Any]:
            os.setpgid(0, 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs us in the background ignores it
            os.chdir(self._repo)
            os.environ |= {"IPYMLOPS_HOME": str(self._home(name)), "VIRTUAL_ENV": sys.prefix}
            with said.open("w") as err:
                os.dup2(err.fileno(), 2)
            words = ["train", "train.py", str(self._marks(name)), str(self._end(name))]
            status, steps = traced(lambda: ipymlops_main(words), interrupt_at)
            sys.stderr.flush()
            return {"status": status, "steps": steps, "said": said.read_text()}

        found: dict[str, Any] = forked(act)
        return found

    def _ended(self, name: str) -> int:
        """End what runs, and say how often something was started."""
        until(self._marks(name).exists)
        self._end(name).touch()
        couriers = self._home(name) / "couriers"
        until(lambda: not any(is_locked(lock) for lock in couriers.glob("*.lock")))
        until(lambda: not any(is_locked(lock) for lock in self._home(name).glob("local/*/nodes/*/spawn.lock")))
        launches = len(self._marks(name).read_text().splitlines())
        shutil.rmtree(self._home(name))
        return launches

    def _home(self, name: str) -> Path:
        return self._folder / f"home-{name}"

    def _marks(self, name: str) -> Path:
        return self._folder / f"marks-{name}"

    def _end(self, name: str) -> Path:
        return self._folder / f"end-{name}"


def traced(act: Callable[[], int], interrupt_at: Step | None) -> tuple[int, list[Step]]:
    """The status of the act, and its steps; at the step `interrupt_at` everyone in this process's group gets SIGINT."""
    seen: dict[Step, None] = {}

    def on_event(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace_lines = False
        step = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"
        if event == "return" and step not in seen:
            seen[step] = None
            if step == interrupt_at:
                os.killpg(0, signal.SIGINT)
        return on_event

    sys.settrace(on_event)
    try:
        return act(), list(seen)
    except KeyboardInterrupt:
        traceback.print_exc()
        return UNTOLD, list(seen)
    finally:
        sys.settrace(None)


def outcomes(folder: Path, count: int) -> Iterator[Outcome]:
    interrupts = Interrupts(folder)
    for number, step in enumerate(spread(interrupts.steps(), count)):
        yield interrupts.outcome(number, step)


def main(words: Sequence[str]) -> None:
    """Print an outcome a line, as JSON. Words: FOLDER STEPS."""
    folder, count = words
    for outcome in outcomes(Path(folder), int(count)):
        print(json.dumps(asdict(outcome) | {"is_right": outcome.is_right}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
