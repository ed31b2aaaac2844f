"""The GPUs of this machine that a job gets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ipymlops.errors import UsageProblem
from ipymlops.hardware.gpu import GpuAsk, matches, parse_gpu
from ipymlops.hardware.local import LocalGpu, local_gpus
from ipymlops.hardware.machines import Machine
from ipymlops.platforms.base import Check
from ipymlops.platforms.processes import is_locked

VISIBLE = "CUDA_VISIBLE_DEVICES"
RECORD = "gpus.json"
"""In a job's folder: the numbers of its GPUs."""


@dataclass(frozen=True)
class Chosen:
    """The GPUs of one job: `count` for each node, their numbers as nvidia-smi counts; none at all for none asked."""

    name: str | None = None
    count: int = 0
    indexes: tuple[int, ...] = ()

    def of_node(self, rank: int) -> Chosen:
        return Chosen(self.name, self.count, self.indexes[rank * self.count : (rank + 1) * self.count])

    @property
    def env(self) -> dict[str, str]:
        """The variables that show a process these and no others."""
        if not self.count:
            return {}
        # Without the order CUDA counts from the fastest, nvidia-smi by the bus.
        return {VISIBLE: ",".join(map(str, self.indexes)), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def has_gpus(gpu: str, env: Mapping[str, str]) -> bool:
    """Whether this machine has what `--gpu` asks for."""
    return _choice(parse_gpu(gpu), _usable(env), 1, ()) is not None


def chosen_gpus(gpu: str | None, env: Mapping[str, str], *, nodes: int = 1, busy: Sequence[int] = ()) -> Chosen:
    """The GPUs for a job, those that no other job has first. Raises `UsageProblem` if the machine has not got them."""
    if gpu is None:
        return Chosen()
    usable = _usable(env)
    choice = _choice(parse_gpu(gpu), usable, nodes, busy)
    if choice is None:
        on_nodes = f" on each of {nodes} nodes" if nodes > 1 else ""
        raise UsageProblem(
            f"this machine has no GPU {gpu}{on_nodes}; nothing was started",
            why=f"it has {_listed(usable)}",
            fix="choose where it should run: ipymlops gpus " + gpu.split(",")[0].split(":")[0],
        )
    return choice


def busy_gpus(home: Path) -> list[int]:
    """The GPUs of the jobs that run here now."""
    return [index for folder in _with_gpus(home) for index in gpus_of(folder)]


def gpus_of(folder: Path) -> tuple[int, ...]:
    """The numbers that a job's folder says are its own."""
    record = folder / RECORD
    return tuple(json.loads(record.read_text(encoding="ascii"))) if record.exists() else ()


def machines_here(env: Mapping[str, str]) -> Iterator[Machine]:
    """This machine, once for each kind of GPU that it has; it costs nothing."""
    usable = _usable(env)
    names = [gpu.name for gpu in usable]
    for gpu in {gpu.name: gpu for gpu in usable}.values():
        yield Machine("local", "", gpu.name, names.count(gpu.name), gpu.memory_gib, usd_per_hour=0.0)


def gpu_check(platform: str, env: Mapping[str, str]) -> Check:
    usable = _usable(env)
    return Check(f"{platform}.gpu", "ok", f"this machine has {_listed(usable)}")


def _usable(env: Mapping[str, str]) -> tuple[LocalGpu, ...]:
    """Those of the machine that the caller may see."""
    visible = env.get(VISIBLE)
    found = local_gpus(env)
    if visible is None or not all(word.strip().isdigit() for word in visible.split(",")):
        return found
    allowed = {int(word) for word in visible.split(",")}
    return tuple(gpu for gpu in found if gpu.index in allowed)


def _choice(asks: Sequence[GpuAsk], usable: Sequence[LocalGpu], nodes: int, busy: Sequence[int]) -> Chosen | None:
    for ask in asks:
        for name in dict.fromkeys(gpu.name for gpu in usable if matches(ask, gpu.accelerator())):
            indexes = [gpu.index for gpu in usable if gpu.name == name]
            indexes.sort(key=lambda index: (index in busy, index))
            if len(indexes) >= ask.count * nodes:
                return Chosen(name, ask.count, tuple(indexes[: ask.count * nodes]))
    return None


def _listed(usable: Sequence[LocalGpu]) -> str:
    names = [gpu.name for gpu in usable]
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names)) or "no GPU"


def _with_gpus(home: Path) -> Iterator[Path]:
    for record in (home / "local").glob(f"*/{RECORD}"):
        locks = [record.parent / "shepherd.lock", *record.parent.glob("nodes/*/spawn.lock")]
        if any(is_locked(lock) for lock in locks):
            yield record.parent
