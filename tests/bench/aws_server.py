"""AWS for a measurement: the tests' server in a process of its own, so that its work is not ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class AwsServer:
    """The server's process, and what it said of itself."""

    process: subprocess.Popen[str]
    told: dict[str, Any]

    @property
    def env(self) -> dict[str, str]:
        """The variables of a user who is signed in and has every setting."""
        settings = {f"IPYMLOPS_SAGEMAKER_{name.upper()}": value for name, value in self.told["settings"].items()}
        return {**self.told["env"], **settings}

    def ask(self, **words: Any) -> dict[str, Any]:
        """One line of its protocol (`tests.servers.sagemaker_api.__main__`)."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def calls(self) -> list[dict[str, Any]]:
        """What was asked since the last time."""
        found: list[dict[str, Any]] = self.ask(calls=True)["calls"]
        return found


@contextmanager
def aws_server(*, containers: bool = False) -> Iterator[AwsServer]:
    words = [sys.executable, "-m", "tests.servers.sagemaker_api", *(["--containers"] if containers else [])]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield AwsServer(process, json.loads(process.stdout.readline()))
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(60)
