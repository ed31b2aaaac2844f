"""A launcher that runs as in a training container, with the service's folders and its mirror."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipymlops.runtime.state import State
from tests.servers.sagemaker_api import SageMakerApi
from tests.servers.sagemaker_api.role import RoleServer
from tests.unit.runtime.launched import Launched, eventually

PREFIX = "ipymlops/jobs/j0123456789abcde/mirror/"
WRITES = """
import os
for name in ("OUTPUT_DIR", "TENSORBOARD_DIR", "CHECKPOINT_DIR"):
    with open(os.path.join(os.environ["IPYMLOPS_" + name], "file"), "w") as file:
        file.write(name)
"""


class Container(Launched):
    """`/opt/ml` is a folder of the test; the machine's role, S3 and Secrets Manager answer on loopback."""

    def __init__(self, folder: Path, zip_path: Path, api: SageMakerApi, role: RoleServer) -> None:
        super().__init__(folder, zip_path)
        self.api, self.ml = api, folder / "ml"
        self.mirrored = self.ml / "checkpoints"
        self.s3 = api.client("s3")
        self.env = {"AWS_ENDPOINT_URL": api.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": role.url}
        self.at_rank(0)
        for below in ("input/config", "input/data", "model", "output/data", "checkpoints"):
            (self.ml / below).mkdir(parents=True)

    def at_rank(self, rank: int) -> None:
        self.rank = rank
        self.state = State(str(self.mirrored / "ipymlops" / f"node-{rank}"))

    def described(self, name: str, told: object) -> None:
        """Put one of the service's descriptions of the job."""
        (self.ml / "input" / "config" / f"{name}.json").write_text(json.dumps(told))

    def config(self, files: dict[str, str | bytes] | bytes, **changes: Any) -> dict[str, Any]:
        here = {
            "place": "sagemaker",
            "platform": "sagemaker",
            "region": "us-east-1",
            "submitted_at": 0.0,
            "ml_root": str(self.ml),
            "output_dir": str(self.mirrored / "output"),
            "tensorboard_dir": str(self.mirrored / "tensorboard"),
            "checkpoint_dir": str(self.mirrored / "checkpoints"),
            "state_dir": str(self.mirrored / "ipymlops" / "node-0"),
            "mirror": {"uri": f"s3://{self.api.bucket}/{PREFIX}", "dir": str(self.mirrored)},
            "log_path": None,
            "attempt_policy": "again",
        }
        return super().config(files, **{**here, **changes})

    def start(self, config: dict[str, Any], *, env: dict[str, str] | None = None, **how: Any) -> Any:
        return super().start(config, env={**self.env, **(env or {})}, **how)

    def mirrors(self, *left_out: str) -> None:
        """Copy everything to S3, as the service does, but for files of these names."""
        there = self._keys()
        for path in [one for one in self.mirrored.rglob("*") if one.is_file() and not one.is_symlink()]:
            key = PREFIX + str(path.relative_to(self.mirrored))
            try:
                content = path.read_bytes()
                key.encode()
            except (FileNotFoundError, UnicodeEncodeError):
                continue
            if path.name not in left_out and there.get(key) != len(content):
                self.s3.put_object(Bucket=self.api.bucket, Key=key, Body=content)

    @contextmanager
    def mirroring(self, *left_out: str) -> Iterator[None]:
        """The service's mirror works meanwhile."""
        is_over = threading.Event()

        def work() -> None:
            while not is_over.wait(0.02):
                self.mirrors(*left_out)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def finished(self, text: str, *left_out: str, **changes: Any) -> tuple[int, bytes, bytes]:
        """Run a script to the launcher's end, with a mirror that leaves out some names."""
        env, python = changes.pop("environment", None), changes.pop("interpreter", None)
        how = {"python": python} if python else {}
        with self.mirroring(*left_out):
            return self.run(self.config({"train.py": text}, **changes), env=env, **how)

    def wrapped(self, *words: str) -> str:
        """An interpreter that runs as what these words run."""
        path = self.folder / "python"
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} {sys.executable} "$@"\n')
        path.chmod(0o755)
        return str(path)

    def secret(self, name: str, value: str) -> str:
        """Make a secret; gives its ARN."""
        return str(self.api.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"])

    def json(self, name: str) -> dict[str, Any]:
        """A file of the launcher's in the mirror."""
        return dict(json.loads(Path(self.state.path(name)).read_text()))

    def kept(self, name: str) -> Path:
        """What the service packs at the end."""
        return self.ml / "output" / "data" / name

    def until_written(self, name: str) -> None:
        """Until the launcher has left a file of this name."""
        eventually(lambda: Path(self.state.path(name)).exists(), name)

    @property
    def failure(self) -> str:
        return (self.ml / "output" / "failure").read_text()

    def _keys(self) -> dict[str, int]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.api.bucket, Prefix=PREFIX)
        return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", ())}
