"""Listing an account of 20,000 jobs, and watching 20: calls, bytes and seconds, beside the plainest boto3."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3

from ipymlops.context import Context
from ipymlops.control.pages import bring_page
from ipymlops.control.watch import Watch
from ipymlops.job import Job, JobState, new_job_id
from ipymlops.opening import NoScreen, open_context
from ipymlops.platforms.sagemaker import budget
from ipymlops.spec import PlatformRef
from ipymlops.store.base import JobQuery
from tests.bench.aws_server import AwsServer, aws_server
from tests.bench.row import Row
from tests.servers.sagemaker_api import SageMakerApi, Scripted, sagemaker_api

JOBS = 20_000
WATCHED, OTHERS, MINUTES = 20, 1000, 5
SHARE_PER_MINUTE = 60
"""Half of the two list calls a second that the account has."""


def rows() -> Iterator[Row]:
    with _without_budget(), tempfile.TemporaryDirectory(prefix="bench-list-") as folder:
        with aws_server() as server:
            yield from _listed(Path(folder) / "list", server)
        with sagemaker_api() as api:
            yield from _watched(Path(folder) / "watch", api)


@contextmanager
def _without_budget() -> Iterator[None]:
    """What would be asked is counted, not waited for."""
    before = budget.SHARES
    budget.SHARES = dict.fromkeys(before, budget.Share(1e9, 10**6))
    try:
        yield
    finally:
        budget.SHARES = before


@dataclass(frozen=True)
class _Cost:
    """Wall and CPU seconds of this process, calls and received bytes of something."""

    seconds: float
    cpu_s: float
    calls: int
    bytes: int


def _listed(folder: Path, server: AwsServer) -> Iterator[Row]:
    server.ask(seed_jobs=JOBS)
    context = _session(folder, server.env)
    plain = boto3.Session(*_keys(server.told["env"])).client("sagemaker", endpoint_url=server.told["url"])

    def ours() -> None:
        while bring_page(context, "sagemaker"):
            pass

    first, again = _cost(server, ours), _cost(server, ours)
    assert len(context.store.find(JobQuery())) == JOBS
    context.store.close()
    search = _cost(server, lambda: sum(1 for _ in plain.get_paginator("search").paginate(Resource="TrainingJob")))
    names = _cost(server, lambda: sum(1 for _ in plain.get_paginator("list_training_jobs").paginate()))
    by_search, by_name = (
        "boto3: all pages of Search, stored nowhere",
        "boto3: list_training_jobs, names and states alone",
    )
    for title, cost, most_calls, most_s, most_bytes in (
        (f"list {JOBS:,} jobs the first time", first, JOBS // 100 + 5, 90, 60_000_000),
        (f"list {JOBS:,} jobs the second time", again, 3, 1, 100_000),
    ):
        yield Row(f"{title}: calls", cost.calls, "calls", most_calls, 1, peer=by_name, peer_value=names.calls)
        yield Row(f"{title}: time", cost.seconds, "s", most_s, 1, peer=by_search, peer_value=search.seconds)
        yield Row(f"{title}: received", cost.bytes, "bytes", most_bytes, 1, peer=by_search, peer_value=search.bytes)
    yield Row(f"list {JOBS:,} jobs the first time: CPU of ours", first.cpu_s, "s", 15, 1)


def _cost(server: AwsServer, action: Callable[[], object]) -> _Cost:
    server.calls()
    began, cpu = time.perf_counter(), time.process_time()
    action()
    taken, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    calls = [call for call in server.calls() if call["service"] == "sagemaker"]
    return _Cost(taken, cpu_s, len(calls), sum(call["got_bytes"] for call in calls))


class _Minutes:
    """A clock that sleeping moves: a minute of watching takes as long as what is done in it."""

    def __init__(self) -> None:
        self.time = datetime.now(timezone.utc)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def _watched(folder: Path, api: SageMakerApi) -> Iterator[Row]:
    """One session leads and another one waits for the same jobs, as long as nothing happens to them."""
    api.seed_jobs(OTHERS)
    api.script = Scripted(("Downloading", "Training"))
    settings = {f"IPYMLOPS_SAGEMAKER_{name.upper()}": value for name, value in api.settings.items()}
    context = replace(_session(folder, {**api.env, **settings}), clock=_Minutes())
    jobs = [_running(context, api, number) for number in range(WATCHED)]
    while bring_page(context, "sagemaker"):
        pass
    api.calls.clear()
    began = context.clock.now()
    with Watch(context) as leader, Watch(context) as other:
        other.want(jobs)
        while context.clock.now() - began < timedelta(minutes=MINUTES):
            pause_s = leader.turn()
            other.turn()
            _let_the_list_end()
            context.clock.sleep(max(0.05, pause_s))
    context.store.close()
    asked = Counter(budget.KINDS.get(call.action, "") for call in api.calls if call.service == "sagemaker")
    title, peer = f"a minute of watching {WATCHED} jobs", "boto3: list_training_jobs(StatusEquals) every 5 s"
    plain = 12 * _plain_scan(api)
    lists, describes = asked[budget.LISTS] / MINUTES, asked[budget.DESCRIBES] / MINUTES
    yield Row(f"{title}: list calls", lists, "calls", SHARE_PER_MINUTE, MINUTES, "mean", peer=peer, peer_value=plain)
    yield Row(f"{title}: describe calls", describes, "calls", 300, MINUTES, "mean")


def _running(context: Context, api: SageMakerApi, number: int) -> Job:
    job_id = new_job_id()
    name = f"train-{number}-{job_id}"
    arn = api.client("sagemaker").create_training_job(
        TrainingJobName=name,
        RoleArn=api.role,
        AlgorithmSpecification={"TrainingImage": api.image, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{api.bucket}/out/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 86400},
        Environment={"IPYMLOPS_JOB_ID": job_id},
    )["TrainingJobArn"]
    now = context.clock.now()
    return context.store.add(Job(job_id, name, "sagemaker", now, state=JobState.RUNNING, ref=PlatformRef(arn)))[0]


def _plain_scan(api: SageMakerApi) -> int:
    """The calls of one look by the plainest way: the filter works after the pages are cut."""
    api.calls.clear()
    plain = api.client_as(api.env, "sagemaker")
    for _ in plain.get_paginator("list_training_jobs").paginate(StatusEquals="InProgress"):
        pass
    return len(api.calls)


def _let_the_list_end() -> None:
    for thread in threading.enumerate():
        if thread.name == "ipymlops-listing":
            thread.join()


def _session(folder: Path, env: dict[str, str]) -> Context:
    folder.mkdir(parents=True)
    return open_context(folder, os.environ | env, sys.executable, NoScreen(), home=folder / "home")


def _keys(env: dict[str, Any]) -> tuple[str, ...]:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION")
    return tuple(str(env[name]) for name in names)
