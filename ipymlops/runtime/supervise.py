"""One script from its start to its end: output, signals, deadline, and an end for all it started."""

from __future__ import annotations

import os
import select
import signal
from typing import Callable, List, NamedTuple, Optional

from ipymlops.runtime.process import Script, all_of, reap, send, session_members
from ipymlops.runtime.pump import Pump
from ipymlops.runtime.signals import Signals
from ipymlops.runtime.state import boot_clock

READ_BYTES = 1 << 18
ORPHANS_GRACE_S = 5.0
ORPHANS_POLL_S = 0.02
IDLE_S = 600.0
GIVE_UP_S = 10.0
BEAT_S = 60.0


class Ended(NamedTuple):
    """How a script ended.

    Attributes:
        status: Its wait status.
        cause: Why it was told to stop: `timeout`, `term` (a signal to the launcher), "" if it was not.
        was_killed: It did not stop within its grace and was killed by us.
    """

    status: int
    cause: str
    was_killed: bool
    notes: List[str]


class Supervisor:
    """Waits for one script. Stopping is: SIGTERM to the script, its grace, then SIGKILL to all of its session.

    SIGTERM goes to the script alone, as a container's engine does it: what it started (the workers of a data loader)
    is the script's to end, while it saves a checkpoint. What is left once the script has ended is told and then killed.
    """

    def __init__(
        self,
        script: Script,
        pump: Pump,
        signals: Signals,
        deadline: float,
        grace_s: float,
        *,
        beat: Optional[Callable[[], None]] = None,
    ) -> None:
        """`deadline` is a time of `boot_clock`; `beat` is called at once, and then every minute."""
        self._script, self._pump, self._signals, self._grace_s = script, pump, signals, grace_s
        self._deadline = deadline
        self._status: Optional[int] = None
        self._cause = ""
        self._was_killed = False
        self._kill_at = float("inf")
        self._beat = beat
        self._beat_at = float("inf") if beat is None else 0.0
        self._notes: List[str] = []
        self._poll = select.poll()
        self._poll.register(script.output, select.POLLIN)
        self._poll.register(signals.wakeup, select.POLLIN)
        os.set_blocking(script.output, False)

    def run(self) -> Ended:
        while self._status is None:
            self._turn(min(self._deadline, self._kill_at, self._beat_at) - boot_clock())
            self._act()
        self._end_orphans()
        self._read_rest()
        os.close(self._script.output)
        return Ended(self._status, self._cause, self._was_killed, self._notes)

    def _turn(self, timeout_s: float) -> None:
        """Wait for one thing to happen, and take output and children."""
        timeout_ms = int(1000 * max(0.0, min(timeout_s, IDLE_S))) + 1
        ready = [file for file, _event in self._poll.poll(timeout_ms)]
        # Before the children are collected: the wake-up of one that ends from here on must not be lost with these.
        self._signals.drain()
        if self._script.output in ready and not self._read():
            self._poll.unregister(self._script.output)
        status = reap(self._script.pid)
        if status is not None:
            self._status = status

    def _act(self) -> None:
        """Pass signals on, and see what time it is."""
        for number in self._signals.take():
            if self._status is not None:
                return  # it ended by itself
            if number == signal.SIGTERM:
                self._stop("term")
            else:
                send([self._script.pid], number)
        now = boot_clock()
        if self._status is None and now >= self._deadline:
            self._deadline = float("inf")
            if not self._cause:
                self._stop("timeout")
        if self._status is None and now >= self._kill_at:
            self._was_killed = True
            self._kill_at = now + 1.0
            send(session_members(self._script.pid) or [self._script.pid], signal.SIGKILL)
        if self._beat and now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self._beat()

    def _stop(self, cause: str) -> None:
        if not self._cause:  # a second call does not lengthen the grace
            self._cause = cause
            self._kill_at = boot_clock() + self._grace_s
        send([self._script.pid], signal.SIGTERM)

    def _end_orphans(self) -> None:
        """End what the script left in its session, and write down what they still say."""
        orphans = all_of(self._script.pid)
        now = boot_clock()
        kill_at = min(self._kill_at, now + min(ORPHANS_GRACE_S, self._grace_s))
        give_up_at = max(now, kill_at) + GIVE_UP_S
        send(orphans, signal.SIGTERM)
        while orphans and now < give_up_at:
            if now >= kill_at:
                send(orphans, signal.SIGKILL)
            self._turn(ORPHANS_POLL_S)
            self._signals.take()
            orphans, now = all_of(self._script.pid), boot_clock()
        if orphans:
            self._notes.append("these processes of the script could not be ended: {}".format(orphans))

    def _read(self) -> bool:
        """Take one piece of output; False once there will be no more."""
        try:
            data = os.read(self._script.output, READ_BYTES)
        except BlockingIOError:
            return True
        self._pump.feed(data)
        return bool(data)

    def _read_rest(self) -> None:
        """Take what is in the pipe, but do not wait for who has left the session and keeps the pipe open."""
        limit = 64 * READ_BYTES
        while limit > 0:
            try:
                data = os.read(self._script.output, READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                return
            self._pump.feed(data)
            limit -= len(data)
