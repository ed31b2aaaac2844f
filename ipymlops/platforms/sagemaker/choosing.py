"""The machine for a job: by `--gpu`, by `--machine`, or a small one; and what the card should say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from ipymlops.errors import UsageProblem
from ipymlops.hardware import parse_gpu
from ipymlops.hardware.accelerators import accelerators
from ipymlops.hardware.gpu import GpuAsk
from ipymlops.hardware.machines import Machine, dearness, fitting, has, read_machines
from ipymlops.hardware.machines import chosen as fitting_machine
from ipymlops.nearest import nearest
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.prices import known_prices, price_of
from ipymlops.spec import JobSpec

NAME, TITLE = "sagemaker", "SageMaker"
SMALL = "ml.m5.xlarge"
"""For a job that asks for no machine."""
OFFERED = 3
"""So many other machines are named."""
ENDING = {"ml.p3.": "AWS is retiring the P3 machines"}
RESERVED = ("ml.p6e-gb200.",)
"""Rented within a training plan only, which is bought ahead: nothing that a line could ask for."""


@dataclass(frozen=True)
class Chosen:
    """A machine, its price where it is known for this region, and sentences for the card."""

    machine: Machine
    asked_count: int
    notes: tuple[str, ...] = ()


def has_gpu(gpu: str) -> bool:
    """Whether one of the machines has it; asks nobody."""
    return bool(fitting(parse_gpu(gpu), _for_hire()))


def choose(aws: Aws, spec: JobSpec) -> Chosen:
    """The machine for a job. Raises `UsageProblem` for a type or a GPU that there is not, or that do not agree."""
    asks, machine = parse_gpu(spec.gpu) if spec.gpu else (), machine_for(spec)
    at = next((at for at, ask in enumerate(asks) if has(machine, ask)), None)
    priced, price_note = price_of(aws, machine)
    notes = [price_note, *_of_type(priced)]
    if at is not None:
        notes += [*_rents_more(aws, priced, asks[at]), *_choices(aws, asks, at)]
    asked_count = priced.count if at is None else asks[at].count
    return Chosen(priced, asked_count, tuple(note for note in notes if note))


def machine_for(spec: JobSpec) -> Machine:
    """The same without its price: asks nobody."""
    asks = parse_gpu(spec.gpu) if spec.gpu else ()
    return _named(spec.machine_type, asks) if spec.machine_type else _by_gpu(spec.gpu, asks)


def offers(aws: Aws) -> Iterable[Machine]:
    """Every machine with an accelerator, with what is known of its price; asks nobody."""
    return sorted(known_prices(aws, (one for one in machine_table() if one.count)), key=dearness)


def alternatives(aws: Aws, machine: Machine, gpu: str | None = None) -> tuple[tuple[str, Machine], ...]:
    """What to ask for where there is none of this machine: the other choices of `--gpu`, the like, then others.

    Args:
        gpu: As the line has it; with it, another GPU is asked for by its name, as the two must agree.
    Returns: (the option for the line, the machine with its price), best first.
    """
    known = list(known_prices(aws, _for_hire()))
    asks = parse_gpu(gpu) if gpu else ()
    count = next((ask.count for ask in asks if has(machine, ask)), machine.count)
    likely = [one for ask in asks for one in _first_of_each(fitting([ask], known))]
    if machine.accelerator:
        likely += [one for _, one in fitting([GpuAsk(machine.accelerator, None, count)], known)]
    likely += _no_smaller(replace(machine, count=count), known)
    likely.sort(key=lambda one: one.count > machine.count)  # what costs many times as much comes last
    found = {one.machine_type: one for one in likely if one.machine_type != machine.machine_type}
    return tuple((_option(one, asks), one) for one in list(found.values())[:OFFERED])


def told(machine: Machine) -> str:
    """`ml.p5.4xlarge, $7.90 an hour, estimated`."""
    return f"{machine.machine_type}, {price_text(machine)}"


def price_text(machine: Machine) -> str:
    if machine.usd_per_hour is None:
        return "price unknown"
    return f"${machine.usd_per_hour:.2f} an hour{', estimated' if machine.is_estimate else ''}"


def machine_called(machine_type: str) -> Machine:
    """The row of the table; a type that is not in it has no known GPU and no known price."""
    return _table().get(machine_type) or Machine(NAME, machine_type)


def machine_table() -> tuple[Machine, ...]:
    """Every row of `machines.toml`."""
    return tuple(_table().values())


@cache
def _table() -> dict[str, Machine]:
    text = (files("ipymlops.platforms.sagemaker") / "machines.toml").read_text(encoding="utf-8")
    return {one.machine_type: one for one in read_machines(NAME, text)}


def _for_hire() -> Iterator[Machine]:
    """Those that a line can ask for."""
    return (one for one in machine_table() if not one.machine_type.startswith(RESERVED))


def _by_gpu(gpu: str | None, asks: tuple[GpuAsk, ...]) -> Machine:
    return fitting_machine(gpu, asks, _for_hire(), TITLE)[1] if gpu else machine_called(SMALL)


def _named(machine_type: str, asks: tuple[GpuAsk, ...]) -> Machine:
    machine = _table().get(machine_type) or _unlisted(machine_type)
    if machine_type.startswith(RESERVED):
        why = "AWS rents it within a training plan only, which is bought ahead"
        raise UsageProblem(f"{machine_type} cannot be asked for; nothing was sent", why=why, fix="ipymlops gpus")
    if asks and not any(has(machine, ask) for ask in asks):
        there = f"{machine.count} x {machine.accelerator}" if machine.accelerator else "no GPU that we know of"
        raise UsageProblem(
            f"{machine_type} does not have --gpu {','.join(map(str, asks))}; nothing was sent",
            why=f"it has {there}; --gpu alone chooses a machine that has",
            fix=f"ipymlops gpus {','.join(map(str, asks))}",
        )
    return machine


def _unlisted(machine_type: str) -> Machine:
    """A type that only the AWS library knows. Raises `UsageProblem` for one that it does not know either."""
    from botocore.session import Session

    shape: Any = Session().get_service_model("sagemaker").shape_for("TrainingInstanceType")
    known = [str(word) for word in shape.enum]
    if machine_type in known:
        return Machine(NAME, machine_type)
    with_prefix = f"ml.{machine_type}"
    near = with_prefix if with_prefix in known else nearest(machine_type, known)
    raise UsageProblem(
        f"SageMaker has no machine {machine_type!r} for training; nothing was sent",
        why=f"did you mean {near}?" if near else "its types begin with ml., for example ml.g6.xlarge",
        fix=f"--machine {near or 'ml.g6.xlarge'}",
    )


def _of_type(machine: Machine) -> Iterator[str]:
    """What is special about the machine type."""
    if machine.machine_type not in _table():
        yield f"{machine.machine_type} is not in our table: its GPU, if it has one, is not known"
    yield from (note for begin, note in ENDING.items() if machine.machine_type.startswith(begin))


def _rents_more(aws: Aws, machine: Machine, ask: GpuAsk) -> Iterator[str]:
    """A sentence where more comes than was asked for, and machines that have just as many of no less memory."""
    if machine.count <= ask.count:
        return
    yield f"--gpu {ask}: SageMaker rents {machine.count} together, all of them paid ({told(machine)})"
    if not _is_gpu(machine):
        return
    just = GpuAsk(None, machine.memory_gib, ask.count)
    priced = known_prices(aws, (one for one in _for_hire() if one.count == ask.count))
    named = [f"--gpu {_gpu(one)} ({told(one)})" for one in _first_of_each(fitting([just], priced))]
    if named:
        alone = "alone" if ask.count == 1 else f"{ask.count} together"
        yield f"with as much memory it rents {alone}: {', '.join(named[:OFFERED])}"


def _choices(aws: Aws, asks: tuple[GpuAsk, ...], at: int) -> Iterator[str]:
    """Where several GPUs were named: which of them it is, and which come next."""
    if at:
        yield f"SageMaker rents no {', '.join(map(str, asks[:at]))}: {asks[at]} is the next choice"
    known = list(known_prices(aws, _for_hire()))
    later = [f"--gpu {ask} ({told(found[0][1])})" for ask in asks[at + 1 :] if (found := fitting([ask], known))]
    if later:
        yield f"if there is none to be had, next in line: {', '.join(later)}"


def _first_of_each(found: Iterable[tuple[GpuAsk, Machine]]) -> list[Machine]:
    """The cheapest machine of each accelerator."""
    best: dict[str | None, Machine] = {}
    for _, machine in found:
        best.setdefault(machine.accelerator, machine)
    return list(best.values())


def _no_smaller(machine: Machine, known: list[Machine]) -> list[Machine]:
    """Others with as many GPUs of no less memory; for a machine without, others without and no smaller."""
    if machine.accelerator or not machine.vcpus:
        like = [GpuAsk(None, machine.memory_gib, machine.count)] if _is_gpu(machine) else []
        return _first_of_each(fitting(like, known))
    bigger = (one for one in known if one.vcpus >= machine.vcpus and one.ram_gib >= machine.ram_gib)
    return sorted((one for one in bigger if not one.accelerator), key=dearness)


def _is_gpu(machine: Machine) -> bool:
    return machine.accelerator is not None and accelerators()[machine.accelerator].is_gpu


def _option(machine: Machine, asks: tuple[GpuAsk, ...]) -> str:
    agrees = not asks or any(has(machine, ask) for ask in asks)
    return f"--machine {machine.machine_type}" if agrees else f"--gpu {_gpu(machine)}"


def _gpu(machine: Machine) -> str:
    return str(replace(GpuAsk(machine.accelerator, None), count=machine.count))
