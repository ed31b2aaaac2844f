"""Ctrl-C at any moment of a `train` line: one sentence, and the line run again has one job. `make bench` tries more."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS = 10


def test_interrupted_at_any_step_a_line_says_so_and_run_again_has_one_job(tmp_path):
    words = [sys.executable, "-m", "tests.bench.interrupts", str(tmp_path / "interrupts"), str(STEPS)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in outcomes if not one["is_right"]] == []
    assert len(outcomes) == STEPS
    assert sum(one["status"] == 130 for one in outcomes) > STEPS / 2
