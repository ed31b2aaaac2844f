"""What verbs return: frozen data with the promised JSON; `display` knows how each looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ipymlops.errors import PlatformProblem
from ipymlops.hardware.machines import Machine
from ipymlops.job import Artifact, Job, LogLine, rfc3339
from ipymlops.platforms.abilities import Proposal
from ipymlops.platforms.base import Check
from ipymlops.spec import Intent, Plan


@dataclass(frozen=True)
class JobList:
    """Some jobs, newest first, and the platforms that could not be asked: {platform, what, why, fix}.

    `words` narrowed them, as typed.
    """

    jobs: tuple[Job, ...]
    errors: tuple[dict[str, str], ...]
    as_of: datetime
    words: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)

    def __len__(self) -> int:
        return len(self.jobs)

    def __getitem__(self, index: int) -> Job:
        return self.jobs[index]

    def to_json(self) -> dict[str, Any]:
        return {"jobs": [job.to_json() for job in self.jobs], "errors": list(self.errors), "as_of": rfc3339(self.as_of)}


@dataclass(frozen=True)
class JobDetails:
    """One job with everything known of it; `plan` is read back where it was not sent from here."""

    job: Job
    intent: Intent | None
    last_output_at: datetime | None = None
    plan: Plan | None = None

    def to_json(self) -> dict[str, Any]:
        return self.job.to_json()


@dataclass(frozen=True)
class PlanReport:
    """What `train` would do."""

    intent: Intent
    hints: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        plan, code = self.intent.plan.to_json(), self.intent.code
        for told_in_words in ("notes", "is_estimate"):
            plan.pop(told_in_words)
        left_out = [{"path": one.path, "bytes": one.bytes, "rule": one.rule} for one in code.left_out] if code else []
        sent = {"tree": code.tree, "files": code.files, "bytes": code.bytes} if code else None
        return plan | {"code": sent and sent | {"to_send_bytes": self.intent.to_send_bytes, "left_out": left_out}}


@dataclass(frozen=True)
class LogLines:
    """Lines of a job's log, for `--json`; without it they go to the screen one by one."""

    job: Job
    lines: tuple[LogLine, ...]

    def to_json(self) -> dict[str, Any]:
        return {"job": self.job.id, "lines": [line_json(line) for line in self.lines]}


def line_json(line: LogLine) -> dict[str, Any]:
    text = line.text.decode(errors="surrogateescape")
    return {"time": rfc3339(line.time), "node": line.node, "text": text}


@dataclass(frozen=True)
class ArtifactList:
    """A job's files; `to` is where they were written, None where they were only listed. `glob` narrowed them."""

    job: Job
    files: tuple[Artifact, ...]
    to: Path | None = None
    glob: str | None = None

    def __iter__(self) -> Iterator[Artifact]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Artifact:
        return self.files[index]

    def to_json(self) -> dict[str, Any]:
        return {"job": self.job.id, "files": [one.to_json() for one in self.files]}


@dataclass(frozen=True)
class Difference:
    """What changed between two jobs, or a job and the folder: (title, lines of a unified diff or of a table)."""

    left: str
    right: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "left": self.left,
            "right": self.right,
            "sections": {title: list(rows) for title, rows in self.sections},
        }


@dataclass(frozen=True)
class Checkout:
    """A job's exact code, written to a folder."""

    job: Job
    path: Path
    files: int

    def to_json(self) -> dict[str, Any]:
        return {"job": self.job.id, "path": str(self.path), "files": self.files}


@dataclass(frozen=True)
class DoctorReport:
    """Every check, in order. `title` says of what."""

    checks: tuple[Check, ...]
    title: str = ""

    @property
    def is_ok(self) -> bool:
        return all(check.status != "fail" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.is_ok, "checks": [check.to_json() for check in self.checks]}


Written = tuple[str, str, str]
"""A setting's key, its value ("": taken out), the file."""


@dataclass(frozen=True)
class SetupReport:
    """What `setup` found and did.

    Attributes:
        wanted: What it would write, and make before, by the setting's whole key.
        written: What it wrote or took out.
        next: The line that goes on, where it stopped before making or writing anything.
        stays: What it once made and an undo leaves: (what, the command that removes it).
        offered: What could be set besides, and need not.
    """

    checks: tuple[Check, ...]
    title: str = ""
    wanted: tuple[Proposal, ...] = ()
    written: tuple[Written, ...] = ()
    next: str = ""
    stays: tuple[tuple[str, str], ...] = ()
    offered: tuple[Proposal, ...] = ()

    @property
    def is_ok(self) -> bool:
        return all(check.status != "fail" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.is_ok,
            "checks": [check.to_json() for check in self.checks],
            "wanted": [asdict(one) for one in self.wanted],
            "offered": [asdict(one) for one in self.offered],
            "written": [{"key": key, "value": value or None, "file": file} for key, value, file in self.written],
            "next": self.next,
            "stays": [{"what": what, "removal": removal} for what, removal in self.stays],
        }


@dataclass(frozen=True)
class SettingRow:
    """One setting: its key, value (None: not set), where it came from, and what it does."""

    key: str
    value: str | None
    source: str
    help: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value, "source": self.source, "help": self.help}


@dataclass(frozen=True)
class SettingTable:
    """All settings."""

    rows: tuple[SettingRow, ...]

    def to_json(self) -> dict[str, Any]:
        return {"settings": [row.to_json() for row in self.rows]}


@dataclass(frozen=True)
class HelpText:
    """Help, as text."""

    text: str

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text}


@dataclass(frozen=True)
class MachineList:
    """Machines with an accelerator; `gpu` narrowed them, as typed. `missing`: the platforms that were left out."""

    machines: tuple[Machine, ...]
    gpu: str | None = None
    missing: tuple[PlatformProblem, ...] = ()

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.machines)

    def __len__(self) -> int:
        return len(self.machines)

    def __getitem__(self, index: int) -> Machine:
        return self.machines[index]

    def to_json(self) -> dict[str, Any]:
        return {"machines": [_machine_json(one) for one in self.machines]}


def _machine_json(one: Machine) -> dict[str, Any]:
    return {
        "platform": one.platform,
        "machine_type": one.machine_type or None,
        "accelerator": one.accelerator,
        "count": one.count,
        "memory_gib": one.memory_gib or None,
        "usd_per_hour": one.usd_per_hour,
        "usd_per_gpu_hour": one.usd_per_gpu_hour,
        "markup_pct": None if one.markup_pct is None else round(one.markup_pct, 1),
        "region": None if one.usd_per_hour is None else one.region,
        "as_of": one.as_of,
    }


Result = (
    Job
    | JobList
    | JobDetails
    | PlanReport
    | LogLines
    | ArtifactList
    | Difference
    | Checkout
    | DoctorReport
    | SetupReport
    | SettingTable
    | HelpText
    | MachineList
    | None
)
