"""One line of the table of `make bench`, and how its figures are taken."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measured figure beside its budget.

    Attributes:
        value: In `unit`; `threshold` bounds it from above, or from below with `is_at_least`.
        runs: How many measurements the value is the `statistic` of.
        peer: What ran beside it in the same process of measurement, `peer_value` in the same unit; a peer that is
            named but missing (None) fails the row. "" where the budget names none.
    """

    name: str
    value: float
    unit: str
    threshold: float
    runs: int
    statistic: str = "median"
    is_at_least: bool = False
    peer: str = ""
    peer_value: float | None = None

    @property
    def is_ok(self) -> bool:
        held = self.value >= self.threshold if self.is_at_least else self.value <= self.threshold
        return held and not (self.peer and self.peer_value is None)

    @property
    def ratio(self) -> float | None:
        """The peer's figure over ours."""
        return self.peer_value / self.value if self.peer_value is not None and self.value else None


def seconds(action: Callable[[], object], runs: int) -> list[float]:
    """Wall seconds of each run, after one that is not counted."""
    action()
    return [_timed(action) for _ in range(runs)]


def interleaved(ours: Callable[[], object], peer: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median seconds of two actions, run in turn so that both meet the same load."""
    ours(), peer()
    pairs = [(_timed(ours), _timed(peer)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
