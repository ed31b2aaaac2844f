"""One line, four doors: the magic, the cell magic, the command and the Python function do the same."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import ipymlops
from ipymlops.errors import JobDidNotSucceed

LINES = [
    ["train.py"],
    ["train.py", "--lr", "3e-4", "--lr", "3e-4", "--flag", ""],
    ["--name", "first", "train.py", "--name", "second"],
    ["--env=A=b c", "--env", "B=$HOME {x}", "--label", "k=v", "train.py", "a 'b'", '"c"', "*", "~"],
    ["--metric", r"loss=loss=(\S+)", "--max-runtime", "4h", "--nodes", "2", "train.py"],
    ["--max-cost", "50", "."],
    ["."],
    [],
    ["-m", "pkg.mod", "-m", "x"],
    ["--", "ls", "-l", "--json"],
    ["train.py", "--plan", "--json", "--", "-f"],
    ["train.py", "{{lr}}", "{{{{", "${x}", '{"a": {"b": 1}}'],
]

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
ODD = st.sampled_from(
    ["", " ", "'", '"', "\\", "$x", "{x}", "{{x}}", "{{{{x}}}}", "*", "--json", "--", "-f", "#", "é", "\x7f"]
)
WORDS = st.lists(st.one_of(st.text(CHARACTERS, max_size=12), ODD), max_size=6)
ECHO = "import json, os, sys\nprint(json.dumps(sys.argv[1:]), flush=True)\n"


@pytest.fixture
def folder(repo, monkeypatch) -> Path:
    monkeypatch.chdir(repo)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    (repo / "train.py").write_text(ECHO)
    return repo


@pytest.fixture(autouse=True)
def shell(folder) -> Iterator[InteractiveShell]:
    """A user's IPython; the Python functions find it, as they do in a notebook."""
    quiet = Config()
    quiet.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=quiet)
    assert shell.run_cell("%load_ext ipymlops").success
    yield shell
    shell.run_line_magic("unload_ext", "ipymlops")
    InteractiveShell.clear_instance()


def quoted(word: str) -> str:
    """A word as it is typed in a notebook line."""
    if word.startswith("{{"):
        word = "{{" + word + ("}}" if word.endswith("}}") else "")
    return shlex.quote(word)


def through_magic(shell: InteractiveShell, words: list[str], capsys: Any) -> Any:
    line = " ".join(["train --plan --json", *(quoted(word) for word in words)])
    shell.run_line_magic("mlops", line)
    return json.loads(capsys.readouterr().out)


def through_cell(shell: InteractiveShell, words: list[str], body: list[str], capsys: Any) -> Any:
    line = " ".join(["train --plan --json", *(quoted(word) for word in words)])
    shell.run_cell_magic("mlops", line, "".join(f"{one}\n" for one in body))
    return json.loads(capsys.readouterr().out)


def through_command(words: list[str]) -> Any:
    line = [sys.executable, "-m", "ipymlops", "train", "--plan", "--json", *words]
    return json.loads(subprocess.run(line, check=True, capture_output=True).stdout)


def through_python(words: list[str]) -> Any:
    return json.loads(json.dumps(ipymlops.train("--plan", *words).to_json()))


def told(plan: Any) -> Any:
    """The plan without what two moments may tell apart."""
    plan["request"]["command"] = [
        os.path.realpath(word) if "/" in word else word for word in plan["request"]["command"]
    ]
    return plan


