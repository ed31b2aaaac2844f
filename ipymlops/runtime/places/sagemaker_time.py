"""When SageMaker will end the job: its clock runs from the moment that the machine was obtained, which nobody tells."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Mapping, NamedTuple

from ipymlops.runtime.state import State, read_json, write_json

FILE = "clock.json"
LOST_S = 120.0
"""So much longer than its last sign of life an earlier attempt may have run: a beat, and its way to S3."""
BOOT_S = 60.0
"""A machine is obtained so long before it starts."""
FRESH_S = 3600.0


class Clock(NamedTuple):
    """All in seconds, UTC epoch.

    Attributes:
        obtained_at: When this machine was, as far as can be known.
        spent_s: What earlier attempts had of the job's time: its cap is one for all of them.
    """

    obtained_at: float
    spent_s: float

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Clock:
        """`raw["state_dir"]` may hold what an earlier attempt left, on another machine."""
        cap_s, now = float(raw["max_runtime_s"]), time.time()
        at = obtained_at(now, cap_s, started_at(now), raw.get("submitted_at"))
        spent_s = _spent_s(read_json(State(raw["state_dir"]).path(FILE)) or {})
        return cls(at, spent_s if 0 <= spent_s < cap_s else 0.0)

    def deadline(self, cap_s: float) -> float:
        return self.obtained_at + cap_s - self.spent_s

    def beat(self, state: State) -> None:
        """Leave word that the attempt lives; on a full disk it goes on without."""
        with contextlib.suppress(OSError):
            write_json(state.path(FILE), {**self._asdict(), "seen_at": time.time()}, is_durable=False)


def obtained_at(now: float, cap_s: float, started: float, submitted: object) -> float:
    """When the machine was obtained: better too early than too late, as a deadline is counted from it.

    That was after the job was submitted, and just before the machine started, unless it was kept warm: the later of
    the two. The clock of whoever submitted may be wrong. If it is ahead, only the machine's start is left, and that
    says nothing of one that has been up for long. A moment that leaves no time at all is none to go by.

    Args: `started`, the machine's start; 0 if unknown.
    """
    told = float(submitted) if isinstance(submitted, (int, float)) else 0.0
    if told > now:
        told = 0.0
        started = started if now - started < FRESH_S else 0.0
    at = max(started - BOOT_S, told)
    return at if now - cap_s < at <= now else now


def started_at(now: float) -> float:
    """When this machine started, 0 where that cannot be read."""
    try:
        with open("/proc/uptime", encoding="ascii") as file:
            return now - float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0


def _spent_s(told: Mapping[str, Any]) -> float:
    try:
        return float(told["spent_s"]) + max(0.0, float(told["seen_at"]) - float(told["obtained_at"])) + LOST_S
    except (KeyError, TypeError, ValueError):
        return 0.0
