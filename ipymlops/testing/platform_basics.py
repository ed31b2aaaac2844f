"""What every platform must keep before all else: the part of the contract that a dear platform can run by itself.

Each test is a line of `ipymlops.platforms.base.Platform`, or a promise of what a script sees. Real jobs run.
"""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.job import EndReason, JobState, LogLine, new_job_id
from ipymlops.platforms.base import Platform
from ipymlops.testing.job_runner import PROBE, JobRunner

SECRET = ("CONTRACT_TOKEN", "tok-3141592653-secret")
HOSTILE = (
    *("--lr", "3e-4", "--lr", "3e-4", "-v", "", " a  b ", "'\"`", "x\ny", "é💥", "$HOME {x} {{y}} *", "\\", "--"),
    "\udcff\udc80",
)
WAITS = "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"
RAN_ONCE = "import os, time\nwith open(os.environ['IPYMLOPS_OUTPUT_DIR'] + '/ran', 'a') as f: f.write('once\\n')\n"


class PlatformBasics:
    """The promises on which all others stand."""

    @pytest.fixture
    def python(self) -> str:
        """The interpreter to ask for; a platform of containers has its own."""
        return ""

    @pytest.fixture
    def runner(self, platform: Platform, python: str) -> JobRunner:
        return JobRunner(platform, platform.context.home / "code", python)

    def onlookers_view(self, platform: Platform) -> bytes:
        """All that somebody sees who looks at the jobs from outside: their files, requests and descriptions."""
        return b"".join(path.read_bytes() for path in platform.context.home.rglob("*") if path.is_file())

    def test_the_script_sees_its_words_byte_for_byte(self, runner: JobRunner) -> None:
        assert runner.seen(runner.submit(PROBE, *HOSTILE))["argv"] == list(HOSTILE)

    def test_a_secret_reaches_the_script_and_nobody_else(self, runner: JobRunner) -> None:
        name, value = SECRET
        script = (
            f"import hashlib, os\nvalue = os.environ['{name}']\nprint('value', value)\n"
            "print('digest', hashlib.sha256(value.encode()).hexdigest(), flush=True)\ninput_left = open(0).read()\n"
            "import time\ntime.sleep(1)"
        )
        ref = runner.submit(script, secrets=((name, f"env:{name}"),))
        runner.until_logged(ref, b"digest")
        while_it_runs = self.onlookers_view(runner.platform)
        log = runner.log(runner.succeeded(ref))
        assert hashlib.sha256(value.encode()).hexdigest().encode() in log
        assert value.encode() not in while_it_runs + log + self.onlookers_view(runner.platform)

    def test_what_it_writes_comes_back_path_by_path(self, runner: JobRunner, tmp_path: Path) -> None:
        script = """
import os
def write(variable, path, content):
    path = os.path.join(os.environ["IPYMLOPS_" + variable], path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
write("OUTPUT_DIR", "deep/er/model.bin", bytes(range(256)))
write("OUTPUT_DIR", "new\\nline", b"")
write("TENSORBOARD_DIR", "events.1", b"tb")
write("CHECKPOINT_DIR", "step-3", b"ckpt")
os.symlink("/etc/passwd", os.environ["IPYMLOPS_OUTPUT_DIR"] + "/elsewhere")
"""
        ref = runner.succeeded(runner.submit(script))
        found = {one.path: one.bytes for one in runner.platform.artifacts(ref)}
        assert found == {"deep/er/model.bin": 256, "new\nline": 0, "tensorboard/events.1": 2, "checkpoints/step-3": 4}
        assert runner.read(ref, "deep/er/model.bin") == bytes(range(256))
        assert runner.read(ref, "checkpoints/step-3") == b"ckpt"
        for path in ("no/such", "../job.json", "/etc/passwd", "elsewhere", ""):
            with pytest.raises(PlatformProblem):
                runner.platform.fetch(ref, path, tmp_path / "not-there")
        assert not (tmp_path / "not-there").exists()

    def test_a_stop_is_passed_on_and_is_the_users(self, runner: JobRunner) -> None:
        script = """
import os, signal, sys, time
def bye(*_):
    open(os.environ["IPYMLOPS_OUTPUT_DIR"] + "/bye", "a").write("bye\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
print("ready", flush=True)
time.sleep(600)
"""
        ref = runner.submit(script)
        runner.until_logged(ref, b"ready")
        runner.platform.stop(ref)
        runner.platform.stop(ref)
        status = runner.ended(ref)
        assert (status.state, status.end_reason) == (JobState.STOPPED, EndReason.USER)
        assert runner.read(ref, "bye") == b"bye\n"
        runner.platform.stop(ref)
        assert runner.platform.status(ref) == status

    def test_reading_on_neither_repeats_nor_skips_a_line(self, runner: JobRunner) -> None:
        """Twenty disconnects, each with another object of the platform."""
        script = "import time\nfor i in range(40): print('line', i, flush=True); time.sleep(.02)\nprint('end', end='')"
        ref = runner.submit(script)
        lines: list[LogLine] = []
        cursor, is_end = "", False
        for visit in count():
            again = type(runner.platform)(runner.platform.context)
            page = again.logs(ref, cursor)
            lines += page.lines
            cursor, is_end = page.cursor, page.is_end
            if is_end and visit >= 20:
                break
        assert [line.text for line in lines] == [b"line %d" % i for i in range(40)] + [b"end"]
        times = [line.time for line in lines if line.time]
        assert len(times) == len(lines)
        assert times == sorted(times)
        assert runner.platform.last_output_at(ref) is not None

    def test_submitting_twice_starts_one_job(self, runner: JobRunner) -> None:
        job_id = new_job_id()
        ref = runner.submit(RAN_ONCE, job_id=job_id)
        assert runner.submit(RAN_ONCE, job_id=job_id) == ref
        runner.succeeded(ref)
        assert runner.submit(RAN_ONCE, job_id=job_id) == ref
        assert runner.read(ref, "ran") == b"once\n"
