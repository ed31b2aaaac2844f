"""A job's folder and the launchers that really run on it."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipymlops.runtime.state import State

PATIENCE_S = 60


def tar_of(files: dict[str, str | bytes]) -> bytes:
    """An uncompressed tar; a name that ends with `*` is a program."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", encoding="utf-8", errors="surrogateescape") as archive:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name.rstrip("*"))
            member.size, member.mode = len(content), 0o755 if name.endswith("*") else 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def eventually(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """The first true value of a condition; it may take as long as a busy machine takes."""
    ends_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_at:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come true in {PATIENCE_S} s")


def stat_of(pid: int | str) -> list[str]:
    """State, parent and so on of a process; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def lives(pid: int) -> bool:
    fields = stat_of(pid)
    return bool(fields) and fields[0] not in "ZX"


@functools.lru_cache(maxsize=1)
def pythons() -> dict[int, str]:
    """One interpreter for each minor version of Python 3 from 8 on that starts here, this one among them."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = {sys.version_info[1]: sys.executable}
    for minor in range(8, 21):
        candidates = [*map(str, sorted(versions.glob(f"3.{minor}.*/bin/python3"))), shutil.which(f"python3.{minor}")]
        for path in candidates:
            if minor not in found and path and _starts(path):
                found[minor] = path
    return dict(sorted(found.items()))


def _starts(python: str) -> bool:
    return subprocess.run([python, "-c", "import ctypes"], capture_output=True, check=False).returncode == 0


class Launched:
    """One job folder and the launchers started on it."""

    def __init__(self, folder: Path, zip_path: Path) -> None:
        self.folder, self.zip_path = folder, zip_path
        self.state = State(str(folder / "state"))
        self.processes: list[subprocess.Popen[bytes]] = []

    def config(self, files: dict[str, str | bytes] | bytes, **changes: Any) -> dict[str, Any]:
        """A configuration for a snapshot of these files; `train.py` is the script."""
        content = files if isinstance(files, bytes) else tar_of(files)
        archive = self.folder / "code.tar"
        self.folder.mkdir(parents=True, exist_ok=True)
        archive.write_bytes(content)
        names = ("data", "output", "tensorboard", "checkpoint", "state")
        return {
            "job_id": "j0123456789abcde",
            "job_name": "train-1",
            "platform": "local",
            "commit": "c0ffee",
            "archive": {"path": str(archive), "sha256": hashlib.sha256(content).hexdigest()},
            "code_dir": str(self.folder / "code"),
            "workdir": "",
            "script": "train.py",
            "argv": [],
            "python": None,
            "env": {},
            "secret_names": [],
            "metric_patterns": [],
            "data": {},
            **{name + "_dir": str(self.folder / name) for name in names},
            "log_path": str(self.folder / "log"),
            "live_root": None,
            "node_rank": 0,
            "nodes": 1,
            "main_address": "127.0.0.1",
            "deadline": None,
            "max_runtime_s": 600,
            "stop_grace_s": 30,
            **changes,
        }

    def start(
        self,
        config: dict[str, Any],
        *,
        python: str = sys.executable,
        stdin: bytes | None = b"",
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a launcher and come back at once; without `stdin` its standard input is an open pipe."""
        path = self.folder / "config.json"
        path.write_text(json.dumps(config))
        (self.folder / "stdin").write_bytes(stdin or b"")
        with (self.folder / "stdin").open("rb") as file:
            process = subprocess.Popen(
                [python, str(self.zip_path), str(path)],
                stdin=subprocess.PIPE if stdin is None else file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | (env or {}),
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, config: dict[str, Any], **how: Any) -> tuple[int, bytes, bytes]:
        """Run a launcher to its end: exit code, standard output, standard error."""
        process = self.start(config, **how)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def script(self, text: str, *argv: str, **changes: Any) -> dict[str, Any]:
        """Run one script to its end; gives `result.json`."""
        self.run(self.config({"train.py": text}, argv=list(argv), **changes))
        return self.result

    @property
    def result(self) -> dict[str, Any]:
        result = self.state.result()
        assert result is not None, "there is no result.json"
        return result

    @property
    def log(self) -> bytes:
        return (self.folder / "log").read_bytes()

    def said(self, text: bytes) -> bytes:
        """Wait until the log has a text; gives the log."""
        log = self.folder / "log"
        eventually(lambda: log.exists() and text in log.read_bytes(), f"{text!r} in the log")
        return self.log

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
        attempt = self.state.attempt()
        if attempt is not None and attempt.pgid is not None:
            try:
                os.killpg(attempt.pgid, signal.SIGKILL)
            except ProcessLookupError:
                return
