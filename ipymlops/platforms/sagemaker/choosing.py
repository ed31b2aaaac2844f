"""The machine for a job: by `--gpu`, by `--machine`, or a small one; and what the card should say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ipymlops.errors import UsageProblem
from ipymlops.hardware import parse_gpu
from ipymlops.hardware.gpu import GpuAsk
from ipymlops.hardware.machines import Machine, fitting, has, read_machines
from ipymlops.hardware.machines import chosen as fitting_machine
from ipymlops.nearest import nearest
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.prices import known_price, price_of
from ipymlops.spec import JobSpec

TITLE = "SageMaker"
SMALL = "ml.m5.xlarge"
"""For a job that asks for no machine."""
OFFERED = 3
"""So many other machines are named."""
ENDING = {"ml.p3.": "AWS is retiring the P3 machines"}


@dataclass(frozen=True)
class Chosen:
    """A machine, its price where it is known for this region, and sentences for the card."""

    machine: Machine
    asked_count: int
    notes: tuple[str, ...] = ()


def has_gpu(gpu: str) -> bool:
    """Whether one of the machines has it; asks nobody."""
    return bool(fitting(parse_gpu(gpu), machine_table()))


def choose(aws: Aws, spec: JobSpec) -> Chosen:
    """The machine for a job. Raises `UsageProblem` for a type or a GPU that there is not, or that do not agree."""
    asks, machine = parse_gpu(spec.gpu) if spec.gpu else (), machine_for(spec)
    ask = next((one for one in asks if has(machine, one)), None)
    priced, price_note = price_of(aws, machine)
    notes = [price_note, *_rents_more(priced, ask, aws), *_ending(machine)]
    return Chosen(priced, ask.count if ask else priced.count, tuple(note for note in notes if note))


def machine_for(spec: JobSpec) -> Machine:
    """The same without its price: asks nobody."""
    asks = parse_gpu(spec.gpu) if spec.gpu else ()
    return _named(spec.machine_type, asks) if spec.machine_type else _by_gpu(spec.gpu, asks)


def offers(aws: Aws) -> Iterable[Machine]:
    """Every machine with an accelerator, with what is known of its price; asks nobody."""
    priced = (known_price(aws, one) for one in machine_table() if one.count)
    return sorted(priced, key=lambda one: (one.usd_per_hour is None, one.usd_per_hour or 0.0, one.machine_type))


def alternatives(machine: Machine, gpu: str | None = None) -> tuple[str, ...]:
    """The machines to try when there is none of this one: the other choices of `--gpu`, then the like, then others.

    Returns: For each the option that asks for it, and its price: `--machine ml.g6.2xlarge ($1.22 an hour)`.
    """
    asks = parse_gpu(gpu) if gpu else ()
    others = [one for _, one in fitting(asks, machine_table())]
    if machine.accelerator:
        others += [one for _, one in fitting([GpuAsk(machine.accelerator, None, machine.count)], machine_table())]
        others += [one for _, one in fitting([GpuAsk(None, machine.memory_gib, machine.count)], machine_table())]
    names = dict.fromkeys(one.machine_type for one in others if one.machine_type != machine.machine_type)
    return tuple(f"--machine {name} ({_price(_row(name))})" for name in list(names)[:OFFERED])


def machine_called(machine_type: str) -> Machine:
    """The row of the table; a type that is not in it has no known GPU and no known price."""
    return _table().get(machine_type) or Machine("sagemaker", machine_type)


def machine_table() -> tuple[Machine, ...]:
    """Every row of `machines.toml`."""
    return tuple(_table().values())


@cache
def _table() -> dict[str, Machine]:
    text = (files("ipymlops.platforms.sagemaker") / "machines.toml").read_text(encoding="utf-8")
    return {one.machine_type: one for one in read_machines("sagemaker", text)}


def _row(machine_type: str) -> Machine:
    return _table()[machine_type]


def _by_gpu(gpu: str | None, asks: tuple[GpuAsk, ...]) -> Machine:
    return fitting_machine(gpu, asks, machine_table(), TITLE)[1] if gpu else _row(SMALL)


def _named(machine_type: str, asks: tuple[GpuAsk, ...]) -> Machine:
    machine = _table().get(machine_type)
    if machine is None:
        machine = _unlisted(machine_type)
    if asks and not any(has(machine, ask) for ask in asks):
        there = f"{machine.count} x {machine.accelerator}" if machine.accelerator else "no GPU that we know of"
        raise UsageProblem(
            f"{machine_type} does not have --gpu {','.join(map(str, asks))}; nothing was sent",
            why=f"it has {there}",
            fix="leave --machine or --gpu out",
        )
    return machine


def _unlisted(machine_type: str) -> Machine:
    """A type that only the AWS library knows. Raises `UsageProblem` for one that it does not know either."""
    from botocore.session import Session

    shape: Any = Session().get_service_model("sagemaker").shape_for("TrainingInstanceType")
    known = [str(word) for word in shape.enum]
    if machine_type in known:
        return Machine("sagemaker", machine_type)
    near = nearest(machine_type, known)
    raise UsageProblem(
        f"SageMaker has no machine {machine_type!r} for training; nothing was sent",
        why=f"did you mean {near}?" if near else "its types begin with ml., for example ml.g6.xlarge",
        fix=f"--machine {near or 'ml.g6.xlarge'}",
    )


def _rents_more(machine: Machine, ask: GpuAsk | None, aws: Aws) -> Iterator[str]:
    """A sentence where more comes than was asked for, and the single GPUs that there are."""
    if ask is None or machine.count <= ask.count:
        return
    what = f"{machine.machine_type} has {machine.count} {machine.accelerator}, and all of them are paid"
    yield f"{ask.count} asked for: {what} ({_price(machine)}); SageMaker rents no fewer of them together"
    singles = [one for one in offers(aws) if one.count == 1 and one.memory_gib >= machine.memory_gib]
    best: dict[str, Machine] = {}
    for one in singles:
        best.setdefault(one.accelerator or "", one)
    named = [f"--gpu {name} ({one.machine_type}, {_price(one)})" for name, one in list(best.items())[:OFFERED]]
    if named:
        yield f"single GPUs with as much memory: {', '.join(named)}"


def _ending(machine: Machine) -> list[str]:
    return [note for begin, note in ENDING.items() if machine.machine_type.startswith(begin)]


def _price(machine: Machine) -> str:
    if machine.usd_per_hour is None:
        return "price unknown"
    return f"${machine.usd_per_hour:.2f} an hour{', estimated' if machine.is_estimate else ''}"
