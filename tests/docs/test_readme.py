"""What README.md and CONTRIBUTING.md tell a user to type works."""

import re
import shlex
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement

from ipymlops.verbs import VERBS

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


def blocks(document: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


def commands(document: str) -> list[list[str]]:
    """The words of every line of its shell blocks."""
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_the_first_two_commands_are_demo_and_test():
    assert commands("README.md")[:2] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_target_of_make_that_is_named_exists(document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / document).read_text()))
    named |= {words[1] for words in commands(document) if words[0] == "make"}
    assert named
    assert named <= targets


def test_every_extra_that_is_named_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = [words[2] for words in commands("README.md") if words[:2] == ["pip", "install"]]
    assert asked
    for what in asked:
        assert what == "." or Requirement(what).extras <= set(extras)


def test_the_shell_lines_run_in_order(digits):
    lines = [words for words in commands("README.md") if words[0] == "ipymlops"]
    assert len(lines) >= 5
    for words in lines:
        done = subprocess.run(words, cwd=digits, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


def test_the_notebook_lines_run_in_order(digits):
    (lines,) = blocks("README.md", "ipython")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line) for line in lines.splitlines() if line])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(digits)}}).execute()
    assert (digits / "results" / "report.json").exists()


def test_the_python_lines_run(digits):
    (code,) = blocks("README.md", "python")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code), nbformat.v4.new_code_cell("job.id")])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(digits)}}).execute()


def test_the_table_of_verbs_is_the_table_of_verbs():
    rows = re.findall(r"^\| (`[a-z]+[^|]*) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z]+)", row)]
    assert named == list(VERBS)


def test_links_lead_somewhere():
    for document in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text()):
            assert (ROOT / target).exists(), f"{document}: {target}"
