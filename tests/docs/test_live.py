"""`make live` spends nothing that was not asked for, and never more than its cap."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipymlops.spec import JobSpec, Plan
from tests.live.spending import Spending, TooDear

ROOT = Path(__file__).parents[2]


def live(**variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "tests.live"], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True
    )


def test_without_being_asked_it_runs_nothing_and_says_so():
    done = live()
    assert done.returncode == 0
    assert "nothing was spent" in done.stdout


def test_a_platform_without_live_tests_is_refused_by_name():
    done = live(PLATFORM="local")
    assert done.returncode == 2
    assert "local" in done.stderr
    assert "make live PLATFORM=sagemaker" in done.stderr


def test_no_job_is_sent_that_could_pass_the_cap():
    spending, spec = Spending(1.0), JobSpec("train.py")
    half = Plan("sagemaker", usd_per_hour=1.0, max_runtime_s=1800)
    spending.allow(half, spec)
    spending.allow(half, spec)
    with pytest.raises(TooDear, match="nothing was sent"):
        spending.allow(half, spec)
    with pytest.raises(TooDear, match="not known"):
        spending.allow(Plan("sagemaker", machine_type="ml.m5.large"), spec)
    assert spending.usd == 1.0
