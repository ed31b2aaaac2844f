"""Signals to the launcher, as something its loop can wait for."""

from __future__ import annotations

import os
import signal
from typing import Dict, List, Optional

from ipymlops.runtime.state import boot_clock

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Signals:
    """Notes every signal that is the script's; none of them ends the launcher. `wakeup` is readable after one."""

    def __init__(self) -> None:
        self.wakeup, self._write_end = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(self._write_end, False)
        self._noted: List[int] = []
        self._first_at: Dict[int, float] = {}
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in PASSED_ON:
            signal.signal(number, self._note)
        # An ending child must wake the loop: without a handler there is no wake-up.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        # Who started us may have blocked some, and both the mask and we would be inherited by the script.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def has(self, number: int) -> bool:
        """Whether this signal waits to be taken."""
        return number in self._noted

    def first_at(self, number: int) -> Optional[float]:
        """When this signal came first, taken or not; a time of `boot_clock`."""
        return self._first_at.get(number)

    def take(self) -> List[int]:
        """The signals that came since the last time, in their order."""
        noted, self._noted = self._noted, []
        return noted

    def drain(self) -> None:
        """Forget the wake-ups so far. What they were for must be looked at after this, never before."""
        try:
            while os.read(self.wakeup, 4096):
                pass
        except BlockingIOError:
            return

    def _note(self, number: int, _frame: object) -> None:
        self._noted.append(number)
        self._first_at.setdefault(number, boot_clock())
