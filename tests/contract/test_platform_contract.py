"""Every platform of ours keeps the contract. Here: processes of this machine; containers are beside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from ipymlops.config import SETTINGS
from ipymlops.errors import UsageProblem
from ipymlops.job import EndReason, JobState
from ipymlops.platforms.base import Platform, PlatformContext
from ipymlops.platforms.docker.platform import DockerPlatform
from ipymlops.platforms.here import PlatformHere
from ipymlops.platforms.local.platform import LocalPlatform
from ipymlops.platforms.processes import is_locked
from ipymlops.platforms.registry import Platforms
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.spec import JobSpec, PlatformRef
from ipymlops.testing.job_runner import JobRunner, eventually
from ipymlops.testing.platform_basics import RAN_ONCE, SECRET, WAITS
from ipymlops.testing.platform_contract import PlatformContract


def test_all_are_found_by_their_entry_points() -> None:
    platforms = Platforms(lambda _: PlatformContext(Path("/nowhere"), {}, {}))
    assert [platforms.kind(name) for name in platforms] == [DockerPlatform, LocalPlatform, SageMakerPlatform]


@pytest.mark.parametrize("name", ["local", "docker", "sagemaker"])
def test_its_settings_are_in_the_table_of_all_settings(name: str) -> None:
    kind = Platforms(lambda _: PlatformContext(Path("/nowhere"), {}, {})).kind(name)
    assert issubclass(kind, PlatformHere | SageMakerPlatform)
    assert {f"{name}.{key}" for key in kind.settings} == {one.key for one in SETTINGS if one.platform == name}


class TestLocal(PlatformContract):
    @pytest.fixture
    def python(self) -> str:
        return sys.executable

    @pytest.fixture
    def platform(self, home: Path) -> Platform:
        return LocalPlatform(PlatformContext(home, {}, {**os.environ, SECRET[0]: SECRET[1]}))

    def test_a_job_killed_from_outside_has_failed_and_leaves_nothing(self, runner: JobRunner) -> None:
        child = "import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
        ref = runner.submit(child + "print(os.getpid(), child.pid, os.getppid(), flush=True)\n" + WAITS)
        runner.until_logged(ref, b"ready")
        *left, launcher = runner.platform.logs(ref).lines[0].text.split()
        os.kill(int(launcher), signal.SIGKILL)
        status = runner.ended(ref)
        assert (status.state, status.end_reason) == (JobState.FAILED, EndReason.PLATFORM_ERROR)
        assert status.error is not None
        assert "killed" in status.error["what"]
        eventually(lambda: not any(lives(int(pid)) for pid in left), "the script and its child are gone")
        assert runner.platform.logs(ref).is_end

    def test_a_restart_of_the_machine_is_told(self, runner: JobRunner, home: Path) -> None:
        ref = runner.succeeded(runner.submit(""))
        state = quiet_node(home, ref) / "state"
        (state / "result.json").unlink()
        attempt = json.loads((state / "attempt.json").read_text())
        (state / "attempt.json").write_text(json.dumps(attempt | {"boot_id": "another"}))
        status = runner.platform.status(ref)
        assert status.end_reason is EndReason.PLATFORM_ERROR
        assert status.error is not None
        assert "restarted" in status.error["what"]

    def test_a_launcher_that_cannot_start_is_told(self, runner: JobRunner, home: Path) -> None:
        ref = runner.succeeded(runner.submit(""))
        node = quiet_node(home, ref)
        for name in ("result.json", "attempt.json"):
            (node / "state" / name).unlink()
        (node / "launcher.log").write_text("no space left")
        error = runner.platform.status(ref).error
        assert error is not None
        assert "no space left" in error["why"]

    def test_several_nodes_know_each_other(self, runner: JobRunner) -> None:
        script = """
