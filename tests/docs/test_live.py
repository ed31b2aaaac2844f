"""`make live` spends nothing that was not asked for, and is honest about what there is."""

import os
import subprocess
import sys
from pathlib import Path

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
    done = live(IPYMLOPS_LIVE="sagemaker")
    assert done.returncode == 2
    assert "sagemaker" in done.stderr
