"""The machines that platforms rent: rows of their `machines.toml`, and the ones for what `--gpu` asks for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ipymlops.errors import UsageProblem
from ipymlops.hardware.accelerators import Accelerator, accelerators
from ipymlops.hardware.gpu import GpuAsk, matches

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Machine:
    """A machine type of a platform.

    Attributes:
        machine_type: The platform's own word; "" for this very machine.
        accelerator: By its name in `accelerators.toml`, None for none or one that is not known; `count` how many come
            together; `memory_gib` of each.
        usd_per_hour: On demand, None where unknown; `as_of` is the ISO date of the price, `region` where it holds.
        is_estimate: The price is reckoned from another one, not read from a list.
        base_usd_per_hour: What the same machine costs without the training service around it; None where unknown.
        has_own_disk: Brings a fixed local disk: a size that is asked for is ignored there.
    """

    platform: str
    machine_type: str
    accelerator: str | None = None
    count: int = 0
    memory_gib: int = 0
    vcpus: int = 0
    ram_gib: float = 0.0
    usd_per_hour: float | None = None
    as_of: str | None = None
    region: str | None = None
    is_estimate: bool = False
    base_usd_per_hour: float | None = None
    has_own_disk: bool = False

    @property
    def markup_pct(self) -> float | None:
        """How much dearer it is than the plain machine, in percent; None where one of the prices is unknown."""
        if self.usd_per_hour is None or not self.base_usd_per_hour:
            return None
        return 100 * (self.usd_per_hour / self.base_usd_per_hour - 1)

    @property
    def usd_per_gpu_hour(self) -> float | None:
        return None if self.usd_per_hour is None or not self.count else self.usd_per_hour / self.count


def read_machines(platform: str, text: str) -> tuple[Machine, ...]:
    """The rows of a `machines.toml`: a table a machine; `region` and `as_of` at the top hold for every price."""
    table = tomllib.loads(text)
    common: dict[str, str] = {key: table[key] for key in ["region", "as_of"] if key in table}
    rows = ((name, row) for name, row in table.items() if isinstance(row, dict))
    return tuple(_machine(platform, name, row, common) for name, row in rows)


def fitting(asks: Sequence[GpuAsk], machines: Iterable[Machine]) -> tuple[tuple[GpuAsk, Machine], ...]:
    """The machines for each choice in turn, cheapest first: at least as many of exactly what was asked for."""
    ordered = sorted(machines, key=dearness)
    return tuple((ask, one) for ask in asks for one in ordered if has(one, ask))


def chosen(text: str, asks: Sequence[GpuAsk], machines: Iterable[Machine], title: str) -> tuple[GpuAsk, Machine]:
    """The first of `fitting`. Raises `UsageProblem` that names what there is."""
    known = list(machines)
    found = fitting(asks, known)
    if found:
        return found[0]
    fewer = [(one.count, ask) for ask in asks for one in known if has(one, replace(ask, count=1))]
    if fewer:
        most, ask = max(fewer, key=lambda pair: pair[0])
        nodes = -(-ask.count // most)
        why = f"the most in one machine is {most}; {nodes} machines are --nodes {nodes}"
        fix = f"--gpu {replace(ask, count=most)}"
        raise UsageProblem(f"{title} has no machine with --gpu {text}; nothing was sent", why=why, fix=fix)
    names = ", ".join(sorted({one.accelerator for one in known if one.accelerator}))
    raise UsageProblem(f"{title} rents no {text}; nothing was sent", why=f"it rents {names}", fix="ipymlops gpus")


def has(machine: Machine, ask: GpuAsk) -> bool:
    """Whether the machine has what was asked for, and enough of it."""
    name = machine.accelerator
    if name is None or machine.count < ask.count:
        return False
    return matches(ask, accelerators().get(name) or Accelerator(name, name, machine.memory_gib))


def dearness(machine: Machine) -> tuple[bool, float, int, float, str]:
    """To sort by: known prices first; an unknown one by that of the plain machine, then by size."""
    is_unknown = machine.usd_per_hour is None
    price = machine.base_usd_per_hour if is_unknown else machine.usd_per_hour
    size = (machine.count, machine.ram_gib, machine.machine_type)
    return is_unknown, float("inf") if price is None else price, *size


def _machine(platform: str, name: str, row: dict[str, Any], common: dict[str, str]) -> Machine:
    is_priced, has_base = "usd_per_hour" in row, "base_usd_per_hour" in row
    keys = [key for key in common if is_priced or (has_base and key == "region")]
    return Machine(platform, name, **{**row, **{key: common[key] for key in keys}})
