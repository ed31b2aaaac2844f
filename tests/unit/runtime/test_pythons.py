"""The same launcher on every Python from 3.8 on that starts on this machine."""

from __future__ import annotations

import pytest

from tests.unit.runtime.launched import pythons

TRAIN = """
import json, os, signal, sys, threading
print("argv", json.dumps(sys.argv[1:]), os.environ["TOKEN"], flush=True)
print("\\x1b[32mloss=2.5e-1\\x1b[0m\\rloss=1.5e-1", flush=True)
with open(os.environ["IPYMLOPS_METRICS_FILE"], "a") as file:
    file.write('{"step": 3, "val_loss": 0.21}\\n')
def inner():
    raise ValueError("bad")
try:
    inner()
except ValueError as error:
    raise RuntimeError("worse") from error
"""


@pytest.mark.parametrize("python", pythons().values())
def test_the_launcher_keeps_its_promises_on_this_python(job, python):
    config = job.config(
        {"train.py": TRAIN},
        argv=["", "é\udcff", "a b"],
        secret_names=["TOKEN"],
        metric_patterns=[["loss", r"loss=(\S+)"]],
    )
    code, out, err = job.run(config, python=python, stdin=b'{"TOKEN": "hunter2hunter2"}\n')
    assert (code, out, err) == (1, b"", b"")
    assert b'argv ["", "\\u00e9\\udcff", "a b"] ***\n' in job.log
    assert job.result["metrics"] == {"loss": 0.15, "val_loss": 0.21}
    error = job.result["error"]
    assert (error["what"], error["file"], error["line"]) == ("RuntimeError: worse", "train.py", 12)
    assert "ValueError: bad" in error["traceback"]


@pytest.mark.parametrize("python", pythons().values())
def test_a_stop_reaches_the_script_on_this_python(job, python):
    script = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('ready', flush=True)\ntime.sleep(600)"
    process = job.start(job.config({"train.py": script}), python=python)
    job.said(b"ready\n")
    job.state.ask_to_stop()
    process.terminate()
    assert process.wait(60) == 7
    assert (job.result["end_reason"], job.result["exit_code"]) == ("user", 7)
