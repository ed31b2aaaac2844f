"""SageMaker: what a submit costs, lost log connections, and kills; each beside the plainest way with the same server."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import boto3

from ipymlops.context import Context
from ipymlops.control.watch import wait
from ipymlops.job import Job, LogLine
from ipymlops.opening import NoScreen, open_context
from tests.bench.aws_server import ROOT, AwsServer, aws_server
from tests.bench.kills import command_lines, until
from tests.bench.row import Row, seconds

RUNS = 10
FILES, FILE_BYTES = 1000, 10_000
LINES, CUTS = 2000, 20
ROUNDS = 50
CALLS_MOST = 12
"""Of an unchanged repository, all told: what is looked at before, and what is sent."""
BYTES_MOST = 30_000
TALKER = (
    f"import time\nfor i in range({LINES}):\n    print('line', i, flush=True)\n    if i % 100 == 0: time.sleep(.05)\n"
)


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-sagemaker-") as folder:
        with aws_server() as server:
            yield from _submits(Path(folder) / "submit", server)
        with aws_server(containers=True) as server:
            yield from _cuts(Path(folder) / "cuts", server)
        with ThreadPoolExecutor() as pool:
            yield from pool.map(lambda who: _kills(Path(folder) / f"kills-{who}", who), ("submit", "courier"))


def _submits(folder: Path, server: AwsServer) -> Iterator[Row]:
    """The line, from its words to the cell given back; then all calls of it, the courier's too."""
    with _session(folder, "print(1)\n", server, files=FILES) as context:
        jobs: list[Job] = []

        def train() -> None:
            from ipymlops.verbs.dispatch import dispatch

            words = ["train", "--on", "sagemaker", "--again", "train.py"]
            jobs.append(dispatch(words, None, context).record)

        train()
        wait(context, jobs)
        server.calls()
        taken = seconds(train, RUNS)
        wait(context, jobs)
        asked = [one for one in server.calls() if not _is_watching(one)]
        per_submit = len(asked) / (RUNS + 1)
        sent = sum(one["sent_bytes"] for one in asked) / (RUNS + 1)
        calls, size = _plainest(context.cwd, server)
    peer = "boto3: tar, upload, create"
    name = "train gives the cell back (sagemaker, code known)"
    yield Row(name, 1000 * statistics.median(taken), "ms", 600, RUNS)
    yield Row("calls of a submit, code known", per_submit, "calls", CALLS_MOST, RUNS, peer=peer, peer_value=calls)
    yield Row("bytes of a submit, code known", sent, "bytes", BYTES_MOST, RUNS, peer=peer, peer_value=size)


def _is_watching(call: dict[str, str]) -> bool:
    """Asking how it goes is not part of a submit."""
    return call["action"] in {"DescribeTrainingJob", "Search", "GetLogEvents"} or "/mirror/" in call["resource"]


def _plainest(repo: Path, server: AwsServer) -> tuple[float, float]:
    """What a few lines of boto3 do each time: pack everything, send everything, create."""
    env, settings = server.told["env"], server.told["settings"]
    session = boto3.Session(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"], settings["region"]
    )
    server.calls()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(repo, "code", filter=lambda one: None if ".git" in one.name.split("/") else one)
    session.client("s3", endpoint_url=server.told["url"]).put_object(
        Bucket=settings["bucket"], Key="plain/code.tar.gz", Body=buffer.getvalue()
    )
    session.client("sagemaker", endpoint_url=server.told["url"]).create_training_job(
        TrainingJobName="plain",
        RoleArn=settings["role"],
        AlgorithmSpecification={"TrainingImage": settings["image"], "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{settings['bucket']}/plain/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    calls = server.calls()
    return len(calls), sum(one["sent_bytes"] for one in calls)


def _cuts(folder: Path, server: AwsServer) -> Iterator[Row]:
    """A log that is read by another object of the platform after each of twenty pages: a lost connection each time."""
    with _session(folder, TALKER, server) as context:
        from ipymlops.verbs.dispatch import dispatch

        job = dispatch(["train", "--on", "sagemaker", "train.py"], None, context).record
        until(lambda: context.store.get(job.id).ref is not None)
        ref = context.store.get(job.id).ref
        assert ref is not None
        lines: list[LogLine] = []
        cursor, is_end = "", False
        for visit in count():
            again = open_context(context.cwd, os.environ, sys.executable, NoScreen(), home=context.home)
            page = again.platforms["sagemaker"].logs(ref, cursor)
            lines += page.lines
            cursor, is_end = page.cursor, page.is_end
            if is_end and visit >= CUTS:
                break
    expected = Counter(b"line %d" % number for number in range(LINES))
    got = Counter(line.text for line in lines)
    yield Row(
        "log lines lost over 20 disconnects (sagemaker)", sum((expected - got).values()), "lines", 0, LINES, "sum"
    )
    yield Row(
        "log lines repeated over 20 disconnects (sagemaker)", sum((got - expected).values()), "lines", 0, LINES, "sum"
    )


def _kills(folder: Path, who: str) -> Row:
    """Each step after which something outside is different, fifty times."""
    words = [sys.executable, "-m", "tests.bench.kills", str(folder), "sagemaker", who, "1000", str(ROUNDS)]
    with aws_server() as server:
        env = os.environ | server.env
        done = subprocess.run(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = sum((one["launches"], one["jobs"]) != (1, 1) for one in outcomes)
    killed = sum(one["was_killed"] for one in outcomes)
    value = wrong if done.returncode == 0 and killed else float("nan")
    return Row(f"{who} killed at its steps (sagemaker): not exactly one job", value, "jobs", 0, killed, "sum")


@contextmanager
def _session(folder: Path, script: str, server: AwsServer, *, files: int = 0) -> Iterator[Context]:
    """A user's repository and a home of its own, signed in; no courier outlives it."""
    repo, home = folder / "repo", folder / "home"
    (repo / "data").mkdir(parents=True)
    (repo / "train.py").write_text(script)
    for number in range(files):
        (repo / "data" / f"{number}.bin").write_bytes(os.urandom(FILE_BYTES))
    subprocess.run(["git", "init", "-q"], cwd=repo, check=True)
    before = dict(os.environ)
    os.environ |= {**server.env, "IPYMLOPS_HOME": str(home)}
    try:
        context = open_context(repo, os.environ, sys.executable, NoScreen(), home=home)
        yield context
        until(lambda: not any(str(home) in words for words in command_lines("ipymlops.control.courier")))
        context.store.close()
    finally:
        os.environ.clear()
        os.environ |= before
