"""`gpus`: which machine on which platform has a GPU, how many come together, and what it costs."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass

from ipymlops.context import Context
from ipymlops.errors import PlatformProblem, UsageProblem
from ipymlops.hardware.gpu import GpuAsk
from ipymlops.hardware.machines import Machine, dearness, fitting
from ipymlops.verbs.results import MachineList
from ipymlops.verbs.verb import VerbOptions

HELP = "list the machines with a GPU: how many come together, price per hour, markup; NAME as for --gpu"
EXAMPLES = ("ipymlops gpus", "ipymlops gpus a100", "ipymlops gpus 40gb+:2 --json")


@dataclass(frozen=True)
class GpusOptions(VerbOptions):
    """What a `gpus` line says."""

    gpu: str | None = None


OPTIONS = GpusOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("gpu", nargs="?", default=SUPPRESS, metavar="NAME", help="a100, a100:2, 40gb+ or l4,a10g")


def run(options: GpusOptions, context: Context) -> MachineList:
    from ipymlops.platforms.gpus_here import machines_here

    asks = _asks(options.gpu) if options.gpu else ()
    found = [rented(name, context) for name in context.platforms]
    machines = [*machines_here(context.env), *(one for some in found if isinstance(some, tuple) for one in some)]
    missing = tuple(one for one in found if isinstance(one, PlatformProblem))
    return MachineList(_ordered(asks, machines), options.gpu, missing)


def _asks(gpu: str) -> tuple[GpuAsk, ...]:
    from ipymlops.hardware import parse_gpu

    try:
        return parse_gpu(gpu)
    except UsageProblem as wrong:
        fix = wrong.fix.replace("--gpu", "ipymlops gpus", 1)
        raise UsageProblem(wrong.what, why=wrong.why, fix=fix) from None


def rented(name: str, context: Context) -> tuple[Machine, ...] | PlatformProblem:
    """The machines of one platform: none of one that rents none, and an error where it cannot be asked for them."""
    from ipymlops.platforms.abilities import Rents

    try:
        rents = issubclass(context.platforms.kind(name), Rents) and context.platforms[name]
        return tuple(rents.machines()) if isinstance(rents, Rents) else ()
    except PlatformProblem as problem:
        return problem


def _ordered(asks: tuple[GpuAsk, ...], machines: list[Machine]) -> tuple[Machine, ...]:
    """Cheapest first; of several choices those of the first come first."""
    if not asks:
        return tuple(sorted(machines, key=dearness))
    return tuple(dict.fromkeys(machine for _, machine in fitting(asks, machines)))
