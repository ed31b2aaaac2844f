"""The command: what goes where, and the exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipymlops.cli import main, python_of
from ipymlops.errors import (
    FollowInterrupted,
    JobDidNotSucceed,
    NotSignedIn,
    PlatformProblem,
    UsageProblem,
)
from ipymlops.verbs import jobs


def raising(error):
    def run(options, context):
        raise error

    return run


@pytest.fixture
def folder(repo, monkeypatch) -> Path:
    monkeypatch.chdir(repo)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    return repo


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (JobDidNotSucceed("job 1 failed"), 1),
        (UsageProblem("no"), 2),
        (PlatformProblem("refused"), 3),
        (NotSignedIn("who?"), 4),
        (FollowInterrupted("detached"), 130),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "/x"), 3),
        (RuntimeError("bug"), 3),
    ],
)
def test_the_exit_status_tells_what_happened(error, status, folder, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "run", raising(error))
    assert main(["jobs"]) == status
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("error", [UsageProblem("no", why="w", fix="f"), OSError(28, "full"), RuntimeError("bug")])
def test_every_error_is_one_json_document_where_json_was_asked_for(error, folder, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "run", raising(error))
    main(["jobs", "--json"])
    assert json.loads(capsys.readouterr().out)["error"].keys() == {"what", "why", "fix"}


def test_json_may_come_first_and_even_where_the_line_is_wrong(folder, capsys):
    assert main(["--json", "jobs"]) == 0
    assert json.loads(capsys.readouterr().out)["jobs"] == []
    assert main(["jobs", "--nope", "--json"]) == 2
    assert "--nope" in json.loads(capsys.readouterr().out)["error"]["what"]


def test_a_scripts_own_json_flag_is_the_scripts(folder, capsys):
    assert main(["train", "--nope", "train.py", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--nope" in captured.err


def test_a_plan_is_the_promised_document_and_starts_nothing(folder, home, capsys):
    assert main(["train", "--plan", "--json", "train.py", "--lr", "1"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert set(plan) == {
        "platform",
        "machine_type",
        "accelerator",
        "accelerator_count",
        "asked_count",
        "nodes",
        "usd_per_hour",
        "price_as_of",
        "max_runtime_s",
        "max_cost_usd",
        "image",
        "code",
        "request",
    }
    assert set(plan["code"]) == {"tree", "files", "bytes", "to_send_bytes", "left_out"}
    assert plan["max_runtime_s"] == 24 * 3600
    assert not (home / "local").exists()


def test_help_needs_neither_a_repository_nor_a_store(tmp_path, monkeypatch, home, capsys):
    home.write_text("a file in the way")
    monkeypatch.chdir(tmp_path)
    for words in ([], ["help"], ["--help"], ["train", "--help"], ["jobs", "-h"], ["help", "secret"]):
        assert main(words) == 0
    assert "IPYMLOPS" in capsys.readouterr().out


def test_help_is_not_taken_from_the_script(folder, capsys):
    assert main(["train", "--plan", "--json", "train.py", "--help"]) == 0
    assert json.loads(capsys.readouterr().out)["request"]["command"][-1] == "--help"


def test_the_doctor_speaks_even_where_nothing_opens(folder, home, capsys):
    home.mkdir()
    (home / "config.toml").write_text("=")
    assert main(["doctor", "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert not report["ok"]
    assert report["checks"][0]["id"] == "ipymlops.open"


def test_the_python_of_a_job_is_the_users_never_ours(tmp_path):
    env, conda, path = (tmp_path / name for name in ("env", "conda", "path"))
    for python in (env / "bin" / "python", conda / "bin" / "python", path / "python3"):
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)
    everything = {"VIRTUAL_ENV": str(env), "CONDA_PREFIX": str(conda), "PATH": str(path)}
    assert python_of(everything) == str(env / "bin" / "python")
    assert python_of(everything | {"VIRTUAL_ENV": ""}) == str(conda / "bin" / "python")
    assert python_of({"PATH": str(path)}) == str(path / "python3")
    assert python_of({"PATH": str(tmp_path)}) == ""


def test_without_any_python_the_remedy_is_told(folder, monkeypatch, capsys):
    git = Path(folder, "bin", "git")
    git.parent.mkdir()
    git.symlink_to(subprocess.run(["bash", "-c", "command -v git"], capture_output=True, text=True).stdout.strip())
    monkeypatch.delenv("VIRTUAL_ENV")
    monkeypatch.setenv("PATH", str(git.parent))
    assert main(["train", "--plan", "train.py"]) == 2
    assert "VIRTUAL_ENV" in capsys.readouterr().err


def test_a_job_that_was_only_sent_says_how_to_follow_it(folder, capsys):
    assert main(["train", "--", "sleep", "60"]) == 0
    sent = capsys.readouterr()
    assert sent.out == ""
    assert sent.err.endswith("  next: ipymlops logs 1 -f\n")
    assert main(["stop", "1"]) == 0
    assert main(["wait", "1"]) == 1
    capsys.readouterr()
    assert main(["train", "--wait", "train.py"]) == 0
    assert "next:" not in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_the_command_quietly(folder):
    line = f"{sys.executable} -m ipymlops help train | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stdout.startswith("train [options]")
    assert "Traceback" not in done.stderr


def test_bytes_that_are_no_text_stay_bytes_in_any_locale(folder):
    line = [sys.executable, "-m", "ipymlops", "train", "--plan", "--json", "train.py", b"a\xff\xc3\xa9"]
    for locale in ("C", "C.UTF-8", "POSIX"):
        env = os.environ | {"LC_ALL": locale}
        plan = json.loads(subprocess.run(line, check=True, capture_output=True, env=env).stdout)
        assert plan["request"]["command"][-1] == "a\udcffé"
