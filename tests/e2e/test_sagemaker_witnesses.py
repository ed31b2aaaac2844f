"""Tools that are not ours meet our jobs, and we meet theirs: the AWS command line, the vendor's SDK and its toolkit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers.engine import dockerd
from tests.servers.environments import environment
from tests.servers.python_images import import_toolkit_image
from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api, signed_in

pytestmark = pytest.mark.xdist_group("engine")

SCRIPT = """
import os, signal, sys, time
open(os.environ["IPYMLOPS_OUTPUT_DIR"] + "/report.txt", "w").write("fine")
print("args", sys.argv[1:], flush=True)
if "--wait" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(600)
"""
BAKED = """
import json, os, sys
print("baked", json.dumps(sys.argv[1:]), os.environ["SM_MODEL_DIR"], flush=True)
open(os.environ["SM_MODEL_DIR"] + "/weights.txt", "w").write("w")
"""
FOREIGN = """
import json, os, sys
from sagemaker.core.resources import TrainingJob
job = TrainingJob.create(
    training_job_name=sys.argv[1],
    role_arn=os.environ["ROLE"],
    algorithm_specification={
        "training_image": os.environ["IMAGE"], "training_input_mode": "File", **json.loads(os.environ["ALGORITHM"])
    },
    hyper_parameters=json.loads(os.environ["HYPER_PARAMETERS"]),
    output_data_config={"s3_output_path": os.environ["OUTPUT"]},
    resource_config={"instance_type": "ml.m5.large", "instance_count": 1, "volume_size_in_gb": 30},
    stopping_condition={"max_runtime_in_seconds": 600},
)
"""
SEEN = """
import json, sys
from sagemaker.core.resources import TrainingJob
job = TrainingJob.get(sys.argv[1])
job.wait(poll=1)
print(json.dumps([job.training_job_status, job.resource_config.instance_type]))
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the vendor's tools and without ours."""
    return environment(tmp_path_factory.mktemp("vendor") / "env", "awscli", "sagemaker-core")


@pytest.fixture(scope="module")
def server() -> Iterator[SageMakerApi]:
    with dockerd() as engine, sagemaker_api(engine) as api:
        yield api


@pytest.fixture
def api(server: SageMakerApi, repo: Path, monkeypatch: pytest.MonkeyPatch) -> SageMakerApi:
    server.reset()
    (repo / "train.py").write_text(SCRIPT)
    for name, value in signed_in(server).items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def mlops(repo: Path) -> Callable[..., Any]:
    """`mlops("show", "1")`: what the command prints; with --json as its document."""

    def run(*words: str, exit_code: int = 0) -> Any:
        done = _done([sys.executable, "-m", "ipymlops", *words], cwd=repo, env=os.environ)
        assert done.returncode == exit_code, f"{words}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if "--json" in words else done.stdout

    return run


@pytest.fixture
def aws(tools: Path, api: SageMakerApi) -> Callable[..., Any]:
    """`aws("sagemaker", "list-training-jobs")`: the document that it prints."""

    def run(*words: str) -> Any:
        done = _done([tools / "aws", *words], env={"HOME": os.environ["HOME"], **api.env})
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    return run


