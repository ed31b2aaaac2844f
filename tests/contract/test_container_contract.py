"""The contract of platforms on two real container engines, and what is special about containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipymlops.errors import PlatformProblem, Unreachable, UsageProblem
from ipymlops.job import EndReason, JobState
from ipymlops.platforms.base import Platform, PlatformContext
from ipymlops.platforms.docker.platform import DockerPlatform
from ipymlops.spec import JobSpec, PlatformRef
from ipymlops.testing.job_runner import PROBE, JobRunner, eventually
from ipymlops.testing.killed_submit import REQUESTS
from ipymlops.testing.platform_basics import RAN_ONCE, SECRET, WAITS, PlatformBasics
from ipymlops.testing.platform_contract import PlatformContract
from tests.servers.engine import BARE, BASE, Engine, base_tar


class DockerBasics(PlatformBasics):
    """The contract on an engine: what is special about containers."""

    @pytest.fixture
    def platform(self, home: Path, container_engine: Engine) -> Platform:
        env = {**os.environ, "DOCKER_HOST": container_engine.host, SECRET[0]: SECRET[1]}
        return DockerPlatform(PlatformContext(home, {"image": BASE}, env))

    def onlookers_view(self, platform: Platform) -> bytes:
        import docker

        client = docker.DockerClient(base_url=platform.context.env["DOCKER_HOST"])
        try:
            found = [_described(client, one["Id"]) for one in client.api.containers(all=True)]
        finally:
            client.close()
        return b"".join(found) + super().onlookers_view(platform)

    def test_it_runs_in_a_container_of_the_planned_image(
        self, runner: JobRunner, container_engine: Engine, home: Path
    ) -> None:
        plan = runner.platform.plan(JobSpec("train.py"))
        seen = runner.seen(ref := runner.submit(PROBE))
        assert seen["pid_namespace"] != Path("/proc/self/ns/pid").stat().st_ino
        with container_engine.client() as client:
            digest = client.images.get(BASE).id
        assert plan.request is not None
        assert plan.request["image_id"] == digest
        assert ended(home, ref)["image"] == digest

    def test_its_container_is_removed_and_its_files_are_the_callers(
        self, runner: JobRunner, container_engine: Engine, home: Path
    ) -> None:
        ref = runner.succeeded(runner.submit(RAN_ONCE))
        ended(home, ref)
        with container_engine.client() as client:
            eventually(lambda: not names(client, ref), "the container is removed")
        assert (home / "local" / ref / "output" / "ran").stat().st_uid == os.getuid()

    def test_an_image_runs_as_built(self, runner: JobRunner) -> None:
        hostile = ("a b", "", "$x", "é\n")
        do = "open(os.environ['IPYMLOPS_OUTPUT_DIR'] + '/x', 'w').write('out'); sys.exit(5)"
        ref = runner.submit("", *hostile, script=None, image=BARE, no_code=True, env=(("DO", do),))
        status = runner.ended(ref)
        assert (status.state, status.end_reason, status.exit_code) == (JobState.FAILED, EndReason.EXIT_CODE, 5)
        words, env = json.loads(runner.log(ref))
        assert words == list(hostile)
        assert env["IPYMLOPS_JOB_ID"] == ref
        assert runner.read(ref, "x") == b"out"

    def test_an_image_as_built_ends_at_the_cap_and_at_a_stop(self, runner: JobRunner) -> None:
        hurried = replace(runner, platform=with_settings(runner.platform, stop_grace_s="0.2"))
        sleeps = {"script": None, "image": BARE, "no_code": True, "env": (("DO", "import time; time.sleep(600)"),)}
        capped, stopped = hurried.submit("", max_runtime_s=1, **sleeps), hurried.submit("", **sleeps)
        eventually(lambda: hurried.platform.status(stopped).state is JobState.RUNNING, "it runs")
        hurried.platform.stop(stopped)
        assert hurried.ended(stopped).end_reason is EndReason.USER
        assert hurried.ended(capped).end_reason is EndReason.TIMEOUT

    def test_an_image_as_built_knows_its_deadline_and_its_metrics_count(self, runner: JobRunner) -> None:
        do = "open(os.environ['IPYMLOPS_METRICS_FILE'], 'w').write(json.dumps({'loss': 0.5}))"
        asked = {"script": None, "image": BARE, "no_code": True, "env": (("DO", do),)}
        before = time.time()
        ref = runner.submit("", max_runtime_s=1000, **asked)
        status = runner.ended(ref)
        assert (status.state, status.metrics) == (JobState.SUCCEEDED, {"loss": 0.5})
        assert status.started_at is not None
        deadline = int(json.loads(runner.log(ref))[1]["IPYMLOPS_DEADLINE"])
        assert before + 999 <= deadline <= status.started_at.timestamp() + 1000


class TestDocker(DockerBasics, PlatformContract):
    pytestmark = pytest.mark.xdist_group("engine")
    acts = REQUESTS

    @pytest.fixture
    def container_engine(self, docker_engine: Engine) -> Engine:
        return docker_engine

    def test_the_shepherd_may_die(self, runner: JobRunner, home: Path) -> None:
        """Its follower goes on where the log ends: nothing is lost, nothing is there twice."""
        do = "import time\nfor i in range(60): print('line', i, flush=True); time.sleep(.02)"
        ref = runner.submit("", script=None, image=BARE, no_code=True, env=(("DO", do),))
        runner.until_logged(ref, b"line 3")
        os.kill(shepherd_of(home, ref), signal.SIGKILL)
        runner.ended(ref)
        lines = runner.log(ref).splitlines()[1:]
        assert lines == [b"line %d" % number for number in range(60)]

    def test_what_runs_out_of_memory_says_so(self, runner: JobRunner, container_engine: Engine) -> None:
        do = "import time\nwhile not os.path.exists('/tmp/go'): time.sleep(.02)\nx = [bytearray(1 << 20) for _ in range(4096)]"
        ref = runner.submit("", script=None, image=BARE, no_code=True, env=(("DO", do),))
        runner.until_logged(ref, b"[")
        with container_engine.client() as client:
            container = client.containers.get(f"ipymlops-{ref}")
            container.update(mem_limit="48m", memswap_limit="48m")
            container.put_archive("/tmp", empty_file("go"))
        status = runner.ended(ref)
        assert (status.state, status.end_reason, status.exit_code) == (JobState.FAILED, EndReason.OUT_OF_MEMORY, 137)

    def test_an_image_as_built_is_started_once(self, runner: JobRunner, container_engine: Engine, home: Path) -> None:
        asked = {"script": None, "image": BARE, "no_code": True, "env": (("DO", "open(sys.argv[1], 'a').write('x')"),)}
        ref = runner.submit("", "/ipymlops/output/ran", **asked)
        runner.succeeded(ref)
        with container_engine.client() as client:
            eventually(lambda: not names(client, ref), "the container is removed")
        (home / "local" / ref / "end.json").unlink()  # as if its shepherd had been killed just before
        runner.submit("", "/ipymlops/output/ran", job_id=ref, **asked)
        assert runner.ended(ref).end_reason is EndReason.PLATFORM_ERROR
        assert runner.read(ref, "ran") == b"x"

    def test_one_that_ended_by_itself_was_not_stopped(self, runner: JobRunner, home: Path) -> None:
        """A stop that comes before its end is written down."""
        ref = runner.submit("", script=None, image=BARE, no_code=True, env=(("DO", "print('ready'); sys.exit(5)"),))
        shepherd = shepherd_of(home, ref)
        os.kill(shepherd, signal.SIGSTOP)
        try:
            eventually(lambda: runner.platform.status(ref).detail in ("exited", "exit code 5"), "it is over")
            runner.platform.stop(ref)
        finally:
            os.kill(shepherd, signal.SIGCONT)
        assert (runner.ended(ref).end_reason, runner.ended(ref).exit_code) == (EndReason.EXIT_CODE, 5)

    def test_the_container_of_a_deleted_job_is_ended(
        self, runner: JobRunner, container_engine: Engine, home: Path
    ) -> None:
        ref = runner.submit("", script=None, image=BARE, no_code=True, env=(("DO", "import time; time.sleep(600)"),))
        eventually(lambda: runner.platform.status(ref).state is JobState.RUNNING, "it runs")
        eventually((home / "local" / ref / "nodes" / "0" / "log").exists, "its log is saved")
        shutil.rmtree(home / "local" / ref)
        assert runner.platform.status(ref).is_gone
        with container_engine.client() as client:
            eventually(lambda: not names(client, ref), "the container is removed")

    def test_a_container_removed_from_outside_has_failed(self, runner: JobRunner, container_engine: Engine) -> None:
        ref = runner.submit(WAITS)
        runner.until_logged(ref, b"ready")
        with container_engine.client() as client:
            client.containers.get(f"ipymlops-{ref}").remove(force=True)
        status = runner.ended(ref)
        assert (status.state, status.end_reason) == (JobState.FAILED, EndReason.PLATFORM_ERROR)

    def test_an_image_in_which_no_script_starts_says_so(self, runner: JobRunner, container_engine: Engine) -> None:
        with container_engine.client() as client:
            client.api.import_image_from_data(
                base_tar(with_shell=True), repository="ipymlops-test/lost", tag="latest", changes=["ENV PATH=/bin/none"]
            )
        status = runner.ended(runner.submit("", image="ipymlops-test/lost:latest"))
        assert (status.state, status.end_reason) == (JobState.FAILED, EndReason.PLATFORM_ERROR)
        assert status.error is not None
        assert "neither python3 nor python" in status.error["why"]

    def test_an_image_that_cannot_be_had_is_a_clear_refusal(self, runner: JobRunner) -> None:
        with pytest.raises(PlatformProblem, match=r"127\.0\.0\.1:1/none:1 is not on this machine") as refusal:
            runner.submit("", image="127.0.0.1:1/none:1")
        assert "docker pull" in refusal.value.fix

    def test_an_image_that_has_changed_since_the_plan_is_refused(self, platform: Platform) -> None:
        spec = JobSpec("train.py")
        plan = platform.plan(spec)
        moved = replace(plan, request={**(plan.request or {}), "image_id": "sha256:" + "0" * 64}, image=BASE)
        with pytest.raises(PlatformProblem):
            platform.submit("jmoved", "n", spec, None, moved)

    def test_no_engine_is_one_clear_error(self, home: Path, tmp_path: Path) -> None:
        nowhere = DockerPlatform(PlatformContext(home, {}, {"DOCKER_HOST": f"unix://{tmp_path}/none", "PATH": ""}))
        spec = JobSpec("train.py")
        plan = nowhere.plan(spec)
        with pytest.raises(Unreachable, match="no container engine answers") as problem:
            nowhere.preflight(spec, plan)
        assert "DOCKER_HOST" in problem.value.fix
        assert [check.id for check in nowhere.checks() if check.status == "fail"] == ["docker.engine"]

    @pytest.mark.parametrize(
        ("wrong", "flag"),
        [
            ({"nodes": 2}, "--nodes"),
            ({"no_code": True, "script": None}, "--no-code needs an image"),
            ({"no_code": True, "image": BARE, "script": None, "secrets": ((SECRET[0], ""),)}, "--secret"),
            ({"no_code": True, "image": BARE, "script": None, "metrics": (("a", "b"),)}, "--metric"),
            ({"no_code": True, "image": BARE}, "train.py"),
            ({"gpu": "a100"}, "no GPU"),
        ],
    )
    def test_what_a_container_cannot_be_is_refused_by_name(
        self, platform: Platform, wrong: dict[str, Any], flag: str
    ) -> None:
        with pytest.raises(UsageProblem, match=flag):
            platform.plan(replace(JobSpec("train.py"), **wrong))


class TestPodman(DockerBasics):
    pytestmark = pytest.mark.xdist_group("podman")

    @pytest.fixture
    def container_engine(self, podman_engine: Engine) -> Engine:
        return podman_engine


def with_settings(platform: Platform, **more: str) -> Platform:
    return type(platform)(replace(platform.context, settings={**platform.context.settings, **more}))


def ended(home: Path, ref: PlatformRef) -> dict[str, Any]:
    """How the container ended, once that is written down."""
    path = home / "local" / ref / "end.json"
    eventually(path.exists, "the end is written down")
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def names(client: Any, ref: PlatformRef) -> list[str]:
    return [one["Id"] for one in client.api.containers(all=True, filters={"name": f"ipymlops-{ref}"})]


def shepherd_of(home: Path, ref: PlatformRef) -> int:
    """The process that has the job's folder as its last word."""
    folder = os.fsencode(home / "local" / ref)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if folder in words and b"ipymlops.platforms.docker.shepherd" in words:
            return int(path.parent.name)
    raise AssertionError("no shepherd is with the job")


def empty_file(name: str) -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def _described(client: Any, container_id: str) -> bytes:
    """All that the engine tells of a container; nothing once it is removed."""
    import docker

    try:
        return json.dumps(client.api.inspect_container(container_id)).encode() + client.api.logs(container_id)
    except docker.errors.APIError:
        return b""
