"""Real jobs for the contract of platforms: code packed, submitted, waited for, read back."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ipymlops.job import JobState, JobStatus, new_job_id
from ipymlops.platforms.base import Platform
from ipymlops.spec import CodeArchive, JobId, JobSpec, PlatformRef

PATIENCE_S = 120.0
"""For a machine that is busy with other things: nothing is measured with it."""
COMMIT = "c0ffee" + "0" * 34

T = TypeVar("T")

PROBE = """
import json, os, sys
seen = {"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ), "files": sorted(os.listdir())}
seen["pid_namespace"] = os.stat("/proc/self/ns/pid").st_ino if os.path.exists("/proc/self/ns/pid") else 0
with open(os.path.join(os.environ["IPYMLOPS_OUTPUT_DIR"], "seen.json"), "w") as file:
    json.dump(seen, file)
"""
"""A script that writes down what it sees."""


def eventually(condition: Callable[[], T], what: str | Callable[[], str]) -> T:
    """The first true value of a condition; `what` was awaited, should it never come."""
    ends_at, pause_s = time.monotonic() + PATIENCE_S, 0.02
    while not (value := condition()):
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {PATIENCE_S} s: {what if isinstance(what, str) else what()}")
        time.sleep(pause_s)
        pause_s = min(0.2, pause_s * 1.2)
    return value


def packed(folder: Path, files: Mapping[str, str | bytes]) -> CodeArchive:
    """The files as an archive, named by its content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest[:40]}.tar"
    path.write_bytes(buffer.getvalue())
    return CodeArchive(digest[:40], path, digest, path.stat().st_size, commit=COMMIT)


@dataclass(frozen=True)
class JobRunner:
    """Runs scripts on a platform; `python` is the interpreter to ask for, "" for the platform's own."""

    platform: Platform
    folder: Path
    python: str = ""

    def submit(
        self,
        code: str | Mapping[str, str | bytes],
        /,
        *argv: str,
        job_id: JobId | None = None,
        job_name: str = "contract",
        **fields: Any,
    ) -> PlatformRef:
        """Start `train.py`, whose text `code` is, or what the fields of `JobSpec` say in the files that it is."""
        archive = packed(self.folder, {"train.py": code} if isinstance(code, str) else code)
        spec = JobSpec(**{"script": "train.py", "argv": argv, "python": self.python} | fields)
        plan = self.platform.plan(spec)
        self.platform.preflight(spec, plan)
        pinned = self.platform.pinned(spec, plan)
        return self.platform.submit(job_id or new_job_id(), job_name, spec, archive, pinned)

    def ended(self, ref: PlatformRef) -> JobStatus:
        """The final status."""
        status = self.platform.status(ref)

        def is_final() -> bool:
            nonlocal status
            status = self.platform.status(ref)
            return status.state.is_final

        eventually(is_final, lambda: f"{ref} ends, but it is {status}")
        return status

    def succeeded(self, ref: PlatformRef) -> PlatformRef:
        """The same reference, once the job has succeeded."""
        status = self.ended(ref)
        assert status.state is JobState.SUCCEEDED, (status, self.log(ref))
        return ref

    def log(self, ref: PlatformRef) -> bytes:
        """The whole log of a job that has ended, a newline after each line."""
        lines: list[bytes] = []
        cursor, is_end = "", False
        while not is_end:
            page = self.platform.logs(ref, cursor)
            lines += [line.text + b"\n" for line in page.lines]
            cursor, is_end = page.cursor, page.is_end
        return b"".join(lines)

    def until_logged(self, ref: PlatformRef, text: bytes) -> None:
        """Wait until the script has said so."""

        def said() -> bool:
            return any(text in line.text for line in self.platform.logs(ref).lines)

        eventually(said, f"{ref} says {text!r}")

    def read(self, ref: PlatformRef, path: str) -> bytes:
        """One artifact's content."""
        to = self.folder / "fetched" / new_job_id() / "file"
        self.platform.fetch(ref, path, to)
        return to.read_bytes()

    def seen(self, ref: PlatformRef) -> dict[str, Any]:
        """What `PROBE` wrote down, once it has succeeded."""
        record: dict[str, Any] = json.loads(self.read(self.succeeded(ref), "seen.json"))
        return record
