"""How a training job stands, in our words: SageMaker's own, and what the launcher of a job of ours left."""

import io
import json
import tarfile
import time
from datetime import datetime, timezone

import pytest

from ipymlops.errors import NotSignedIn
from ipymlops.job import EndReason, JobState, new_job_id
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker.layout import JobKeys, launcher_prefix, s3_uri
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.runtime.places.sagemaker_causes import DISK, MEMORY, NOT_FOUND, SHARED_MEMORY
from ipymlops.runtime.places.sagemaker_layout import LAUNCHER_CHANNEL
from ipymlops.spec import JobId, PlatformRef
from tests.servers.sagemaker_api import Scripted

RUNNING = Scripted(("Downloading", "Training"))


@pytest.fixture
def live(api, looks):
    """A job of ours that trains, its record at the server, and how to leave what a launcher leaves."""
    return Live(api, looks)


class Live:
    """As `submit` makes it, without making a submit's clients: test_submit.py looks at those."""

    def __init__(self, api, platform, script=RUNNING, *, nodes=1, machine="ml.m5.xlarge"):
        self.api, self.platform = api, platform
        self.job_id = new_job_id()
        api.script = script
        name, keys = f"train-1-{self.job_id}", JobKeys(self.job_id)
        launcher = f"{launcher_prefix('0' * 64)}launcher.pyz"
        api.client("s3").put_object(Bucket=api.bucket, Key=launcher, Body=b"")
        source = {"S3DataType": "S3Prefix", "S3Uri": s3_uri(api.bucket, launcher_prefix("0" * 64))}
        api.client("sagemaker").create_training_job(
            TrainingJobName=name,
            RoleArn=api.role,
            AlgorithmSpecification={"TrainingImage": api.image, "TrainingInputMode": "File"},
            InputDataConfig=[{"ChannelName": LAUNCHER_CHANNEL, "DataSource": {"S3DataSource": source}}],
            OutputDataConfig={"S3OutputPath": s3_uri(api.bucket, keys.root)},
            ResourceConfig={"InstanceType": machine, "InstanceCount": nodes, "VolumeSizeInGB": 30},
            StoppingCondition={"MaxRuntimeInSeconds": 86400},
            CheckpointConfig={"S3Uri": s3_uri(api.bucket, keys.mirror)},
            Environment={"IPYMLOPS_JOB_ID": self.job_id},
        )
        self.job = api.job(name)
        self.ref = PlatformRef(f"arn:aws:sagemaker:us-east-1:{api.account}:training-job/{name}")

    @property
    def status(self):
        return self.platform.status(self.ref)

    def keeps(self, seconds):
        """As a job that was asked to keep its machine."""
        machines = {**self.job.request["ResourceConfig"], "KeepAlivePeriodInSeconds": seconds}
        self.job.request = {**self.job.request, "ResourceConfig": machines}

    def leave(self, rank=0, name="result.json", **content):
        now = time.time()
        told = {"attempt": "a1", "number": 1, "exit_code": 0, "end_reason": None, "error": None, "metrics": {}}
        body = json.dumps({**told, "started_at": now, "ended_at": now, **content}).encode()
        self.put(f"mirror/ipymlops/node-{rank}/{name}", body)

    def put(self, below, body):
        key = f"ipymlops/jobs/{self.job_id}/{below}"
        self.api.client("s3").put_object(Bucket=self.api.bucket, Key=key, Body=body)

    def pack(self, files):
        """`output.tar.gz`, as the service puts it."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        self.put(f"{self.job.name}/output/output.tar.gz", buffer.getvalue())


@pytest.mark.parametrize(
    ("secondary", "state"),
    [
        ("Starting", JobState.STARTING),
        ("Pending", JobState.STARTING),
        ("LaunchingMLInstances", JobState.STARTING),
        ("Interrupted", JobState.STARTING),
        ("Training", JobState.RUNNING),
        ("Uploading", JobState.RUNNING),
        ("Meditating", JobState.UNKNOWN),
    ],
)
def test_words_of_the_service_are_ours_and_an_unknown_one_is_shown(live, secondary, state):
    live.job.transition(secondary)
    status = live.status
    assert status.state is state
    assert secondary in status.detail


def test_a_stop_a_timeout_and_a_deletion_are_told_apart(live):
    live.job.ask_to_stop()
    assert live.status.state is JobState.STOPPING
    live.job.finish("Stopped", "MaxRuntimeExceeded")
    assert (live.status.state, live.status.end_reason) == (JobState.STOPPED, EndReason.TIMEOUT)
    live.job.status = "Deleting"
    assert live.status.state is JobState.UNKNOWN


@pytest.mark.parametrize(
    ("reason", "end", "words"),
    [
        ("CapacityError: Unable to provision requested ML compute capacity.", EndReason.OUT_OF_CAPACITY, "--machine"),
        ("AlgorithmError: , exit code: 3", EndReason.EXIT_CODE, "exit code: 3"),
        ("AlgorithmError: Killed, exit code: 137", EndReason.OUT_OF_MEMORY, "memory"),
        ("AlgorithmError: sh: x: not found, exit code: 127", EndReason.EXIT_CODE, "command was not found"),
        ("ClientError: Data download failed: NoSuchKey", EndReason.PLATFORM_ERROR, "NoSuchKey"),
        ("InternalServerError: We encountered an internal error.", EndReason.PLATFORM_ERROR, "run the line again"),
        (
            "ALGORITHMERROR: OSError: [Errno 28] No space left on device, exit code: 1",
            EndReason.EXIT_CODE,
            "volume_gib",
        ),
        ("RuntimeError: DataLoader worker is killed by signal: Bus error, exit code: 1", EndReason.EXIT_CODE, "shm"),
        ("Something that nobody has seen", EndReason.PLATFORM_ERROR, "nobody has seen"),
    ],
)
def test_a_failure_says_why_and_what_mends_it(live, reason, end, words):
    live.job.finish("Failed", reason=reason)
    status = live.status
    assert (status.state, status.end_reason) == (JobState.FAILED, end)
    assert words in json.dumps(dict(status.error))


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (
            "AlgorithmError: OSError: [Errno 28] No space left on device: '/dev/shm/torch_1', exit code: 1",
            SHARED_MEMORY,
        ),
        ("AlgorithmError: OSError: [Errno 28] No space left on device, exit code: 1", DISK),
        ("AlgorithmError: , exit code: 137", MEMORY),
        ("AlgorithmError: sh: x: not found, exit code: 127", NOT_FOUND),
    ],
    ids=["shared memory", "disk", "memory", "not found"],
)
def test_without_a_launcher_s_word_a_failure_is_explained_as_it_would(live, reason, cause):
    live.job.finish("Failed", reason=reason)
    error = live.status.error
    assert (error["what"], error["fix"]) == (cause.text, cause.fix)


def test_no_capacity_names_other_machines_in_order(api, looks):
    live = Live(api, looks, Scripted(("Pending",)), machine="ml.p4d.24xlarge")
    live.job.finish("Failed", reason="CapacityError: Unable to provision requested ML compute capacity.")
    error = live.status.error
    assert "ml.p4d.24xlarge" in error["what"]
    assert error["why"].index("ml.p4de.24xlarge") > 0
    assert error["fix"].startswith("--machine ")


def test_what_the_launcher_left_says_how_it_ended(live):
    error = {"what": "ValueError: x", "why": "exit code 3", "fix": "", "traceback": "…", "file": "train.py", "line": 2}
    live.leave(exit_code=3, end_reason="exit_code", error=error, metrics={"loss": 0.5})
    live.job.finish("Failed", reason="AlgorithmError: ValueError: x, exit code: 3")
    status = live.status
    assert (status.end_reason, status.exit_code, status.error["file"]) == (EndReason.EXIT_CODE, 3, "train.py")
    assert status.metrics == {"loss": 0.5}


def test_our_own_cap_is_a_timeout_although_the_service_calls_it_a_failure(live):
    live.leave(exit_code=143, end_reason="timeout", error={"what": "the job reached its time limit"})
    live.job.finish("Failed", reason="AlgorithmError: , exit code: 143")
    assert (live.status.state, live.status.end_reason) == (JobState.STOPPED, EndReason.TIMEOUT)


def test_completed_without_a_result_is_no_success(live):
    live.job.finish("Completed")
    status = live.status
    assert (status.state, status.end_reason) == (JobState.FAILED, EndReason.PLATFORM_ERROR)
    assert "without having run the script" in status.error["what"]


def test_a_result_that_came_only_with_the_archive_counts(live):
    told = {"attempt": "a", "number": 1, "exit_code": 0, "metrics": {"acc": 1.0}, "ended_at": time.time()}
    live.pack({"ipymlops/node-0/result.json": json.dumps(told).encode()})
    live.job.finish("Completed")
    assert (live.status.state, live.status.metrics) == (JobState.SUCCEEDED, {"acc": 1.0})


def test_the_result_of_an_earlier_attempt_counts_for_nothing(live):
    live.leave(ended_at=time.time() - 60)
    live.job.transition("Interrupted")
    live.job.transition("Training")
    live.job.finish("Completed")
    assert live.status.state is JobState.FAILED


@pytest.mark.parametrize("skew_s", [-3600, 0, 3600])
def test_the_result_of_the_last_attempt_counts_whatever_the_clocks_say(api, live, skew_s):
    live.job.transition("Interrupted")
    live.job.transition("Training")
    live.leave(number=2, ended_at=time.time() + skew_s)
    live.job.finish("Completed")
    assert live.status.state is JobState.SUCCEEDED


def test_a_result_that_may_not_be_read_is_no_success_and_no_failure(api, live):
    live.leave()
    live.job.finish("Completed")
    api.faults.denied = {"s3:GetObject"}
    status = live.status
    assert status.state is JobState.UNKNOWN
    assert "s3:GetObject" in json.dumps(status.error)
    api.faults.denied = set()
    assert live.status.state is JobState.SUCCEEDED


def test_of_several_nodes_the_one_that_failed_by_itself_is_named(api, looks):
    live = Live(api, looks, nodes=3)
    live.leave(rank=0, exit_code=143, end_reason="exit_code", error={"what": "told to stop"})
    live.leave(rank=1, exit_code=0)
    live.leave(rank=2, exit_code=9, end_reason="exit_code", error={"what": "node 2 broke"})
    live.job.finish("Failed", reason="AlgorithmError: , exit code: 9")
    status = live.status
    assert (status.exit_code, status.error["what"]) == (9, "node 2 broke")
    assert "node 2" in status.detail


def test_a_node_without_a_result_is_no_success(api, looks):
    live = Live(api, looks, nodes=2)
    live.leave(rank=0)
    live.job.finish("Completed")
    assert live.status.state is JobState.FAILED


def test_metrics_come_while_it_runs(live):
    live.put(
        "mirror/ipymlops/node-0/metrics.jsonl", b'{"step": 1, "loss": 1}\n{"step": 2, "loss": 0.5}\n{"step": 3, "lo'
    )
    assert live.status.metrics == {"loss": 0.5}


def test_a_job_that_was_deleted_is_gone(api, live):
    live.job.finish("Completed")
    api.client("sagemaker").delete_training_job(TrainingJobName=live.job.name)
    assert live.status.is_gone


def test_another_job_of_the_same_name_is_not_the_one(api, live):
    ref = PlatformRef(f"{live.ref}#{int((live.job.created_at - 3600) * 1000)}")
    assert live.platform.status(ref).is_gone


def test_the_job_of_another_account_is_not_gone(api, live):
    other = PlatformRef(live.ref.replace(api.account, "210987654321").replace(live.job.name, "theirs"))
    with pytest.raises(NotSignedIn, match="account 210987654321"):
        live.platform.status(other)


def test_a_spot_job_costs_what_is_billed(live):
    live.leave()
    live.job.billable_s = 30
    live.job.finish("Completed")
    assert live.status.billed_s == 30


def test_a_job_of_another_tool_shows_what_it_is(api, looks):
    client = api.client("sagemaker")
    client.create_training_job(
        TrainingJobName="their-job",
        RoleArn=api.role,
        AlgorithmSpecification={"TrainingImage": api.image, "TrainingInputMode": "File"},
        HyperParameters={"lr": "0.1", "optimizer": '"adam"'},
        OutputDataConfig={"S3OutputPath": f"s3://{api.bucket}/theirs"},
        ResourceConfig={"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        Tags=[{"Key": "team", "Value": "vision"}],
    )
    [job] = looks.listing("").jobs
    assert (job.is_ours, job.name, job.argv) == (False, "their-job", ("--lr", "0.1", "--optimizer", "adam"))
    assert (job.machine_type, job.accelerator, job.accelerator_count, job.nodes) == ("ml.p4d.24xlarge", "a100", 8, 2)
    assert job.labels == {"team": "vision"}
    assert job.usd_per_hour == 2 * 25.25
    assert job.created_at <= datetime.now(timezone.utc)
    plan = looks.plan_of(job.ref)
    assert plan.image == api.image
    assert plan.request["CreateTrainingJob"]["HyperParameters"]["lr"] == "0.1"
    assert job.id != JobId("their-job")


def test_metrics_that_have_not_changed_are_not_read_again(api, live):
    key = "mirror/ipymlops/node-0/metrics.jsonl"
    live.put(key, b'{"loss": 1}\n' + b'{"loss": 0.5}\n' * 10_000)
    assert live.status.metrics == {"loss": 0.5}
    api.calls.clear()
    assert live.status.metrics == {"loss": 0.5}
    assert sum(call.got_bytes for call in api.calls if call.service == "s3") == 0
    live.put(key, b'{"loss": 0.25}\n')
    assert live.status.metrics == {"loss": 0.25}


def test_signed_out_is_told_and_a_new_login_is_found(api, live, home, tmp_path):
    """The job goes on meanwhile; what refused the credentials is asked with those that are there by then."""
    login = tmp_path / "credentials"
    told = {"AWS_ENDPOINT_URL": api.url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_SHARED_CREDENTIALS_FILE": str(login)}
    platform = SageMakerPlatform(PlatformContext(home, api.settings, told))

    def log_in(env):
        keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        login.write_text("[default]\n" + "".join(f"{key.lower()} = {env[key]}\n" for key in keys))

    log_in(api.env)
    assert platform.status(live.ref).state is JobState.RUNNING
    api.faults.expire_token = True
    for ask in (platform.status, platform.logs, lambda ref: list(platform.artifacts(ref))):
        with pytest.raises(NotSignedIn, match="credentials; the job itself goes on") as out:
            ask(live.ref)
        assert "aws sso login" in out.value.fix
    log_in(api.fresh_env)
    assert platform.status(live.ref).state is JobState.RUNNING


def test_a_machine_that_was_taken_away_for_good_is_told(live):
    live.job.transition("Interrupted")
    live.job.finish("Failed", reason="Interrupted: the machines did not come back")
    assert live.status.end_reason is EndReason.PREEMPTED


@pytest.mark.parametrize("end", ["MaxWaitTimeExceeded", "MaxRuntimeExceeded"])
def test_the_service_s_own_limits_are_timeouts(live, end):
    live.job.finish("Stopped", end)
    assert (live.status.state, live.status.end_reason, live.status.detail) == (
        JobState.STOPPED,
        EndReason.TIMEOUT,
        end,
    )


def test_a_stop_keeps_what_the_script_left(live):
    live.leave(exit_code=0, signal=15, end_reason="exit_code", metrics={"loss": 0.5})
    live.job.ask_to_stop()
    live.job.finish("Stopped")
    status = live.status
    assert (status.state, status.end_reason, status.exit_code) == (JobState.STOPPED, EndReason.USER, 0)
    assert (status.metrics, status.error) == ({"loss": 0.5}, None)


def test_a_container_that_dies_after_its_script_succeeded_is_no_lack_of_memory(live):
    live.leave()
    live.job.finish("Failed", reason="AlgorithmError: , exit code: 137")
    status = live.status
    assert (status.end_reason, status.exit_code) == (EndReason.PLATFORM_ERROR, 0)
    assert "the script succeeded" in status.error["what"]


def test_our_result_knows_better_than_the_exit_code(live):
    live.leave(exit_code=137, signal=9, end_reason="exit_code", error={"what": "the script was ended by SIGKILL (9)"})
    live.job.finish("Failed", reason="AlgorithmError: , exit code: 137")
    status = live.status
    assert (status.end_reason, status.exit_code) == (EndReason.EXIT_CODE, 137)
    assert "SIGKILL" in status.detail


@pytest.mark.parametrize(
    "written",
    [
        {"exit_code": "0"},
        {"exit_code": 0, "ended_at": "yesterday"},
        {"exit_code": 0, "ended_at": None},
    ],
)
def test_a_result_that_no_launcher_wrote_is_none(live, written):
    live.leave(**written)
    live.job.finish("Completed")
    assert live.status.end_reason is EndReason.PLATFORM_ERROR


def test_odd_values_in_a_result_do_no_harm(live):
    live.leave(
        exit_code=1, number="x", end_reason="meditation", error="text", metrics={"a": "nan", "b": "x", "c": 10**400}
    )
    live.job.finish("Failed", reason="AlgorithmError: boom, exit code: 1")
    status = live.status
    assert (status.end_reason, status.exit_code) == (EndReason.EXIT_CODE, 1)
    assert set(status.metrics) == {"a", "c"}
    assert "boom" in status.error["why"]


def test_a_copy_of_our_job_made_in_the_console_is_judged_by_its_own(api, live):
    live.leave(exit_code=3)
    client = api.client("sagemaker")
    client.create_training_job(**{**live.job.request, "TrainingJobName": "copy-of-it"})
    copy = api.job("copy-of-it")
    copy.finish("Completed")
    ref = PlatformRef(live.ref.replace(live.job.name, "copy-of-it"))
    assert live.platform.status(ref).state is JobState.SUCCEEDED


def test_a_result_that_only_the_archive_has_is_read_where_the_mirror_may_not_be(api, live):
    told = {"exit_code": 0, "ended_at": time.time()}
    live.pack({"ipymlops/node-0/result.json": json.dumps(told).encode()})
    live.job.finish("Completed")
    api.faults.denied = {"s3:ListBucket"}  # then what is not there is told as not allowed
    assert live.status.state is JobState.SUCCEEDED


def test_phases_are_told_with_the_service_s_own_sentence(live):
    live.job.transition("Downloading", "Downloading the training image")
    assert live.status.detail == "Downloading: Downloading the training image"
    live.job.transition("Training", "Training in progress")
    assert live.status.detail == "Training"


def test_no_machine_means_no_result_is_looked_for(api, looks):
    live = Live(api, looks, Scripted(("Pending",)))
    live.job.finish("Failed", reason="CapacityError: Unable to provision requested ML compute capacity.")
    api.calls.clear()
    assert live.status.end_reason is EndReason.OUT_OF_CAPACITY
    assert {call.service for call in api.calls} == {"sagemaker"}


def test_a_machine_that_is_kept_is_told_and_counted_once_it_is_let_go(live):
    live.keeps(3600)
    live.leave()
    assert live.status.kept_until is None
    live.job.finish("Completed")
    live.job.training_ended_at -= 100
    live.job.billable_s = 30
    status = live.status
    assert (status.kept_until - status.ended_at).total_seconds() == 3600
    assert status.billed_s == 30
    live.platform.stop(live.ref)
    status = live.status
    assert status.kept_until is None
    assert status.billed_s >= 130


def test_one_whose_time_is_over_is_counted_whole(live):
    live.keeps(60)
    live.leave()
    live.job.finish("Completed")
    live.job.training_ended_at -= 3600
    live.job.billable_s = 30
    assert (live.status.kept_until, live.status.billed_s) == (None, 90)
