"""`%mlops` in a real IPython: what the line means, what an error looks like, and what loading costs."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import ipymlops


@pytest.fixture
def folder(repo, monkeypatch) -> Path:
    monkeypatch.chdir(repo)
    return repo


@pytest.fixture
def shell(folder) -> Iterator[InteractiveShell]:
    quiet = Config()
    quiet.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=quiet)
    assert shell.run_cell("%load_ext ipymlops").success
    yield shell
    InteractiveShell.clear_instance()


def argv(capsys) -> list[str]:
    """What the script would get, from the plan that was just printed."""
    return json.loads(capsys.readouterr().out)["request"]["command"][2:]


def test_nothing_is_expanded_but_whole_words_in_double_braces(shell, capsys):
    shell.user_ns.update(lr=3e-4, name="a b", raw=b"\xff", where=Path("/x"))
    cell = "%mlops train --plan --json train.py $lr {lr} {{lr}} {{name}} {{raw}} {{where}} x{{lr}} {{{{lr}}}}"
    assert shell.run_cell(cell).success
    assert argv(capsys) == ["$lr", "{lr}", "0.0003", "a b", "\udcff", "/x", "x{{lr}}", "{{lr}}"]


def test_a_cells_lines_arrive_verbatim(shell, capsys):
    cell = "%%mlops train --plan --json train.py --first\n--lr 3e-4\n\n 'x' \"y\" $z {lr} {{lr}} \\\n# no comment\n\n"
    assert shell.run_cell(cell).success
    assert argv(capsys) == ["--first", "--lr 3e-4", "", " 'x' \"y\" $z {lr} {{lr}} \\", "# no comment", ""]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%mlops trian", ["'trian'", "did you mean train?", "fix: %mlops train"]),
        ("%mlops train --nam x train.py", ["--nam", "fix: %mlops train --name x train.py"]),
        ("%%mlops train --nam x train.py\na", ["--nam", "fix: %%mlops train --name x train.py"]),
        ("%mlops train train.py {{nope}}", ["'nope'", "notebook variable"]),
        ("%mlops train train.py {{1+1}}", ["'1+1'", "no expression"]),
        ("%mlops jobs don't", ["apostrophe", "character 9"]),
        ("%%mlops jobs\nx", ["cell body"]),
        ("%%mlops train train.py\na\0b", ["argument 1", "NUL"]),
    ],
)
def test_an_error_is_short_catchable_and_stops_the_cell(cell, says, shell, capsys):
    ran = shell.run_cell(f"{cell}")
    assert isinstance(ran.error_in_exec, ipymlops.errors.UsageProblem)
    shown = capsys.readouterr().out
    assert "Traceback" not in shown
    assert len(shown.strip().splitlines()) <= 3
    for word in says:
        assert word in shown


def test_an_error_is_a_json_document_too(shell, capsys):
    ran = shell.run_cell("%mlops show 99 --json")
    assert ran.error_in_exec is not None
    first, *_ = capsys.readouterr().out.splitlines()
    assert json.loads(first)["error"]["what"] == ran.error_in_exec.what


def test_an_interrupt_at_any_moment_is_short_too(shell, monkeypatch, capsys):
    monkeypatch.setattr("ipymlops.verbs.jobs.run", lambda *_: signal.raise_signal(signal.SIGINT))
    ran = shell.run_cell("%mlops jobs")
    assert type(ran.error_in_exec).__name__ == "FollowInterrupted"
    assert [line.split(":")[0].strip() for line in capsys.readouterr().out.strip().splitlines()] == [
        "FollowInterrupted",
        "why",
        "fix",
    ]


def test_an_error_can_be_caught(shell, capsys):
    cell = "import ipymlops.errors\ntry:\n    get_ipython().run_line_magic('mlops', 'show 99')\n"
    cell += "except ipymlops.errors.UnknownJob as error:\n    print('caught', error.exit_code)\n"
    assert shell.run_cell(cell).success
    assert capsys.readouterr().out == "caught 2\n"


def test_the_folder_is_the_notebooks_of_this_moment(shell, folder, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.py").write_text("")
    shell.run_cell("%mlops train --plan --json train.py")
    capsys.readouterr()
    shell.run_cell(f"import os; os.chdir({str(other)!r})")
    assert shell.run_cell("%mlops train --plan --json b.py").success


def test_the_functions_of_a_notebook_share_its_records(shell):
    assert shell.run_cell("import ipymlops as mlops\nrows = mlops.jobs()").success
    assert len(shell.user_ns["rows"]) == 0


def test_unloading_takes_the_magic_away_and_loading_brings_it_back(shell):
    shell.run_line_magic("unload_ext", "ipymlops")
    assert "mlops" not in shell.magics_manager.magics["line"]
    assert "mlops" not in shell.magics_manager.magics["cell"]
    shell.run_line_magic("load_ext", "ipymlops")
    assert "mlops" in shell.magics_manager.magics["line"]


HEAVY = [
    "boto3",
    "botocore",
    "google",
    "sagemaker",
    "ray",
    "docker",
    "git",
    "keyring",
    "ipywidgets",
    "anywidget",
    "pandas",
    "numpy",
    "sqlite3",
    "tomlkit",
]


def test_loading_imports_nothing_heavy():
    program = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "from traitlets.config import Config\nquiet = Config()\nquiet.HistoryManager.enabled = False\n"
        "shell = InteractiveShell.instance(config=quiet)\nbefore = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'ipymlops')\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "ipymlops.magics" in loaded
    assert not [name for name in loaded if name.split(".")[0] in HEAVY]
    assert "ipymlops.verbs.train" not in loaded


def test_importing_the_package_imports_almost_nothing():
    program = "import sys\nbefore = set(sys.modules)\nimport ipymlops\nprint(*sorted(set(sys.modules) - before))\n"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [name for name in done.stdout.split() if name.startswith("ipymlops")] == ["ipymlops"]
