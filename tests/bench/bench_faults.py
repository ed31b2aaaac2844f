"""Each named fault of `tests.bench.faults` is noticed by its contract test, which passes without it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.bench.faults import FAULTS, GREEN, RED, outcomes
from tests.bench.row import Row


def rows() -> Iterator[Row]:
    found = outcomes(list(FAULTS))
    is_green = found.pop("") == GREEN
    unnoticed = [name for name, code in found.items() if code != RED]
    for name in unnoticed:
        print(f"no contract test turned red for: {name}", file=sys.stderr)
    value = len(unnoticed) if is_green else float("nan")
    yield Row("named faults that no contract test notices", value, "faults", 0, len(found), "sum")
