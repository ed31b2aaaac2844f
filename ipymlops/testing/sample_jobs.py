"""Jobs for tests: a plain one, and one with every field set."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ipymlops.job import EndReason, Job, JobState, new_job_id
from ipymlops.spec import Intent, JobSpec, LeftOut, Plan, PlatformRef, Snapshot

NOON = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=timezone.utc)


def a_job(name: str = "", **fields: object) -> Job:
    """A job with an id of its own; any field can be given."""
    return replace(Job(new_job_id(), name, "local", NOON), **fields)  # type: ignore[arg-type]


def others_job(name: str, **fields: object) -> Job:
    """A job that another tool started, as a platform lists it."""
    job = a_job(name, platform="sagemaker", ref=PlatformRef(f"ref of {name}"), is_ours=False)
    return replace(job, **fields)  # type: ignore[arg-type]


def full_job() -> Job:
    """A job with every field set, to none that a careless store would give back by chance."""
    return Job(
        id=new_job_id(),
        name="näme \udce9",
        platform="sagemaker",
        created_at=NOON,
        state=JobState.FAILED,
        detail="Failed: \udcff",
        end_reason=EndReason.OUT_OF_MEMORY,
        exit_code=137,
        started_at=NOON + timedelta(seconds=1),
        ended_at=NOON + timedelta(seconds=2.000001),
        script="dir/tr\udcc3in.py",
        argv=("--lr", "3e-4", "", "\udcff\udcfe", "a\nb", "💥", '{"k": "$x"}'),
        machine_type="ml.g5.xlarge",
        accelerator="a10g",
        accelerator_count=4,
        nodes=2,
        usd_per_hour=1.408,
        commit="ab" * 20,
        tree="cd" * 20,
        dirty=True,
        branch="feature/ß",
        user="anna",
        labels={"team": "vision", "größe": ""},
        metrics={"loss": float("inf"), "acc": 0.25},
        url="https://example.org/job",
        error={"what": "KeyError: 'x'", "why": "", "fix": "", "line": 3, "traceback": "…"},
        ref=PlatformRef('{"arn": "x"}'),
        fingerprint="ef" * 32,
        max_runtime_s=3600,
    )


def an_intent() -> Intent:
    code = Snapshot("t" * 40, None, "main", True, "/r", "/r/.git", "c" * 40, 2, 10, ("a",), (LeftOut("b", 5, "size"),))
    spec = JobSpec("train.py", ("--x", "\udcff"), labels=(("a", "b"),))
    return Intent(spec, Plan("local", request={"a": [1, {"b": None}]}), code)
