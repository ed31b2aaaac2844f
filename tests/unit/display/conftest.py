from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ipymlops.job import Job, JobId, JobState
from ipymlops.spec import Intent, JobSpec, LeftOut, Plan, Snapshot

SUBMITTED = datetime(2026, 12, 1, 3, 0, tzinfo=timezone.utc)


@pytest.fixture
def now() -> datetime:
    return SUBMITTED + timedelta(minutes=4, seconds=15)


@pytest.fixture
def job() -> Job:
    return Job(
        JobId("j123456789abcdef"),
        "train-7",
        "docker",
        SUBMITTED,
        number=7,
        state=JobState.RUNNING,
        started_at=SUBMITTED + timedelta(seconds=3),
        script="train.py",
        argv=("--lr", "3e-4", "a b"),
        commit="1125fd2" + "0" * 33,
        tree="f" * 40,
        dirty=True,
        branch="main",
        accelerator="a100",
        accelerator_count=8,
        usd_per_hour=3.06,
        metrics={"loss": 0.25},
        labels={"exp": "one"},
        user="ada",
        url="https://console.example/7",
    )


@pytest.fixture
def intent() -> Intent:
    code = Snapshot(
        tree="f" * 40,
        commit="1125fd2" + "0" * 33,
        branch="main",
        dirty=True,
        root="/repo",
        git_dir="/repo/.git",
        snapshot_commit="c" * 40,
        files=42,
        bytes=1_300_000,
        changed=("a.py", "b.py", "c.py", "d.py"),
        left_out=(LeftOut("small", 2_000, ".ipymlopsignore:1"), LeftOut("data/big.bin", 3_200_000_000, ".gitignore:3")),
        warnings=("x.bin is a pointer, its content is not here",),
    )
    plan = Plan(
        "docker",
        machine_type="big-8",
        accelerator="a100",
        accelerator_count=8,
        asked_count=2,
        usd_per_hour=3.06,
        price_as_of="2026-11-20",
        image="python:3.12",
        request={"Image": "python:3.12"},
        notes=("the cheapest with a100",),
    )
    return Intent(JobSpec("train.py", ("--lr", "3e-4"), gpu="a100:2"), plan, code)
