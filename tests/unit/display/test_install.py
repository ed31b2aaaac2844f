from __future__ import annotations

import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipymlops.display import install
from ipymlops.display.terminal import TerminalScreen
from ipymlops.verbs.results import HelpText, JobList


@pytest.fixture
def shell():
    return InteractiveShell()


def test_results_show_as_html_and_text(shell, job, now):
    install(shell)
    data, _ = shell.display_formatter.format(JobList((job,), (), now))
    assert data["text/html"].startswith("<div")
    assert "● running" in data["text/plain"]
    data, _ = shell.display_formatter.format(HelpText("usage"))
    assert data["text/plain"] == "usage"


def test_a_job_that_a_cell_returns_shows_its_card_once(shell, job, capsys):
    screen = install(shell)
    assert isinstance(screen, TerminalScreen)
    shell.user_ns["job"] = job
    screen.card(job)
    shell.run_cell("job")
    assert capsys.readouterr().err.count("● running") == 1


def test_installing_twice_is_harmless(shell, job, now):
    install(shell)
    install(shell)
    data, _ = shell.display_formatter.format(JobList((job,), (), now))
    assert data["text/html"].count("● running") == 1


def test_installing_imports_nothing_that_shows_results():
    code = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
from ipymlops.display import install
install(shell)
print([name for name in sys.modules if name in {"ipymlops.display.html", "ipymlops.display.views", "xml.etree.ElementTree"}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