import os
rank = os.environ["IPYMLOPS_NODE_RANK"]
open(os.environ["IPYMLOPS_OUTPUT_DIR"] + "/rank", "w").write(rank)
print(rank, os.environ["IPYMLOPS_NODES"], os.environ["IPYMLOPS_MAIN_ADDRESS"])
"""
        ref = runner.succeeded(runner.submit(script, nodes=3))
        page = runner.platform.logs(ref)
        assert {(line.node, line.text) for line in page.lines} == {
            (rank, b"%d 3 127.0.0.1" % rank) for rank in range(3)
        }
        assert {one.path for one in runner.platform.artifacts(ref)} == {"rank", "node-1/rank", "node-2/rank"}

    def test_a_node_that_fails_ends_the_others(self, runner: JobRunner) -> None:
        script = "import os, sys\nif os.environ['IPYMLOPS_NODE_RANK'] == '1': sys.exit(7)\n" + WAITS
        status = runner.ended(runner.submit(script, nodes=2))
        assert (status.state, status.end_reason, status.exit_code) == (JobState.FAILED, EndReason.EXIT_CODE, 7)
        assert "node 1" in status.detail

    def test_a_node_that_fails_ends_the_others_also_if_nobody_asks(self, runner: JobRunner, home: Path) -> None:
        """Each is told once, with the platform and the failed node both at it."""
        script = """
import os, signal, sys, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
with open(os.environ["IPYMLOPS_OUTPUT_DIR"] + "/ready", "w"):
    pass
if os.environ["IPYMLOPS_NODE_RANK"] == "1":
    while not os.path.exists(os.path.dirname(os.environ["IPYMLOPS_OUTPUT_DIR"]) + "/ready"):
        time.sleep(0.01)
    sys.exit(7)
while not told:
    time.sleep(0.01)
time.sleep(0.5)
sys.exit(40 + len(told))
"""
        ref = runner.submit(script, nodes=2)
        result = home / "local" / ref / "nodes" / "0" / "state" / "result.json"
        eventually(result.exists, "the other node ends")
        assert json.loads(result.read_text())["exit_code"] == 41
        status = runner.ended(ref)
        assert (status.end_reason, status.exit_code) == (EndReason.EXIT_CODE, 7)

    def test_a_job_whose_folder_is_deleted_while_it_runs_is_gone(self, runner: JobRunner, home: Path) -> None:
        ref = runner.submit("import os; print(os.getpid(), os.getppid(), flush=True)\n" + WAITS)
        runner.until_logged(ref, b"ready")
        pids = [int(word) for word in runner.platform.logs(ref).lines[0].text.split()]
        shutil.rmtree(home / "local" / ref)
        assert runner.platform.status(ref).is_gone
        runner.platform.stop(ref)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def test_children_of_the_script_keep_no_job_alive(self, runner: JobRunner) -> None:
        script = "import subprocess, sys\nsubprocess.Popen(['sleep', '600'], close_fds=False, start_new_session=True)\n"
        runner.succeeded(runner.submit(script))

    def test_its_folder_is_closed_to_others(self, runner: JobRunner, home: Path) -> None:
        ref = runner.succeeded(runner.submit(""))
        assert (home / "local" / ref).stat().st_mode & 0o777 == 0o700

    def test_a_stop_before_the_start_starts_nothing(self, runner: JobRunner, home: Path) -> None:
        ref = runner.succeeded(runner.submit(RAN_ONCE))
        node = quiet_node(home, ref)
        for path in (node / "state" / "result.json", node / "state" / "attempt.json", node / "launcher.log"):
            path.unlink()
        assert runner.platform.status(ref).state is JobState.QUEUED
        runner.platform.stop(ref)
        assert runner.platform.status(ref).end_reason is EndReason.USER
        runner.submit(RAN_ONCE, job_id=ref)
        assert runner.read(ref, "ran") == b"once\n"

    def test_a_python_that_is_not_there_or_too_old_is_refused(self, platform: Platform, tmp_path: Path) -> None:
        with pytest.raises(UsageProblem, match="not there"):
            platform.plan(JobSpec("train.py", python="/no/such/python"))
        old = tmp_path / "python"
        old.write_text("#!/bin/sh\necho 3 7 16\n")
        old.chmod(0o755)
        spec = JobSpec("train.py", python=str(old))
        with pytest.raises(UsageProblem, match=r"3\.8"):
            platform.preflight(spec, platform.plan(spec))

    def test_options_of_containers_are_refused_by_name(self, platform: Platform) -> None:
        with pytest.raises(UsageProblem, match="--image, --no-code"):
            platform.plan(JobSpec("train.py", image="x", no_code=True))


def quiet_node(home: Path, ref: PlatformRef) -> Path:
    """The folder of a local job's node, once its launcher is gone."""
    node = home / "local" / ref / "nodes" / "0"
    eventually(lambda: not is_locked(node / "spawn.lock"), "the launcher is gone")
    return node


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
