"""The machines that platforms rent: rows of their `machines.toml`, and the one for what `--gpu` asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """A machine type of a platform.

    Attributes:
        accelerator: By its name in `accelerators.toml`; `count` how many come together; `memory_gib` of each.
        usd_per_hour: On demand, None where unknown; `as_of` is the ISO date of the price, `region` where it holds.
        is_estimate: The price is reckoned from another one, not read from a list.
        base_usd_per_hour: What the same machine costs without the training service around it; None where unknown.
        has_own_disk: Brings a fixed local disk: a size that is asked for is ignored there.
    """

    platform: str
    machine_type: str
    accelerator: str | None
    count: int
    memory_gib: int
    vcpus: int
    ram_gib: float
    usd_per_hour: float | None = None
    as_of: str | None = None
    region: str | None = None
    is_estimate: bool = False
    base_usd_per_hour: float | None = None
    has_own_disk: bool = False
