"""Submitting, following, lost connections, and kills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path

from ipymlops.context import Context
from ipymlops.control.courier import carry
from ipymlops.control.follow import follow
from ipymlops.control.submit import job_of, submit
from ipymlops.control.watch import wait
from ipymlops.display.terminal import TerminalScreen
from ipymlops.job import Job, LogLine
from ipymlops.opening import NoScreen, open_context
from ipymlops.platforms.base import PlatformContext
from ipymlops.source import snapshot
from ipymlops.spec import Intent, JobSpec, Plan
from ipymlops.testing.fake_platform import FakePlatforms, FakeWorld, install_fake
from tests.bench.kills import command_lines, until
from tests.bench.row import Row, p95, seconds

ROOT = Path(__file__).parents[2]
RUNS = 10
LINES = 100
GAP_S = 0.05
CUTS = 20
ROUNDS = 50
LOCAL_STEPS = 10

TALKER = f"""
import time
for _ in range({LINES}):
    print(repr(time.time()), flush=True)
    time.sleep({GAP_S})
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-control-") as folder:
        yield _given_back(Path(folder) / "submit")
        yield _emit_to_screen(Path(folder) / "follow")
        yield _lost_connections(Path(folder) / "cuts")
    yield from _kills()


def _given_back(folder: Path) -> Row:
    """The whole line: words, snapshot, plan, record, courier sent; each job is another one, the code is the same."""
    from ipymlops.verbs.dispatch import dispatch

    with _session(folder, "print('done')\n") as context:
        jobs: list[Job] = []

        def train() -> None:
            jobs.append(dispatch(["train", "--on", "local", "--again", "train.py"], None, context).record)

        taken = seconds(train, RUNS)
        wait(context, jobs)
    return Row("train gives the cell back (local, code known)", 1000 * _median(taken), "ms", 300, RUNS)


def _emit_to_screen(folder: Path) -> Row:
    """The script prints the time; the screen has it so much later."""
    screen = TerminalScreen(StringIO(), StringIO())
    late: list[float] = []

    def on_line(line: LogLine) -> None:
        screen.log(line, with_rank=False)
        late.append(1000 * (time.time() - float(line.text)))

    with _session(folder, TALKER) as context:
        spec = JobSpec("train.py", python=sys.executable)
        intent = Intent(spec, context.platforms["local"].plan(spec), snapshot(context.cwd))
        job = submit(context, intent, stem="train").job
        follow(context, job, on_line=on_line, on_change=screen.card)
    name, peer = "emit to screen, followed local job", "docker logs -f"
    return Row(name, p95(late), "ms", 300, len(late), "p95", peer=peer, peer_value=_docker_logs_late_ms())


def _docker_logs_late_ms() -> float | None:
    """The same script in a container, read by the engine's own program; None where there is no engine."""
    from tests.servers.engine import BASE, dockerd

    try:
        with dockerd() as engine:
            docker = ["docker", "--host", engine.host]
            run = [*docker, "run", "--detach", "--network=host", BASE, "python3", "-c", TALKER]
            container = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
            with subprocess.Popen([*docker, "logs", "--follow", container], stdout=subprocess.PIPE) as logs:
                late = [1000 * (time.time() - float(line)) for line in logs.stdout or ()]
            subprocess.run([*docker, "rm", container], check=True, capture_output=True)
    except (AssertionError, OSError, subprocess.CalledProcessError) as problem:
        print(f"docker logs -f could not be measured: {problem}", file=sys.stderr)
        return None
    return p95(late)


def _lost_connections(folder: Path) -> Row:
    """Lines lost or repeated while the connection is cut twenty times under a job that never pauses."""
    home = folder / "home"
    world = FakeWorld(home)
    platforms = FakePlatforms(lambda _name: PlatformContext(home, {}, os.environ))
    context = open_context(ROOT, os.environ, sys.executable, NoScreen(), home=home)
    context = replace(context, platforms=platforms)
    intent = Intent(JobSpec("train.py"), Plan("fake"), None)
    job = carry(context, context.store.add(job_of(context, intent), intent, stem="train")[0].id)
    written: list[bytes] = []
    writer = threading.Thread(target=_write_and_cut, args=(world, job.id, written))
    seen: list[bytes] = []
    writer.start()
    follow(context, job, on_line=lambda line: seen.append(line.text), on_change=lambda _job: None)
    writer.join()
    context.store.close()
    wrong = Counter(seen)
    wrong.subtract(written)
    faults = sum(abs(count) for count in wrong.values()) + (seen != written)
    return Row(f"{CUTS} lost log connections: lines lost or repeated", faults, "lines", 0, CUTS, statistic="sum")


def _write_and_cut(world: FakeWorld, job_id: str, written: list[bytes]) -> None:
    for cut in range(CUTS):
        world.misbehave(drop_logs=1)
        for number in range(500):
            line = b"%d of %d" % (number, cut)
            world.write(job_id, line + b"\n")
            written.append(line)
        until(lambda: not world.is_left("drop_logs"))
    world.tell(job_id, "DONE")


def _kills() -> Iterator[Row]:
    """Each step of a submit is killed fifty times; of the local platform's many steps some, once each time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="bench-kills-", dir=memory if memory.is_dir() else None) as folder:
        plugin = install_fake(Path(folder) / "plugin")
        for platform, steps, rounds in (("fake", 1000, ROUNDS), ("local", LOCAL_STEPS, ROUNDS // 10)):
            running = {
                who: _killer(Path(folder) / f"{platform}-{who}", platform, who, steps, rounds, plugin)
                for who in ("submit", "courier")
            }
            for who, process in running.items():
                outcomes = [json.loads(line) for line in process.communicate()[0].splitlines()]
                wrong = sum((one["launches"], one["jobs"]) != (1, 1) for one in outcomes)
                killed = sum(one["was_killed"] for one in outcomes)
                is_whole = process.returncode == 0 and killed > 0
                value = wrong if is_whole else float("nan")
                yield Row(
                    f"{who} killed at its steps ({platform}): not exactly one job", value, "jobs", 0, killed, "sum"
                )


def _killer(folder: Path, platform: str, who: str, steps: int, rounds: int, plugin: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.bench.kills", str(folder), platform, who, str(steps), str(rounds)]
    env = os.environ | {"PYTHONPATH": str(plugin)}
    return subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


@contextmanager
def _session(folder: Path, script: str) -> Iterator[Context]:
    """A user's repository with this script and a home of its own; no courier outlives it."""
    repo, home = folder / "repo", folder / "home"
    repo.mkdir(parents=True)
    (repo / "train.py").write_text(script)
    subprocess.run(["git", "init", "-q"], cwd=repo, check=True)
    context = open_context(repo, os.environ, sys.executable, NoScreen(), home=home)
    yield context
    until(lambda: not any(str(home) in words for words in command_lines("ipymlops.control.courier")))
    context.store.close()


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