@pytest.mark.parametrize("words", LINES, ids=[" ".join(words) or "nothing" for words in LINES])
def test_one_line_means_the_same_through_every_door(words, folder, shell, capsys):
    expected = told(through_command(words))
    assert told(through_magic(shell, words, capsys)) == expected
    assert told(through_python(words)) == expected
    if words and all("\n" not in word for word in words):
        cut = next((at for at, word in enumerate(words) if word in {"train.py", ".", "--"}), None)
        if cut is not None and words[cut + 1 :]:  # IPython wants a body
            assert told(through_cell(shell, words[: cut + 1], words[cut + 1 :], capsys)) == expected


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(argv=WORDS)
def test_any_arguments_pass_through_every_door(argv, folder, shell, capsys):
    def argv_of(plan: Any) -> list[str]:
        command: list[str] = plan["request"]["command"]
        return command[2:]

    assert argv_of(through_magic(shell, ["train.py", *argv], capsys)) == argv
    assert argv_of(through_python(["train.py", *argv])) == argv
    assert argv_of(through_command(["train.py", *argv])) == argv
    if argv and all("\n" not in word for word in argv):
        assert argv_of(through_cell(shell, ["train.py"], argv, capsys)) == argv


def test_options_of_the_function_are_those_of_the_line(folder):
    by_keyword = ipymlops.train(
        "train.py",
        "--lr",
        3e-4,
        plan=True,
        name="n",
        env={"A": 1},
        label=["a=b", "c=d"],
        nodes=2,
        max_runtime="4h",
        max_cost=50,
        data={"d": folder},
        again=False,
    )
    line = "--plan --name n --env A=1 --label a=b --label c=d --nodes 2 --max-runtime 4h --max-cost 50"
    by_line = ipymlops.train(*line.split(), f"--data=d={folder}", "train.py", "--lr", "0.0003")
    assert by_keyword == by_line


def test_the_script_gets_the_same_bytes_through_every_door(folder, shell):
    argv = ["--lr", "3e-4", "", "a b", "'", '"', "$HOME", "{x}", "{{x}}", "*", "é", "\udcff", "--", "-f"]
    line = " ".join(["train --again --name m train.py", *(quoted(word) for word in argv)])
    shell.run_line_magic("mlops", line)
    shell.run_cell_magic("mlops", "train --again --name c train.py", "\n".join(argv))
    ipymlops.train("train.py", *argv, name="p", again=True)
    command = [sys.executable, "-m", "ipymlops", "train", "--again", "--name", "s", "train.py", *argv]
    subprocess.run([os.fsencode(word) for word in command], check=True)

    assert [one.state.value for one in ipymlops.wait("m", "c", "p", "s")] == ["succeeded"] * 4
    for name in "mcps":
        line = [sys.executable, "-m", "ipymlops", "logs", name]
        assert json.loads(subprocess.run(line, check=True, capture_output=True).stdout) == argv


def test_a_failed_job_stops_run_all_and_ends_the_command_with_1(folder, shell, capfd):
    (folder / "train.py").write_text("raise SystemExit(3)\n")
    ran = shell.run_cell("%mlops train --wait train.py")
    assert type(ran.error_in_exec).__name__ == "JobDidNotSucceed"
    line = [sys.executable, "-m", "ipymlops", "wait", "last", "--json"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 1
    [job] = json.loads(done.stdout)["jobs"]
    assert (job["state"], job["exit_code"]) == ("failed", 3)
    assert "did not succeed: failed, exit code 3" in done.stderr


def test_the_job_of_a_line_is_alive(folder, shell):
    assert shell.run_cell("job = %mlops train train.py a").success
    job = shell.user_ns["job"]
    assert job.argv == ("a",)
    job.wait()
    assert job.state.value == "succeeded"
    assert job.is_final
    assert job.to_json()["number"] == job.number
    assert job.show().job == job.record
    assert job.artifacts().files == ()
    assert job.stop() == job
    with pytest.raises(AttributeError, match="no 'colour'"):
        job.colour  # noqa: B018


def test_an_identical_live_job_is_given_back(folder):
    (folder / "train.py").write_text("import time\ntime.sleep(600)\n")
    first = ipymlops.train("train.py")
    try:
        assert ipymlops.train("train.py", name="other") == first
        assert ipymlops.train("train.py", again=True) != first
    finally:
        ids = [job.id for job in ipymlops.jobs()]
        ipymlops.stop(*ids)
        with pytest.raises(JobDidNotSucceed, match="stopped, as its user asked"):
            ipymlops.wait(*ids)
