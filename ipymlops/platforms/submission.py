"""One submit, as the parts that carry it out need it: what is to run, and where its folder is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from ipymlops.errors import UsageProblem
from ipymlops.platforms.jobfolder import job_folder
from ipymlops.spec import CodeArchive, JobId, JobSpec, Plan

STOP_GRACE_S = "stop_grace_s"
STOP_GRACE_DEFAULT_S = 30.0


@dataclass(frozen=True)
class Submission:
    """What `Platform.submit` was given."""

    home: Path
    platform: str
    job_id: JobId
    name: str
    spec: JobSpec
    code: CodeArchive | None
    plan: Plan
    stop_grace_s: float

    @property
    def root(self) -> Path:
        """The job's folder, which need not be there yet."""
        return job_folder(self.home, self.job_id)

    def record(self, created_at: float) -> dict[str, Any]:
        """`job.json`: enough to list the job again when the store is lost."""
        return {
            "job_id": self.job_id,
            "name": self.name,
            "platform": self.platform,
            "created_at": created_at,
            "spec": self.spec.to_json(),
            "plan": self.plan.to_json(),
            "stop_grace_s": self.stop_grace_s,
            "tree": self.code.tree if self.code else None,
            "commit": self.code.commit if self.code else None,
        }

    def launch_config(
        self, root: PurePath, rank: int, *, data: Mapping[str, PurePath], env: Mapping[str, str]
    ) -> dict[str, Any]:
        """What one node's launcher is told (ARCHITECTURE.md, decision 2).

        Args:
            root: The job's folder as the launcher sees it; `data` likewise.
            env: Variables of ours; the user's `--env` wins.
        """
        node = root / "nodes" / str(rank)
        commit = self.code.commit if self.code else None
        asked = asked_of_launcher(self.spec, self.plan, job_id=self.job_id, name=self.name, commit=commit)
        return asked | {
            "archive": {"path": str(root / "code.tar"), "sha256": self.code.sha256} if self.code else None,
            "code_dir": str(node / "code"),
            "env": dict(env) | asked["env"],
            "data": {name: str(path) for name, path in data.items()},
            "data_dir": str(node / "data"),
            "output_dir": str(root / "output" / f"node-{rank}" if rank else root / "output"),
            "tensorboard_dir": str(root / "tensorboard"),
            "checkpoint_dir": str(root / "checkpoints"),
            "state_dir": str(node / "state"),
            "log_path": str(node / "log"),
            "live_root": self.code.root if self.code else None,
            "node_rank": rank,
            "peers": [str(root / "nodes" / str(other) / "state") for other in range(self.plan.nodes) if other != rank],
            "main_address": "127.0.0.1",
            "stop_grace_s": self.stop_grace_s,
        }


def asked_of_launcher(spec: JobSpec, plan: Plan, *, job_id: str, name: str, commit: str | None) -> dict[str, Any]:
    """What a launcher is told of the job itself, the same on every platform."""
    return {
        "job_id": job_id,
        "job_name": name,
        "platform": plan.platform,
        "commit": commit,
        "workdir": spec.workdir,
        "script": spec.script,
        "argv": list(spec.argv),
        "python": None,
        "env": dict(spec.env),
        "secret_names": [secret for secret, _ in spec.secrets],
        "metric_patterns": [list(pair) for pair in spec.metrics],
        "nodes": plan.nodes,
        "deadline": None,
        "max_runtime_s": plan.max_runtime_s,
    }


def stop_grace_s(settings: Mapping[str, str]) -> float:
    """How long a script has between SIGTERM and SIGKILL. Raises `UsageProblem` for what is no number of seconds."""
    text = settings.get(STOP_GRACE_S)
    try:
        seconds = STOP_GRACE_DEFAULT_S if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 24 * 3600:
        raise UsageProblem(
            f"{STOP_GRACE_S} is no number of seconds: {text!r}; nothing was started",
            why="it is the time between SIGTERM and SIGKILL, from 0 to 86400",
            fix=f"--set {STOP_GRACE_S}=30",
        )
    return seconds
