"""How a transfer goes, as one line that is brought up to date; one that is over at once shows none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ipymlops.display.plain import plain
from ipymlops.units import size

BAR = 20
PATIENCE = timedelta(seconds=1)


class Progress:
    """`line` is what to show now; "" for nothing (any more)."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._began: datetime | None = None
        self._began_bytes = 0

    def line(self, done_bytes: int, total_bytes: int, what: str) -> str:
        if done_bytes >= total_bytes:
            self._began = None
            return ""
        now = self._now()
        if self._began is None:
            self._began, self._began_bytes = now, done_bytes
        passed = now - self._began
        if passed < PATIENCE:
            return ""
        filled = BAR * done_bytes // total_bytes
        rate = (done_bytes - self._began_bytes) / passed.total_seconds()
        bar = "█" * filled + "░" * (BAR - filled)
        return f"{bar} {size(done_bytes)} of {size(total_bytes)}, {size(int(rate))}/s: {plain(what)}"
