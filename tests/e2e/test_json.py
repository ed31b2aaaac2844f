"""`--json`: one document on stdout for every verb, of the promised form; what scripts of other people read."""

import json
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ipymlops.cli import main
from ipymlops.verbs import VERBS

SCRIPT = r"""
import json, os, sys
with open(os.environ["IPYMLOPS_METRICS_FILE"], "a") as file:
    for loss in (0.5, float("nan"), float("inf")):
        file.write(json.dumps({"step": 1, "loss": loss, "accuracy": 1.5e-3}) + "\n")
os.makedirs(os.environ["IPYMLOPS_OUTPUT_DIR"] + "/deep")
open(os.environ["IPYMLOPS_OUTPUT_DIR"] + "/deep/empty", "w").close()
sys.stdout.buffer.write(b"first \xff\x00\x1b[31m\n" + b"\n" + b"no end")
"""
JOB = [
    *("id", "number", "name", "platform", "state", "detail", "end_reason", "exit_code"),
    *("created_at", "started_at", "ended_at", "script", "argv"),
    *("machine_type", "accelerator", "accelerator_count", "nodes", "usd_per_hour", "cost_usd"),
    *("commit", "tree", "dirty", "branch", "user", "labels", "metrics", "url", "error"),
]
WORDS = ("--flag", "", "a b", "\udcff", "é")


@pytest.fixture
def mlops(repo, monkeypatch, capfdbinary):
    """`mlops("show", "1")`: the one document that the verb prints with `--json`."""
    monkeypatch.chdir(repo)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    (repo / "train.py").write_text(SCRIPT)

    def run(verb: str, *words: str, exit_code: int = 0):
        capfdbinary.readouterr()
        assert main([verb, "--json", *words]) == exit_code
        return json.loads(capfdbinary.readouterr().out)

    return run


@pytest.fixture
def job(mlops):
    """The document of a job that has succeeded."""
    return mlops("train", "--wait", "--label", "team=vision", "train.py", *WORDS)


def test_a_job_has_what_is_promised_and_nothing_is_guessed(job, mlops, repo, git):
    assert list(job) == JOB
    assert {key: job[key] for key in ("number", "name", "platform", "state", "exit_code", "end_reason", "nodes")} == {
        "number": 1,
        "name": "train-1",
        "platform": "local",
        "state": "succeeded",
        "exit_code": 0,
        "end_reason": None,
        "nodes": 1,
    }
    assert (job["script"], job["argv"], job["labels"]) == ("train.py", list(WORDS), {"team": "vision"})
    assert (job["dirty"], job["branch"]) == (True, "main")
    assert job["commit"] == git(repo, "rev-parse", "HEAD").strip()
    assert job["metrics"] == {"loss": "inf", "accuracy": 0.0015}
    assert [job[key] for key in ("machine_type", "accelerator", "url", "error")] == [None] * 4
    times = [
        datetime.fromisoformat(job[key].replace("Z", "+00:00")) for key in ("created_at", "started_at", "ended_at")
    ]
    assert all(moment.utcoffset() == timedelta(0) for moment in times)
    assert mlops("show", "1") == mlops("stop", "1") == job


def test_lists_of_jobs_are_documents_too(job, mlops):
    for verb, words in (("jobs", ()), ("wait", ("1",))):
        document = mlops(verb, *words)
        assert set(document) == {"jobs", "errors", "as_of"}
        assert (document["jobs"], document["errors"]) == ([job], [])


def test_a_module_and_a_command_are_named_as_promised(mlops):
    module = mlops("train", "--plan", "-m", "pkg.mod", "x")
    assert module["request"]["command"][1:] == ["-m", "pkg.mod", "x"]
    command = mlops("train", "--wait", "--", "sh", "-c", "exit 3", exit_code=1)
    assert (command["script"], command["argv"]) == (None, ["sh", "-c", "exit 3"])
    assert (command["state"], command["end_reason"], command["exit_code"]) == ("failed", "exit_code", 3)


def test_logs_are_lines_with_time_and_node(job, mlops, capfdbinary):
    document = mlops("logs", "1")
    texts = ["first \udcff\x00\x1b[31m", "", "no end"]
    assert document["job"] == job["id"]
    assert [(line["node"], line["text"]) for line in document["lines"]] == [(0, text) for text in texts]
    assert all(line["time"].endswith("Z") for line in document["lines"])
    assert main(["logs", "--json", "-f", "1"]) == 0
    assert [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()] == document["lines"]


def test_a_log_of_nothing_is_no_lines(mlops, repo, capfdbinary):
    (repo / "train.py").write_text("")
    mlops("train", "--wait", "train.py")
    assert mlops("logs", "1")["lines"] == []
    assert main(["logs", "1"]) == 0
    assert capfdbinary.readouterr().out == b""


def test_the_script_s_bytes_are_on_stdout_as_they_were(job, capfdbinary):
    assert main(["logs", "1"]) == 0
    assert capfdbinary.readouterr().out == b"first \xff\x00\x1b[31m\n\nno end\n"


def test_files_are_listed_with_size_and_time(job, mlops, tmp_path):
    listed = mlops("artifacts", "1")
    assert (set(listed), listed["job"]) == ({"job", "files"}, job["id"])
    [file] = listed["files"]
    assert (file["path"], file["bytes"], set(file)) == ("deep/empty", 0, {"path", "bytes", "modified_at"})
    assert mlops("artifacts", "1", "--to", str(tmp_path / "to")) == listed
    assert (tmp_path / "to" / "deep" / "empty").read_bytes() == b""


def test_every_other_verb_has_its_document(job, mlops, tmp_path):
    documents = {
        "doctor": (mlops("doctor", "local"), {"ok", "checks"}),
        "setup": (mlops("setup", "local", "--plan"), {"ok", "checks", "wanted", "written", "next", "stays", "offered"}),
        "config": (mlops("config"), {"settings"}),
        "gpus": (mlops("gpus", "k80"), {"machines"}),
        "diff": (mlops("diff", "1"), {"left", "right", "sections"}),
        "checkout": (mlops("checkout", "1", str(tmp_path / "code")), {"job", "path", "files"}),
        "help": (mlops("help", "secret"), {"text"}),
    }
    assert {verb: set(document) for verb, (document, _) in documents.items()} == {
        verb: keys for verb, (_, keys) in documents.items()
    }
    for check in documents["doctor"][0]["checks"]:
        assert set(check) == {"id", "status", "what", "why", "fix"}
        assert check["status"] in {"ok", "warn", "fail", "unknown"}
    assert {*documents, "train", "show", "stop", "jobs", "wait", "logs", "artifacts"} == set(VERBS)
    assert Path(os.environ["IPYMLOPS_HOME"], "config.toml").exists() is False