@pytest.fixture
def sdk(tools: Path, api: SageMakerApi) -> Callable[..., str]:
    """`sdk(PROGRAM, "NAME", IMAGE=…)`: what a program that uses the vendor's SDK prints last."""

    def run(program: str, name: str, **variables: str) -> str:
        env = {"HOME": os.environ["HOME"], **api.env, "ROLE": api.role, **variables}
        done = _done([tools / "python", "-c", program, name], env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    return run


@pytest.fixture
def foreign(sdk: Callable[..., str], api: SageMakerApi) -> Callable[..., None]:
    """`foreign("NAME", "echo 1")`: the SDK starts a job that runs this in a shell; without it, what the image is for."""

    def start(name: str, in_shell: str = "", **hyper_parameters: str) -> None:
        shell = {"container_entrypoint": ["/bin/sh"], "container_arguments": ["-c", in_shell]}
        sdk(
            *(FOREIGN, name),
            IMAGE=api.image,
            ALGORITHM=json.dumps(shell if in_shell else {}),
            HYPER_PARAMETERS=json.dumps(hyper_parameters),
            OUTPUT=f"s3://{api.bucket}/foreign",
        )

    return start


def _done(words: list[Any], *, env: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=dict(env), cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _until(look: Callable[[], Any]) -> Any:
    """What it gives, once that is something."""
    while not (found := look()):
        time.sleep(0.1)
    return found


def test_the_aws_command_line_sees_our_job_as_a_normal_one(mlops, aws, api, tmp_path):
    job = mlops("train", "--on", "sagemaker", "--label", "team=vision", "--wait", "--json", "train.py", "--lr", "3e-4")
    (listed,) = aws("sagemaker", "list-training-jobs")["TrainingJobSummaries"]
    assert listed["TrainingJobStatus"] == "Completed"
    described = aws("sagemaker", "describe-training-job", "--training-job-name", listed["TrainingJobName"])
    assert described["TrainingJobName"].startswith(job["name"])
    tags = aws("sagemaker", "list-tags", "--resource-arn", described["TrainingJobArn"])["Tags"]
    assert {"Key": "team", "Value": "vision"} in tags
    streams = aws("logs", "describe-log-streams", "--log-group-name", "/aws/sagemaker/TrainingJobs")["logStreams"]
    events = aws(
        *("logs", "get-log-events", "--log-group-name", "/aws/sagemaker/TrainingJobs"),
        *("--log-stream-name", streams[0]["logStreamName"], "--start-from-head"),
    )["events"]
    assert "args ['--lr', '3e-4']" in [one["message"].rstrip("\n") for one in events]
    aws("s3", "cp", "--recursive", described["CheckpointConfig"]["S3Uri"], str(tmp_path / "got"))
    assert [one.read_text() for one in (tmp_path / "got").rglob("report.txt")] == ["fine"]


def test_a_stop_by_the_aws_command_line_is_a_stop(mlops, aws):
    mlops("train", "--on", "sagemaker", "train.py", "--wait")
    (listed,) = _until(lambda: aws("sagemaker", "list-training-jobs")["TrainingJobSummaries"])
    aws("sagemaker", "stop-training-job", "--training-job-name", listed["TrainingJobName"])
    (job,) = mlops("wait", "--json", "1", exit_code=1)["jobs"]
    assert (job["state"], job["end_reason"]) == ("stopped", "user")


def test_the_vendors_sdk_waits_for_our_job(mlops, sdk, api):
    job = mlops("train", "--on", "sagemaker", "--json", "train.py")
    (record,) = _until(api.all_jobs)
    assert json.loads(sdk(SEEN, record.name)) == ["Completed", job["machine_type"]]


def test_a_job_of_the_vendors_sdk_is_one_of_the_list(mlops, foreign, tmp_path):
    """Its output is an archive: one member of it comes by itself."""
    foreign("not-ours", "echo 0.9 >/opt/ml/model/auc; echo w >/opt/ml/model/weights; echo trained", lr="0.1")
    assert mlops("wait", "not-ours", "--json")["jobs"][0]["state"] == "succeeded"
    (listed,) = mlops("jobs", "platform:sagemaker", "not-ours", "--json")["jobs"]
    assert (listed["name"], listed["machine_type"]) == ("not-ours", "ml.m5.large")
    assert "lr" in mlops("show", "not-ours")
    assert mlops("logs", "not-ours") == "trained\n"
    mlops("artifacts", "not-ours", "*/auc", "--to", str(tmp_path / "got"))
    assert [one.read_text() for one in (tmp_path / "got").rglob("auc")] == ["0.9\n"]


def test_a_running_job_of_the_vendors_sdk_is_stopped(mlops, foreign, api):
    foreign("endless", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done")
    mlops("stop", "endless")
    mlops("wait", "endless", exit_code=1)
    assert api.job("endless").status == "Stopped"


@pytest.fixture(scope="module")
def toolkit(server: SageMakerApi, tmp_path_factory: pytest.TempPathFactory) -> str:
    assert server.engine is not None
    return import_toolkit_image(server.engine, tmp_path_factory.mktemp("toolkit"), BAKED)


def test_our_arguments_reach_our_script_in_an_image_for_the_vendors_toolkit(mlops, api, toolkit):
    api.local_images[api.image] = toolkit
    argv = ["--lr", "3e-4", "--lr", "", "--flag", "a b", '{"a": 1}']
    mlops("train", "--on", "sagemaker", "--wait", "train.py", *argv)
    assert f"args {argv}\n" in mlops("logs", "1")


def test_the_toolkits_image_runs_as_built_with_our_arguments(mlops, api, toolkit):
    """Its own program runs the script baked into it: what the toolkit does is done, with none of ours inside."""
    api.local_images[api.image] = toolkit
    mlops("train", "--on", "sagemaker", "--image", api.image, "--no-code", "--wait", "train", "--lr", "0.1", "--flag")
    assert "baked []" in mlops("logs", "1")


def test_the_toolkit_finds_all_it_needs_at_the_server(mlops, foreign, api, toolkit):
    """Hyperparameters become arguments, as the vendor does it: to the toolkit, the server is SageMaker."""
    api.local_images[api.image] = toolkit
    foreign("toolkit", lr="0.1")
    mlops("wait", "toolkit")
    assert 'baked ["--lr", "0.1"] /opt/ml/model' in mlops("logs", "toolkit")
    assert "weights.txt" in mlops("artifacts", "toolkit")
