"""Two notebooks of one user, on this machine: the same cell at once, and a kernel that dies."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.e2e.kernels import Kernel, running_kernel

SCRIPT = """
import os, pathlib, sys, time
print("started", os.getpid(), flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.05)
print("ended", flush=True)
"""
JOB = "import ipymlops, json\njob = ipymlops.jobs()[0]\nprint(json.dumps([len(ipymlops.jobs()), job.id, job.state.value]))"


@pytest.fixture
def training(repo) -> Path:
    (repo / "train.py").write_text(SCRIPT)
    return repo


@pytest.fixture
def kernels(training) -> Iterator[list[Kernel]]:
    with ExitStack() as stack:
        both = [stack.enter_context(running_kernel(training)) for _ in range(2)]
        for kernel in both:
            assert kernel.run("%load_ext ipymlops").is_ok
        yield both


def test_the_same_cell_in_two_kernels_is_one_job_that_outlives_one_and_is_followed_by_the_other(kernels, tmp_path):
    one, other = kernels
    end = tmp_path / "end"
    cell = f"job = %mlops train train.py {end}\nprint(job.id)"
    started = [(kernel, kernel.start(cell)) for kernel in kernels]
    ran = [kernel.finish(request) for kernel, request in started]
    assert [each.error for each in ran] == ["", ""]
    [job_id] = {each.stream().split()[-1] for each in ran}
    assert sorted("live already" in each.stream() for each in ran) == [False, True]

    followed = one.start("%mlops logs last -f")
    one.until(followed, "started")
    one.kill()

    assert json.loads(other.run(JOB).stream())[:2] == [1, job_id]
    again = other.run(cell)
    assert again.stream().split()[-1] == job_id
    end.touch()
    assert other.run("%mlops wait last").is_ok
    assert json.loads(other.run(JOB).stream()) == [1, job_id, "succeeded"]
    lines = other.run("%mlops logs last").stream().splitlines()
    assert [line.split()[0] for line in lines] == ["started", "ended"]
    assert int(lines[0].split()[1]) not in {one.pid, other.pid, os.getpid()}


def contents(paths: Iterable[Path]) -> list[bytes]:
    """Of the files among them that are still there."""
    found = []
    for path in paths:
        with suppress(OSError):
            found.append(path.read_bytes())
    return found


SPEAKS = """
import os, pathlib, sys, time
print("the value is", os.environ["HF_TOKEN"], len(os.environ["HF_TOKEN"]), flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.05)
raise RuntimeError("with " + os.environ["HF_TOKEN"])
"""


def test_a_secret_is_in_no_output_no_file_and_no_command_line(training, home, tmp_path):
    value, end = "hf_31415926535897932384626", tmp_path / "end"
    (training / "train.py").write_text(SPEAKS)
    with running_kernel(training, {"HF_TOKEN": value}) as kernel:
        assert kernel.run("%load_ext ipymlops").is_ok
        followed = kernel.start(f"%mlops train -f --secret HF_TOKEN train.py {end}")
        kernel.until(followed, f"the value is *** {len(value)}")
        lines = contents(Path("/proc").glob("[0-9]*/cmdline"))
        end.touch()
        ran = kernel.finish(followed)
        for verb in ("logs", "show", "jobs", "artifacts"):
            assert kernel.run(f"%mlops {verb} {'' if verb == 'jobs' else 'last'}").is_ok
        told = json.dumps([one["content"] for one in kernel.seen])
    assert ran.reply["ename"] == "JobDidNotSucceed"
    assert "RuntimeError: with ***" in told
    kept = contents([*home.rglob("*"), *training.rglob("*")])
    assert value not in told
    assert any(b"the value is ***" in text for text in kept)
    assert [text for text in (*lines, *kept) if value.encode() in text] == []
