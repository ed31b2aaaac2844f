"""Machines with a GPU, and what they cost."""

from __future__ import annotations

from ipymlops.display.blocks import Block, Cell, Notes, Table
from ipymlops.hardware.machines import Machine
from ipymlops.units import usd
from ipymlops.verbs.results import MachineList

COLUMNS = ("platform", "machine", "GPU", "together>", "memory>", "an hour>", "each>", "markup>", "region", "as of")
UNKNOWN = Cell("unknown", "dim")


def listed(result: MachineList, door: str) -> tuple[Block, ...]:
    """A row a machine, then what the figures mean and which platforms were left out."""
    missing = tuple(f"left out: {one.what}{f': {one.why}' if one.why else ''} ({one.fix})" for one in result.missing)
    left_out: tuple[Block, ...] = (Notes("warn", missing),) if missing else ()
    if not result.machines:
        wanted = result.gpu or "a GPU"
        more = f"; {door} gpus lists all" if result.gpu else ""
        return Notes("dim", (f"no platform here has {wanted}{more}",)), *left_out
    meant = "markup: over the price of the plain machine, without the service around it"
    estimates = ("~ estimated from that price",) if any(one.is_estimate for one in result.machines) else ()
    use = f"{door} train --gpu NAME chooses the cheapest with NAME, --machine MACHINE that very one"
    table = Table(COLUMNS, tuple(_row(one) for one in result.machines))
    return table, Notes("dim", (meant, *estimates, use)), *left_out


def _row(one: Machine) -> tuple[Cell, ...]:
    mark = "~" if one.is_estimate else ""
    return (
        Cell(one.platform),
        Cell(one.machine_type or "this machine", "strong"),
        Cell(one.accelerator or ""),
        Cell(str(one.count)),
        Cell(f"{one.memory_gib} GiB") if one.memory_gib else UNKNOWN,
        _usd(one.usd_per_hour, mark),
        _usd(one.usd_per_gpu_hour, mark),
        _markup(one, mark),
        Cell("" if one.usd_per_hour is None else one.region or "", "dim"),
        Cell(one.as_of or "", "dim"),
    )


def _usd(amount: float | None, mark: str) -> Cell:
    return UNKNOWN if amount is None else Cell(mark + usd(amount))


def _markup(one: Machine, mark: str) -> Cell:
    if not one.machine_type:
        return Cell("")
    return UNKNOWN if one.markup_pct is None else Cell(f"{mark}{one.markup_pct:.0f} %")
