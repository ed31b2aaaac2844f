"""What to run: plain frozen data that every layer above can read, and its JSON form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NewType

JobId = NewType("JobId", str)
PlatformRef = NewType("PlatformRef", str)
"""How a platform finds its job again, in the platform's own form; it outlives the process that made it."""

DEFAULT_MAX_RUNTIME_S = 24 * 3600

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class JobSpec:
    """One job as the user asked for it.

    Attributes:
        script: `"train.py"` (relative to `workdir`), `"-m pkg.mod"`, or None for a command or an image's entrypoint.
        argv: What follows the script, or the whole command. Undecodable bytes are surrogates (`\\udcXX`).
        workdir: The folder of the repository to run in, POSIX, "" for its root.
        python: The interpreter for platforms that run on this machine; "" elsewhere.
        name: As asked for; "" means the default, the script's stem and the number.
        gpu: As typed (`a100:2`, `40gb+`, `l4,a10g`), None for none.
        no_code: Run the image as built; no repository is sent.
        secrets: (variable, reference); the reference says where the value is, never the value.
        metrics: (name, regular expression with one group).
        settings: `--set KEY=VALUE`, for the platform.
        imports: The packages that the code imports, by their top names, for platforms that choose an image by them.
    """

    script: str | None
    argv: tuple[str, ...] = ()
    workdir: str = ""
    python: str = ""
    name: str = ""
    gpu: str | None = None
    machine_type: str | None = None
    nodes: int = 1
    image: str | None = None
    bake: bool = False
    no_code: bool = False
    labels: Pairs = ()
    data: Pairs = ()
    env: Pairs = ()
    secrets: Pairs = ()
    metrics: Pairs = ()
    spot: bool = False
    keep_warm_s: int | None = None
    max_runtime_s: int | None = None
    max_cost_usd: float | None = None
    settings: Pairs = ()
    imports: tuple[str, ...] = ()

    def command(self, python: str) -> tuple[str, ...]:
        """The argv of the process: `python` runs the script; a command runs as it is."""
        if self.script is None:
            return self.argv
        words = self.script.split(" ", 1) if self.script.startswith("-m ") else [self.script]
        return (python, *words, *self.argv)

    def fingerprint(self, platform: str, tree: str) -> str:
        """Equal for identical jobs: same platform, tree, script, argv and options; the name aside."""
        asked = asdict(self) | {"name": "", "platform": platform, "tree": tree}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> JobSpec:
        return cls(**_known(cls, record))


@dataclass(frozen=True)
class LeftOut:
    """A path that was not sent: its size in bytes, and the rule that left it out."""

    path: str
    bytes: int
    rule: str


@dataclass(frozen=True)
class Snapshot:
    """The user's repository as it stood, named by its content.

    Attributes:
        tree: The git tree id; equal content, equal id.
        commit: HEAD's id, None on an unborn branch or without a repository.
        snapshot_commit: The commit object that holds `tree`; "" without a repository.
        root: The absolute root of the repository (or folder); `git_dir`: where its objects are.
        files, bytes: What is sent.
        changed: Paths that differ from HEAD.
        last_job, since_last: The name of the last job with this folder's code, "" if there was none, and the paths
            that differ from what it was sent.
        warnings: One sentence for each thing that could not travel as it is.
    """

    tree: str
    commit: str | None
    branch: str | None
    dirty: bool
    root: str
    git_dir: str
    snapshot_commit: str
    files: int
    bytes: int
    changed: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    last_job: str = ""
    since_last: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Snapshot:
        left_out = tuple(LeftOut(**row) for row in record.get("left_out", ()))
        return cls(**(_known(cls, record) | {"left_out": left_out}))


@dataclass(frozen=True)
class CodeArchive:
    """A snapshot packed as one uncompressed tar: same tree, same bytes.

    `commit` and `root` are the snapshot's own, for `IPYMLOPS_COMMIT` and for editable installs of the live tree.
    """

    tree: str
    path: Path
    sha256: str
    bytes: int
    commit: str | None = None
    root: str | None = None


@dataclass(frozen=True)
class Plan:
    """Exactly what a submit will start, made before anything is spent.

    Attributes:
        accelerator_count: What the machine has; `asked_count` what was asked for.
        usd_per_hour: For all nodes; None where unknown. `price_as_of` is an ISO date; `is_estimate`: it was reckoned
            from another price, and bounds nothing for certain.
        image: The container image, None where the platform runs none.
        request: The plain request to the platform, as JSON, for `--plan` and for leaving us.
        notes: Sentences for the card (why this machine, this image).
    """

    platform: str
    machine_type: str | None = None
    accelerator: str | None = None
    accelerator_count: int = 0
    asked_count: int = 0
    nodes: int = 1
    usd_per_hour: float | None = None
    price_as_of: str | None = None
    is_estimate: bool = False
    max_runtime_s: int = DEFAULT_MAX_RUNTIME_S
    max_cost_usd: float | None = None
    image: str | None = None
    request: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Plan:
        return cls(**_known(cls, record))


@dataclass(frozen=True)
class Intent:
    """Everything needed to start a job, written down before anything is started.

    `to_send_bytes` is what had to be sent of the code at that moment: 0 where the very same was there already, None
    where that is not known.
    """

    spec: JobSpec
    plan: Plan
    code: Snapshot | None
    to_send_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        code = self.code.to_json() if self.code else None
        spec, plan = self.spec.to_json(), self.plan.to_json()
        return {"spec": spec, "plan": plan, "code": code, "to_send_bytes": self.to_send_bytes}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Intent:
        code = Snapshot.from_json(record["code"]) if record["code"] else None
        spec, plan = JobSpec.from_json(record["spec"]), Plan.from_json(record["plan"])
        return cls(spec, plan, code, record.get("to_send_bytes"))


def _known(cls: type[Any], record: dict[str, Any]) -> dict[str, Any]:
    """The record's fields that this version has (a newer writer may have more), lists as tuples."""
    names = {field.name for field in fields(cls)}
    return {name: _tuples(value) for name, value in record.items() if name in names}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
