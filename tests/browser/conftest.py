"""A JupyterLab and a browser: started for one test, and ended by it, process by process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

PATIENCE_S = 120
"""How long anything may take before it counts as hung; a passing test never waits for it."""

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
OPTIONS += ("--disable-background-networking", "--disable-component-update")

NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}
OPENED = """() => {
  const app = window.jupyterapp;
  return app?.shell?.currentWidget?.sessionContext && app.commands.hasCommand('notebook:run-cell');
}"""
READY = """async () => {
  await window.jupyterapp.restored;
  const session = window.jupyterapp.shell.currentWidget.sessionContext;
  await session.ready;
  await session.session.kernel.info;
  await session.session.kernel.requestExecute({code: '0'}).done;
}"""
"""A cell that runs before the connection is up is lost."""


@pytest.fixture
def page() -> Iterator[Page]:
    """An empty page of a headless Chromium."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("missing from this machine: chromium; fix: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS, timeout=PATIENCE_S * 1000)
        try:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_S * 1000)
            yield page
        finally:
            browser.close()


@pytest.fixture
def lab(home: Path, repo: Path) -> Iterator[str]:
    """A JupyterLab whose root is `repo`: its address for a notebook, up to the notebook's name; then its token."""
    settings = home.parent / "lab-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(NO_NEWS))
    log = home.parent / "lab.log"
    # a folder with a short name, as kernels have their sockets there: ports are raced for by tests that run side by side
    with tempfile.TemporaryDirectory(prefix="lab") as runtime, log.open("wb") as output:
        env = {"JUPYTERLAB_SETTINGS_DIR": str(settings.parents[1]), "JUPYTER_RUNTIME_DIR": runtime}
        words = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--expose-app-in-browser"]
        words += [f"--ServerApp.root_dir={repo}", "--KernelManager.transport=ipc"]
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *words], env=os.environ | env, stdout=output, stderr=output
        )
        try:
            yield _address(server, Path(runtime))
        finally:
            _end(server)
            print(log.read_text(errors="replace"))  # pytest shows it if the test failed


@pytest.fixture
def opened(lab: str, page: Page, repo: Path) -> Callable[..., Path]:
    """`opened("code", ...)`: a notebook with these cells is open in the page, its kernel ready; returns its file."""

    def open_notebook(*cells: str) -> Path:
        path = repo / "look.ipynb"
        path.write_text(json.dumps(_notebook(cells)))
        page.goto(lab.format(name=path.name))
        page.wait_for_function(OPENED)
        page.evaluate(READY)
        return path

    return open_notebook


def _notebook(cells: tuple[str, ...]) -> dict[str, object]:
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    rows = [{**blank, "id": f"cell-{number}", "source": code} for number, code in enumerate(cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": rows, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _address(server: subprocess.Popen[bytes], runtime: Path) -> str:
    """Where the server says it listens, once it does."""
    told = runtime / f"jpserver-{server.pid}.json"
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        assert server.poll() is None, "JupyterLab ended at once"
        text = told.read_text() if told.exists() else ""
        if text.rstrip().endswith("}"):
            known = json.loads(text)
            return f"{known['url']}lab/tree/{{name}}?token={known['token']}"
        time.sleep(0.05)
    pytest.fail("JupyterLab did not start")


def _end(server: subprocess.Popen[bytes]) -> None:
    """Asked first, as it then ends its kernels; a kernel whose server is killed ends by itself."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
