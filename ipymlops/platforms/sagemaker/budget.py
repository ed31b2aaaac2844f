"""How often SageMaker is asked: a share of what the account has, kept together by all processes of a home.

Each kind of call has one number in a locked file: the moment from which the next call is free. Whoever calls moves it
on and waits for what was his own moment: calls go in the order in which they came, and nobody has to look again.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipymlops.errors import Unreachable
from ipymlops.platforms.sagemaker.problems import THROTTLED

LONGEST_WAIT_S = 10.0
SLOW_FOR_S = 60.0
"""After the service has asked to go slower, half of the calls are made for so long."""
HELD_FOR_S = 2.0
"""The file is held for microseconds: whoever holds it longer was stopped in the middle, and is not waited for."""


@dataclass(frozen=True)
class Share:
    """Calls a second, and how many may come at once after a pause."""

    per_second: float
    burst: int


LISTS, DESCRIBES, CREATES = "list", "describe", "create"
SHARES: Mapping[str, Share] = {LISTS: Share(1.0, 2), DESCRIBES: Share(5.0, 10), CREATES: Share(1.0, 2)}
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("ListTrainingJobs", "Search"), LISTS),
    "DescribeTrainingJob": DESCRIBES,
    "CreateTrainingJob": CREATES,
}
"""List and Search share two calls a second of the whole account; Describe has about ten, Create about one."""


class Budget:
    """The share of one region.

    Args:
        now, sleep: The machine's clock in epoch seconds, which all processes agree on; tests bring their own.
    """

    def __init__(
        self,
        home: Path,
        region: str,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = home / "budgets" / f"sagemaker-{region}.json"
        self._now, self._sleep = now, sleep

    def watch(self, client: Any) -> None:
        """From now on every call of this client is counted, the library's own repetitions too."""
        for operation in KINDS:
            client.meta.events.register(f"before-send.sagemaker.{operation}", self._before)
            client.meta.events.register(f"needs-retry.sagemaker.{operation}", self._after)

    def take(self, kind: str) -> None:
        """Wait for a call's turn. Raises `Unreachable` where that would take too long: nothing was asked then."""
        try:
            wait_s = self._reserved(kind)
        except OSError:  # a full disk must not keep anybody from stopping a job; the service keeps count itself
            return
        if wait_s > LONGEST_WAIT_S:
            raise Unreachable(
                "SageMaker was not asked: too many questions are waiting already",
                why=f"this one's turn would come in {wait_s:.0f} s; {SHARES[kind].per_second:g} a second are our share",
                fix="try again in a minute",
            )
        if wait_s > 0:
            self._sleep(wait_s)

    def slow_down(self, kind: str) -> None:
        """The service has said that it is asked too often, by whomever."""
        with self._state() as state:
            state[kind] = {**_entry(state, kind), "slow_until": self._now() + SLOW_FOR_S}

    def _reserved(self, kind: str) -> float:
        """Seconds until the call's turn; it is taken only if that is not too long."""
        with self._state() as state:
            now, entry, share = self._now(), _entry(state, kind), SHARES[kind]
            is_slow = 0 < entry["slow_until"] - now <= SLOW_FOR_S
            each_s = (2 if is_slow else 1) / share.per_second
            free = entry["free"]
            if free - now > LONGEST_WAIT_S + 2 / share.per_second:  # nobody reserves so far: the clock went back
                free = now
            turn = max(free, now - (share.burst - 1) * each_s)
            wait_s = max(0.0, turn - now)
            if wait_s <= LONGEST_WAIT_S:
                state[kind] = {**entry, "free": turn + each_s}
            return wait_s

    def _before(self, event_name: str, **_: Any) -> None:
        self.take(KINDS[event_name.rpartition(".")[2]])

    def _after(self, event_name: str, response: Any = None, **_: Any) -> None:
        code = response[1].get("Error", {}).get("Code", "") if response else ""
        if str(code).removesuffix("Exception") in THROTTLED:
            self.slow_down(KINDS[event_name.rpartition(".")[2]])

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        """What the file says, changed for all when the block ends; a damaged one says nothing."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor)
            state = _read(descriptor)
            yield state
            content = json.dumps(state).encode()
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + HELD_FOR_S
    while not _is_locked(descriptor) and time.monotonic() < deadline:
        time.sleep(0.001)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> dict[str, Any]:
    try:
        state = json.loads(os.pread(descriptor, 65536, 0) or b"{}")
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def _entry(state: Mapping[str, Any], kind: str) -> dict[str, float]:
    found = state.get(kind)
    entry = found if isinstance(found, dict) else {}
    return {name: _number(entry.get(name)) for name in ("free", "slow_until")}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
