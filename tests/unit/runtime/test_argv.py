"""argv byte for byte, and the way a script is run."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipymlops.runtime.config import MAX_WORD_BYTES
from tests.unit.runtime.launched import Launched

DUMP = """
import os, sys
with open(os.path.join(os.environ["IPYMLOPS_OUTPUT_DIR"], "argv"), "wb") as file:
    file.write(b"".join(os.fsencode(word) + b"\\0" for word in sys.argv[1:]))
"""
EVERYTHING = [
    "--flag",
    "--flag",
    "",
    " ",
    "a b",
    "'",
    '"',
    "\n",
    "\r\n",
    "é",
    "日本",
    "$HOME",
    "{x}",
    "*",
    "--",
    "-m",
    "\udcff",
]
count = itertools.count()
words = st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


def seen(job: Launched, argv: list[str], **changes: object) -> list[str]:
    """What a script finds in its argv."""
    job.run(job.config({"train.py": DUMP}, argv=argv, **changes))
    assert job.result["exit_code"] == 0, job.log
    raw = (job.folder / "output" / "argv").read_bytes()
    return [word.decode("utf-8", "surrogateescape") for word in raw.split(b"\0")[:-1]]


def test_every_odd_word_arrives(job):
    assert seen(job, EVERYTHING) == EVERYTHING


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(argv=st.lists(words, max_size=60))
def test_any_argv_arrives_byte_for_byte(tmp_path, zip_path, argv):
    assert seen(Launched(tmp_path / f"job-{next(count)}", zip_path), argv) == argv


def test_the_locale_changes_no_byte(job):
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    job.run(job.config({"train.py": DUMP}, argv=["é\udcff"]), env=locale)
    assert (job.folder / "output" / "argv").read_bytes() == b"\xc3\xa9\xff\0"


def test_ten_thousand_arguments_arrive(job):
    argv = [f"--option-{index}" for index in range(10_000)]
    assert seen(job, argv) == argv


def test_the_longest_argument_that_linux_takes_arrives(job):
    assert seen(job, ["x" * MAX_WORD_BYTES]) == ["x" * MAX_WORD_BYTES]


def test_a_longer_argument_is_refused_with_the_limit(job):
    code, _, _ = job.run(job.config({"train.py": DUMP}, argv=["ok", "é" * 65_536]))
    assert (code, job.result["end_reason"]) == (70, "platform_error")
    assert job.result["error"]["what"] == "argument 2 is too long"
    assert "131,072 bytes; Linux allows 131,071" in job.result["error"]["why"]


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_a_word_that_no_process_can_be_given_is_refused(job, word):
    job.run(job.config({"train.py": DUMP}, argv=[word]))
    assert job.result["error"]["what"].startswith("no process can be given")
    assert not (job.folder / "output" / "argv").exists()


def test_arguments_that_are_too_many_are_told_as_that(job):
    code, _, _ = job.run(job.config({"train.py": DUMP}, argv=["x" * 131_000] * 100))
    assert (code, job.result["end_reason"]) == (126, "exit_code")
    assert job.result["error"]["what"] == "the arguments are too many"


def test_a_module_runs_with_its_package(job):
    files = {"sub/pkg/__init__.py": "", "sub/pkg/mod.py": "import sys\nprint(__name__, __package__, sys.argv[1:])"}
    job.run(job.config(files, script="-m pkg.mod", argv=["-m", "x"], workdir="sub"))
    assert job.log == b"__main__ pkg ['-m', 'x']\n"


def test_a_script_whose_name_begins_with_a_dash_is_no_option(job):
    job.run(job.config({"-c": "print('ran')"}, script="-c"))
    assert job.log == b"ran\n"


def test_a_script_runs_in_its_folder_of_the_snapshot(job):
    job.run(job.config({"a b/train.py": "import os; print(os.getcwd())"}, workdir="a b"))
    assert job.log.decode() == f"{job.folder}/code/a b\n"


def test_a_command_is_found_on_the_path(job):
    job.run(job.config({"x": ""}, script=None, argv=["sh", "-c", "echo $0-$1; exit 3", "zero", "one"]))
    assert (job.log, job.result["exit_code"]) == (b"zero-one\n", 3)


def test_a_program_of_the_snapshot_runs_as_a_command(job):
    job.run(job.config({"bin/go*": "#!/bin/sh\necho went"}, script=None, argv=["bin/go"]))
    assert job.log == b"went\n"


@pytest.mark.parametrize(
    ("argv", "code", "what"),
    [
        (["no-such-command-anywhere"], 127, "the command was not found: 'no-such-command-anywhere'"),
        (["./none"], 127, "the command was not found: './none'"),
        (["./plain"], 126, "the command cannot be run: './plain'"),
        (["./empty"], 126, "the command cannot be run: './empty'"),
    ],
)
def test_a_command_that_cannot_run_says_why(job, argv, code, what):
    process_code, _, _ = job.run(job.config({"plain": "x", "empty*": "\x01\x02"}, script=None, argv=argv))
    assert process_code == code
    assert (job.result["exit_code"], job.result["end_reason"]) == (code, "exit_code")
    assert job.result["error"]["what"] == what
    assert job.result["error"]["why"]
    assert job.result["error"]["fix"]


def test_another_interpreter_runs_the_script(job, tmp_path):
    other = tmp_path / "my python"
    other.write_text('#!/bin/sh\necho other "$@"\n')
    other.chmod(0o755)
    job.run(job.config({"train.py": ""}, python=str(other), argv=["1"]))
    assert job.log == b"other train.py 1\n"


def test_the_configuration_file_is_not_changed(job):
    config = job.config({"train.py": ""})
    job.run(config)
    assert json.loads(Path(job.folder / "config.json").read_text()) == config
