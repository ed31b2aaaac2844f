"""What the contract of platforms means on SageMaker, wherever it answers: the tests' own server, or a real account."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipymlops.errors import PlatformProblem, UsageProblem
from ipymlops.job import EndReason, JobState, new_job_id
from ipymlops.platforms.base import Platform
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.spec import JobSpec, PlatformRef
from ipymlops.testing.job_runner import JobRunner
from ipymlops.testing.killed_submit import REQUESTS
from ipymlops.testing.platform_basics import WAITS
from ipymlops.testing.platform_contract import PlatformContract


class SageMakerContract(PlatformContract):
    """All promises, with what is special about the service. `platform` has its region, role, bucket and image set."""

    acts = REQUESTS

    @pytest.fixture
    def s3(self, platform: SageMakerPlatform) -> Any:
        return platform.aws.client("s3")

    @pytest.fixture
    def bucket(self, platform: SageMakerPlatform) -> str:
        return platform.context.settings["bucket"]

    def unknown_ref(self, platform: Platform) -> PlatformRef:
        assert isinstance(platform, SageMakerPlatform)
        region, account = platform.aws.region, platform.aws.account()
        return PlatformRef(f"arn:aws:sagemaker:{region}:{account}:training-job/never-{new_job_id()}")

    def owner_s3(self, platform: SageMakerPlatform) -> Any:
        """A client of whoever puts data into the bucket."""
        return platform.aws.client("s3")

    def data_at(self, platform: Platform, folder: Path) -> str:
        """Put the folder into the bucket, beside a prefix that begins like its own."""
        assert isinstance(platform, SageMakerPlatform)
        s3, bucket, prefix = self.owner_s3(platform), platform.context.settings["bucket"], f"data/{new_job_id()}"
        for path in folder.iterdir():
            for key in (f"{prefix}/{path.name}", f"{prefix}-of-others/{path.name}2"):
                s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        return f"s3://{bucket}/{prefix}/"

    def onlookers_view(self, platform: Platform) -> bytes:
        """Files of the home, every object of ours, every description, and what the secrets are called."""
        assert isinstance(platform, SageMakerPlatform)
        s3, bucket = platform.aws.client("s3"), platform.context.settings["bucket"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="ipymlops/jobs/")
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        objects = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
        sagemaker, secrets = platform.aws.client("sagemaker"), platform.aws.client("secretsmanager")
        newest = sagemaker.list_training_jobs(MaxResults=10, NameContains="contract")["TrainingJobSummaries"]
        told = [sagemaker.describe_training_job(TrainingJobName=one["TrainingJobName"]) for one in newest]
        told += secrets.list_secrets()["SecretList"]
        return b"".join([*objects, json.dumps(told, default=str).encode(), super().onlookers_view(platform)])

    def test_the_log_is_raw(self, runner: JobRunner) -> None:
        """As raw as CloudWatch lets it be: text, whole lines, carriage returns as they came; no empty lines."""
        script = (
            "import sys\nwrite = sys.stdout.buffer.write\nwrite('é💥 \\t$x\\r10%\\r20%\\n  indented \\n\\n'.encode())\n"
        )
        script += "write(b'y' * 200_000 + b'\\nno end')"
        expected = "é💥 \t$x\r10%\r20%\n  indented \n".encode() + b"y" * 200_000 + b"\nno end\n"
        assert runner.log(runner.succeeded(runner.submit(script))) == expected

    def test_several_nodes_know_each_other(self, runner: JobRunner) -> None:
        script = """
import os
rank = os.environ["IPYMLOPS_NODE_RANK"]
open(os.environ["IPYMLOPS_OUTPUT_DIR"] + "/rank", "w").write(rank)
print(rank, os.environ["IPYMLOPS_NODES"], os.environ["IPYMLOPS_MAIN_ADDRESS"])
"""
        ref = runner.succeeded(runner.submit(script, nodes=3))
        lines, cursor, is_end = [], "", False
        while not is_end:
            page = runner.platform.logs(ref, cursor)
            lines, cursor, is_end = [*lines, *page.lines], page.cursor, page.is_end
        assert {(line.node, line.text) for line in lines} == {(rank, b"%d 3 algo-1" % rank) for rank in range(3)}
        assert {one.path for one in runner.platform.artifacts(ref)} == {"rank", "node-1/rank", "node-2/rank"}

    def test_a_node_that_fails_ends_the_job(self, runner: JobRunner) -> None:
        script = "import os, sys\nif os.environ['IPYMLOPS_NODE_RANK'] == '1': sys.exit(7)\n" + WAITS
        status = runner.ended(runner.submit(script, nodes=2))
        assert (status.state, status.end_reason, status.exit_code) == (JobState.FAILED, EndReason.EXIT_CODE, 7)
        assert "node 1" in status.detail

    def test_options_it_has_not_are_refused_by_name(self, platform: Platform) -> None:
        with pytest.raises(UsageProblem, match="--bake"):
            platform.plan(replace(JobSpec("train.py"), bake=True))

    def test_a_reference_of_another_account_is_not_taken_for_gone(self, platform: Platform) -> None:
        ref = PlatformRef("arn:aws:sagemaker:us-east-1:999999999999:training-job/other")
        with pytest.raises(PlatformProblem, match="999999999999"):
            platform.status(ref)
