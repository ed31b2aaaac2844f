"""Ctrl-C at many steps of a `train` line, each followed by the same line: one sentence, one job."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.interrupts import outcomes
from tests.bench.row import Row

STEPS = 150


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-interrupts-") as folder:
        found = list(outcomes(Path(folder) / "lines", STEPS))
    wrong = [one for one in found if not one.is_right]
    for one in wrong:
        print(one, file=sys.stderr)
    yield Row("train interrupted at its steps: not one job, or no word", len(wrong), "lines", 0, len(found), "sum")
