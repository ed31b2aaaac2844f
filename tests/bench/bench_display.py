"""The notebook's share: loading the extension, and what 10,000 log lines cost a kernel and a saved notebook."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from tests.bench.row import Row
from tests.e2e.kernels import Kernel, running_kernel

RUNS = 7
LINES = 10_000
PEERS = ("sagemaker", "google.cloud.aiplatform")
PEER_PYTHON = Path(__file__).parents[2] / ".bench" / "bin" / "python"

LOADED = """
import time
began = time.perf_counter()
get_ipython().run_line_magic("load_ext", "ipymlops")
print(time.perf_counter() - began)
"""
FOLLOWED = """
import time
began = time.process_time()
get_ipython().run_line_magic("mlops", "logs {job} -f")
print(time.process_time() - began)
"""
SCRIPT = """
import sys
for number in range(int(sys.argv[1])):
    print(f"epoch {number} loss={1 / (number + 1):.6f} accuracy={number / 10000:.4f} learning_rate=0.0003")
"""


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-display-") as folder:
        return [*_load_rows(Path(folder)), *_line_rows(Path(folder))]


def _load_rows(folder: Path) -> list[Row]:
    times = [_loaded_ms(folder) for _ in range(RUNS)]
    median = statistics.median(times)
    name = "%load_ext ipymlops in a fresh kernel"
    return [Row(name, median, "ms", 150, RUNS, peer=f"import {peer}", peer_value=_imported_ms(peer)) for peer in PEERS]


def _line_rows(folder: Path) -> list[Row]:
    """A follow of a job that has ended, beside the same of a job with one line: the difference is the lines' own."""
    (folder / "lines.py").write_text(SCRIPT)
    with running_kernel(folder, {"IPYMLOPS_HOME": str(folder / "home")}) as kernel:
        kernel.run("%load_ext ipymlops")
        for count in (LINES, 1):
            assert kernel.run(f"%mlops train --wait lines.py {count}").is_ok
        many, one = [], []
        _followed(kernel, 1), _followed(kernel, 2)
        for _ in range(RUNS):
            many.append(_followed(kernel, 1))
            one.append(_followed(kernel, 2))
    lines_s = statistics.median(s for s, _ in many) - statistics.median(s for s, _ in one)
    saved_kb = statistics.median(size for _, size in many) / 1000
    return [
        Row("10,000 log lines: kernel time", lines_s, "s", 0.05, RUNS),
        Row("10,000 log lines: saved notebook", saved_kb, "kB", 50, RUNS),
    ]


def _loaded_ms(folder: Path) -> float:
    with running_kernel(folder) as kernel:
        return float(kernel.run(LOADED).stream()) * 1000


def _followed(kernel: Kernel, job: int) -> tuple[float, int]:
    """Seconds of the kernel's own processor time, and the bytes of the cell's outputs as JSON."""
    ran = kernel.run(FOLLOWED.format(job=job))
    saved = len(json.dumps([ran.outputs, ran.stream("stderr")]).encode())
    return float(ran.stream()), saved


def _imported_ms(package: str) -> float | None:
    """The median import of a vendor's SDK in a fresh process, None where it is not installed."""
    python = os.environ.get("IPYMLOPS_BENCH_PEERS") or str(PEER_PYTHON)
    code = f"import time; began = time.perf_counter(); import {package}; print('\\n', time.perf_counter() - began)"
    env = os.environ | {"AWS_DEFAULT_REGION": "us-east-1"}
    times = []
    for _ in range(3):
        try:
            done = subprocess.run(
                [python, "-W", "ignore", "-c", code], capture_output=True, text=True, env=env, timeout=300
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None
        times.append(float(done.stdout.split()[-1]) * 1000)
    return statistics.median(times)
