"""What a developer types: the demo shows the main job, and what the tests need is installed or named."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import as_json, module_names, table
from tests.bench.row import Row

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare_path(tmp_path) -> Path:
    """A PATH with a shell and little else: no package manager, none of what the tests need."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("bash", "env", "dirname", "id", "cat", "mktemp", "rm"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def test_the_demo_prints_the_card_the_log_the_metrics_and_the_files(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py"], cwd=tmp_path, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    shown = [line.strip() for line in done.stdout.splitlines()]
    order = ["● running  train-1", "│ epoch 1 loss", "│ epoch 10 loss", "✓ succeeded  train-1", "{'accuracy': 0.9"]
    order += ["nothing: the platform has this code already", "✓ succeeded  train-2", "results/report.json"]
    places = [next(at for at, line in enumerate(shown) if part in line) for part in order]
    assert places == sorted(places)


def test_what_cannot_be_installed_is_named_with_its_line_and_fails(bare_path):
    script = ROOT / "scripts" / "system_packages.sh"
    done = subprocess.run([script, "no-such-package"], env={"PATH": str(bare_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "missing from this machine: no-such-package",
        "  fix: sudo apt-get install no-such-package",
    ]


def test_every_target_is_listed_and_ci_runs_the_same_two():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        *("help", "demo", "test", "check", "bench", "lab", "live"),
    ]
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make check test"
    assert (
        "--durations 20"
        in subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )


def test_the_table_of_make_bench_fails_what_is_over_its_budget_or_has_no_peer():
    rows = [
        Row("quick", 1.0, "ms", 2, 3, peer="cp", peer_value=2.0),
        Row("slow", 3.0, "ms", 2, 3),
        Row("too few", 3.0, "lines/s", 5, 3, is_at_least=True),
        Row("alone", 1.0, "ms", 2, 3, peer="cp"),
        Row("broken", float("nan"), "", 0, 0),
    ]
    assert [line.split()[0] for line in table(rows).splitlines()[1:]] == ["ok", "FAIL", "FAIL", "FAIL", "FAIL"]
    document = json.loads(as_json(rows))
    assert (document["ok"], [row["ok"] for row in document["rows"]]) == (False, [True, False, False, False, False])
    assert (document["rows"][0]["ratio"], document["rows"][4]["value"]) == (2.0, "nan")


def test_every_budget_has_its_module():
    assert set(module_names([])) == {
        "control",
        "display",
        "doors",
        "faults",
        "interrupts",
        "runtime",
        "sagemaker",
        "sagemaker_list",
        "source",
        "store",
    }
    with pytest.raises(SystemExit, match="no bench is called nope"):
        module_names(["nope"])
