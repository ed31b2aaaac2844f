"""The command as a user of SageMaker types it, each line a process of its own; and a job over there that goes as told."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from ipymlops.job import Job
from ipymlops.store.base import JobQuery
from ipymlops.store.sqlite import SqliteStore
from tests.servers.sagemaker_api import SageMakerApi, TrainingJobRecord


@dataclass(frozen=True)
class Said:
    """What a line printed and how it ended."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one that `--json` prints."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """A terminal in the user's repository.

    Attributes: `env` is what this terminal has beside the variables of the test.
    """

    folder: Path
    env: Mapping[str, str]

    def start(self, *words: str) -> Line:
        """Begin a line and leave it running."""
        out, err = TemporaryFile(), TemporaryFile()  # noqa: SIM115 - closed at its end
        command = [sys.executable, "-m", "ipymlops", *words]
        process = subprocess.Popen(
            command, cwd=self.folder, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        return Line(process, out, err)

    def __call__(self, *words: str, exit_code: int = 0) -> Said:
        """Run a line to its end, which must be as given."""
        said = self.start(*words).end()
        assert said.exit_code == exit_code, f"{words}\n{said.out}\n{said.err}"
        return said


@dataclass(frozen=True)
class Line:
    """A line that runs."""

    process: subprocess.Popen[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    @property
    def out(self) -> str:
        """All of stdout so far."""
        return _so_far(self.stdout)

    @property
    def err(self) -> str:
        """All of stderr so far."""
        return _so_far(self.stderr)

    def end(self) -> Said:
        """Wait for its end."""
        exit_code = self.process.wait()
        said = Said(exit_code, self.out, self.err)
        self.stdout.close()
        self.stderr.close()
        return said


def _so_far(file: IO[bytes]) -> str:
    """Read without moving the place at which the process writes."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()


def sign_in(env: Mapping[str, str]) -> None:
    """Write the credentials where AWS's own tools keep them, as a login does."""
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    path = Path(os.environ["HOME"], ".aws", "credentials")
    path.parent.mkdir(exist_ok=True)
    path.write_text("[default]\n" + "".join(f"{name} = {env[name.upper()]}\n" for name in names))


def say(api: SageMakerApi, job: TrainingJobRecord, *texts: str) -> None:
    """Write to the log of its first host, all of it one stream."""
    stream = f"{job.name}/algo-1-{int(job.created_at)}"
    api.write_log(job.region, stream, [(job.now(), text) for text in texts])


def leave_result(api: SageMakerApi, job: TrainingJobRecord, *, log_lines: int) -> None:
    """What the launcher leaves: with the number of lines, the end of the log is known at once."""
    now = time.time()
    told = {"attempt": "a1", "number": 1, "exit_code": 0, "end_reason": None, "error": None, "metrics": {}}
    body = json.dumps({**told, "started_at": now, "ended_at": now, "log_lines": log_lines}).encode()
    put(api, f"{job.request['CheckpointConfig']['S3Uri']}/ipymlops/node-0/result.json", body)


def put(api: SageMakerApi, uri: str, body: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    api.client("s3").put_object(Bucket=bucket, Key=key.replace("//", "/"), Body=body)


def packed(files: Mapping[str, bytes]) -> bytes:
    """A `model.tar.gz`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def changes(api: SageMakerApi) -> list[str]:
    """What was asked with the user's keys that leaves something in the account."""
    reads = ("Get", "Describe", "List", "Head", "BatchGet", "Search", "Simulate", "Filter")
    return [call.right for call in api.calls if not call.action.startswith(reads)]


def creates(api: SageMakerApi) -> int:
    return sum(call.action == "CreateTrainingJob" for call in api.calls)


def recorded(home: Path) -> list[Job]:
    """Every job that a line has written down."""
    if not (home / "jobs.db").exists():
        return []
    store = SqliteStore(home)
    jobs = list(store.find(JobQuery()))
    store.close()
    return jobs
