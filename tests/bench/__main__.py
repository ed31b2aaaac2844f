"""`make bench`: every budget beside its peer, as one table. `python -m tests.bench [NAME...] [--json]`."""

from __future__ import annotations

import importlib
import json
import math
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.row import Row

HEAD = ("", "row", "value", "budget", "unit", "runs", "peer", "peer's", "ratio")


def module_names(wanted: Sequence[str]) -> list[str]:
    """The modules `bench_NAME` beside this file, all of them where none is named."""
    known = sorted(file.stem.removeprefix("bench_") for file in Path(__file__).parent.glob("bench_*.py"))
    if unknown := set(wanted) - set(known):
        sys.exit(f"no bench is called {', '.join(sorted(unknown))}\n  why: there are {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def measured(name: str) -> Iterator[Row]:
    """The rows of one module; a module that breaks is a failed row, and the others still run."""
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    try:
        yield from importlib.import_module(f"tests.bench.bench_{name}").rows()
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        yield Row(name=f"{name}: broke, see above", value=float("nan"), unit="", threshold=0, runs=0)


def cells(row: Row) -> tuple[str, ...]:
    bound = "≥" if row.is_at_least else "≤"
    return (
        "ok" if row.is_ok else "FAIL",
        row.name,
        figure(row.value),
        f"{bound} {figure(row.threshold)}",
        row.unit,
        f"{row.runs} {row.statistic}",
        row.peer,
        figure(row.peer_value) if row.peer_value is not None else ("missing" if row.peer else ""),
        f"{row.ratio:.1f}x" if row.ratio is not None else "",
    )


def figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    lines = [HEAD, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_json(rows: Sequence[Row]) -> str:
    listed = [asdict(row) | {"ratio": row.ratio, "ok": row.is_ok} for row in rows]
    plain = [
        {key: "nan" if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in listed
    ]
    return json.dumps({"rows": plain, "ok": all(row.is_ok for row in rows)}, indent=2)


def main(words: Sequence[str]) -> int:
    names = module_names([word for word in words if word != "--json"])
    rows = [row for name in names for row in measured(name)]
    print(as_json(rows) if "--json" in words else table(rows))
    return 0 if all(row.is_ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
