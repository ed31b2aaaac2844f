"""The launcher: what it adds to a start, how fast it takes a log, and that its memory does not grow with it."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipymlops.runtime.pack import launcher_zip
from tests.bench.row import Row

STARTS = 15
SPEED_RUNS = 3
LINE = b"epoch 1 step 100: loss=0.12345 accuracy=0.98765 learning_rate=0.0003 time=12.5\n"
MEMORY_LINE = b"step 100 loss=0.12345\n"
GIB = 1 << 30
FIRST_LINE = "import time\nprint(time.monotonic(), flush=True)\n"
# Blocks of whole lines, so that the script is never what is measured.
WRITER = """
import os, sys
line, count = os.fsencode(sys.argv[1]) + b"\\n", int(sys.argv[2])
block = line * 2000
for _ in range(count // 2000):
    data = block
    while data:
        data = data[os.write(1, data):]
"""


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        launcher = launcher_zip(folder)
        return [
            _start_row(folder, launcher),
            _speed_row(folder, launcher),
            _metrics_row(folder, launcher),
            _memory_row(folder, launcher),
            *_gigabyte_rows(folder, launcher),
        ]


def _start_row(folder: Path, launcher: Path) -> Row:
    """Spawn to the script's first line, beside the same script without a launcher."""
    ours, plain = [], []
    for number in range(STARTS + 1):
        began = time.monotonic()
        log = _run(folder / f"start-{number}", launcher, FIRST_LINE)
        ours.append(1000 * (float(log.read_bytes()) - began))
        began = time.monotonic()
        said = subprocess.run([sys.executable, folder / f"start-{number}" / "code" / "train.py"], capture_output=True)
        plain.append(1000 * (float(said.stdout) - began))
    peer = statistics.median(plain[1:])
    return Row(
        name="launcher, before the script's first line, beyond a plain start",
        value=statistics.median(ours[1:]) - peer,
        unit="ms",
        threshold=150,
        runs=STARTS,
        peer="python train.py",
        peer_value=peer,
    )


def _speed_row(folder: Path, launcher: Path) -> Row:
    count = 3_000_000
    ours, peer = [], []
    for number in range(SPEED_RUNS):
        ours.append(count / _seconds(lambda to=folder / f"speed-{number}": _write(to, launcher, LINE, count)))
        peer.append(count / _seconds(lambda: _redirected(folder, LINE, count)))
    return Row(
        name="log path to disk",
        value=statistics.median(ours),
        unit="lines/s",
        threshold=200_000,
        runs=SPEED_RUNS,
        is_at_least=True,
        peer="python > file",
        peer_value=statistics.median(peer),
    )


def _metrics_row(folder: Path, launcher: Path) -> Row:
    """The same with one secret and one pattern: every line is looked at."""
    count = 500_000
    changes = {"secret_names": ["TOKEN"], "metric_patterns": [["loss", r"loss=(\S+)"]]}
    seconds = [
        _seconds(lambda to=folder / f"metric-{number}": _write(to, launcher, LINE, count, **changes))
        for number in range(SPEED_RUNS)
    ]
    return Row(
        name="log path to disk, with --metric and --secret",
        value=count / statistics.median(seconds),
        unit="lines/s",
        threshold=20_000,
        runs=SPEED_RUNS,
        is_at_least=True,
    )


def _memory_row(folder: Path, launcher: Path) -> Row:
    """What the launcher's memory grows by between one million lines and ten."""
    count, first = 10_000_000, 1_000_000 * len(MEMORY_LINE)
    job = folder / "memory"
    config = _config(job, WRITER, [MEMORY_LINE.decode().rstrip("\n"), str(count)])
    process = _start(job, launcher, config)
    at_first = last = 0
    while process.poll() is None:
        last = _rss_bytes(process.pid) or last
        if not at_first and (job / "log").exists() and (job / "log").stat().st_size >= first:
            at_first = last
        time.sleep(0.02)
    _check(job, count * len(MEMORY_LINE))
    return Row(
        name="launcher's memory, from 1 to 10 million lines",
        value=max(0, last - at_first) / 1e6,
        unit="MB",
        threshold=4,
        runs=1,
        statistic="growth",
    )


def _gigabyte_rows(folder: Path, launcher: Path) -> list[Row]:
    count = GIB // len(LINE) // 2000 * 2000 + 2000
    ours = _seconds(lambda: _write(folder / "gigabyte", launcher, LINE, count))
    lost = count * len(LINE) - (folder / "gigabyte" / "log").stat().st_size
    (folder / "gigabyte" / "log").unlink()
    peer = _seconds(lambda: _redirected(folder, LINE, count))
    return [
        Row("a log of 1 GiB", ours, "s", 60, 1, peer="python > file", peer_value=peer),
        Row("a log of 1 GiB: bytes lost or added", abs(lost), "bytes", 0, 1, statistic="sum"),
    ]


def _write(job: Path, launcher: Path, line: bytes, count: int, **changes: Any) -> None:
    _run(job, launcher, WRITER, [line.decode().rstrip("\n"), str(count)], **changes)
    _check(job, count * len(line))


def _check(job: Path, size: int) -> None:
    """A fast log that is not whole is no figure."""
    result = json.loads((job / "state" / "result.json").read_text())
    if result["exit_code"] != 0 or (job / "log").stat().st_size != size:
        raise RuntimeError(f"the log is not whole: {result}")


def _redirected(folder: Path, line: bytes, count: int) -> None:
    """The same script, its output straight to a file."""
    words = [sys.executable, "-c", WRITER, line.decode().rstrip("\n"), str(count)]
    with (folder / "redirected").open("wb") as file:
        subprocess.run(words, stdout=file, check=True)
    (folder / "redirected").unlink()


def _run(job: Path, launcher: Path, script: str, argv: list[str] | None = None, **changes: Any) -> Path:
    process = _start(job, launcher, _config(job, script, argv or [], **changes))
    process.wait()
    return job / "log"


def _start(job: Path, launcher: Path, config: dict[str, Any]) -> subprocess.Popen[bytes]:
    (job / "config.json").write_text(json.dumps(config))
    (job / "stdin").write_bytes(b'{"TOKEN": "hunter2-hunter2"}\n')
    with (job / "stdin").open("rb") as secrets:
        return subprocess.Popen([sys.executable, "-I", "-S", launcher, job / "config.json"], stdin=secrets)


def _config(job: Path, script: str, argv: list[str], **changes: Any) -> dict[str, Any]:
    job.mkdir()
    (job / "train.py").write_text(script)
    with tarfile.open(job / "code.tar", "w") as archive:
        archive.add(job / "train.py", "train.py")
    digest = hashlib.sha256((job / "code.tar").read_bytes()).hexdigest()
    names = ("data", "output", "tensorboard", "checkpoint", "state")
    return {
        "job_id": "jbench",
        "job_name": "bench",
        "platform": "local",
        "archive": {"path": str(job / "code.tar"), "sha256": digest},
        "code_dir": str(job / "code"),
        "script": "train.py",
        "argv": argv,
        **{f"{name}_dir": str(job / name) for name in names},
        "log_path": str(job / "log"),
        "live_root": str(job / "live"),
        **changes,
    }


def _rss_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
