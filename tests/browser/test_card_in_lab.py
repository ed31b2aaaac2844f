"""The card where users see it: a real JupyterLab in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_S

SCRIPT = """
import os, sys, time

while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
"""


@pytest.fixture
def end(repo: Path, tmp_path: Path) -> Iterator[Path]:
    """The file that the job waits for; there when the test is over, whatever happened in it."""
    (repo / "train.py").write_text(SCRIPT)
    path = tmp_path / "end"
    yield path
    path.touch()


def test_the_card_changes_in_place_and_the_saved_notebook_holds_its_last_state(
    end: Path, opened: Callable[..., Path], page: Page
):
    path = opened(f"%load_ext ipymlops\njob = %mlops train train.py {end}")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    output = page.locator(".jp-OutputArea-output")
    expect(output).to_contain_text("● running", timeout=PATIENCE_S * 1000)
    expect(output).to_contain_text("train-1")

    end.touch()
    expect(output).to_contain_text("✓ succeeded", timeout=PATIENCE_S * 1000)  # strict: more than one output is an error
    expect(output).not_to_contain_text("running")

    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    (cell,) = json.loads(path.read_text())["cells"]
    (card,) = cell["outputs"]
    for kind in ("text/html", "text/plain"):
        assert "✓ succeeded" in "".join(card["data"][kind])
