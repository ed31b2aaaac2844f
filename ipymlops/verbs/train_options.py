"""Every option of `train` in one table: the parser, the help, the completion and the Python function read it."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ipymlops.spec import Pairs
from ipymlops.verbs import values
from ipymlops.verbs.verb import VerbOptions


@dataclass(frozen=True)
class Option:
    """One row.

    Attributes:
        field: Of `TrainOptions`, and of `JobSpec` where `is_spec`: then a platform may not have it.
        metavar: "" for an option without a value.
    """

    flag: str
    field: str
    metavar: str
    help: str
    convert: Callable[[str], Any] = str
    is_repeatable: bool = False
    is_spec: bool = True
    short: str = ""


TABLE = (
    Option("--on", "on", "PLATFORM", "where to run (default: the configured platform)", is_spec=False),
    Option("--gpu", "gpu", "NAME[:COUNT]", "a100, a100:2, a100-80gb, 40gb+ or l4,a10g,t4 in that order", values.gpu),
    Option("--machine", "machine_type", "TYPE", "the platform's own machine type"),
    Option("--nodes", "nodes", "N", "how many machines (default: 1)", values.whole_number("--nodes", 1)),
    Option("--image", "image", "IMAGE", "the container image to run in"),
    Option("--bake", "bake", "", "put the code into the image as one layer"),
    Option("--no-code", "no_code", "", "run the image as built: its own entrypoint with the words that follow"),
    Option("--name", "name", "NAME", "the job's name (default: the script's stem and the number)", values.job_name),
    Option("--label", "labels", "K=V", "a label to find it by", values.pair("--label", "K=V"), is_repeatable=True),
    Option(
        "--data",
        "data",
        "NAME=URI",
        "data below IPYMLOPS_DATA_DIR/NAME",
        values.pair("--data", "NAME=URI"),
        is_repeatable=True,
    ),
    Option(
        "--env",
        "env",
        "K=V",
        "a variable for the script; --env K passes yours on",
        values.optional_pair("--env"),
        is_repeatable=True,
    ),
    Option(
        "--secret",
        "secrets",
        "NAME[=REF]",
        "a secret for the script, from your environment, keyring or the cloud's",
        values.optional_pair("--secret"),
        is_repeatable=True,
    ),
    Option(
        "--metric",
        "metrics",
        "NAME=REGEX",
        "read a metric from the log by its one group",
        values.metric,
        is_repeatable=True,
    ),
    Option("--spot", "spot", "", "a cheaper machine that may be taken away"),
    Option("--keep-warm", "keep_warm_s", "20m", "keep the machine for the next job", values.seconds("--keep-warm")),
    Option(
        "--max-runtime", "max_runtime_s", "4h", "stop it after that (default: 24h)", values.seconds("--max-runtime")
    ),
    Option("--max-cost", "max_cost_usd", "50", "stop it before it costs more US dollars", values.dollars("--max-cost")),
    Option(
        "--set",
        "settings",
        "KEY=VALUE",
        "a setting of the platform, for this job",
        values.pair("--set", "KEY=VALUE"),
        is_repeatable=True,
    ),
    Option("--plan", "plan", "", "say what would be sent, where and for how much; send nothing", is_spec=False),
    Option("--follow", "follow", "", "show the log until it ends", is_spec=False, short="-f"),
    Option("--wait", "wait", "", "wait until it ends", is_spec=False),
    Option("--again", "again", "", "start another, even if the identical job is still live", is_spec=False),
)


@dataclass(frozen=True)
class TrainOptions(VerbOptions):
    """What a `train` line says.

    Attributes:
        script: "" for the default script; None for a command, or for an image's own entrypoint.
        argv: What follows the script, or the whole command.
    """

    on: str | None = None
    gpu: str | None = None
    machine_type: str | None = None
    nodes: int = 1
    image: str | None = None
    bake: bool = False
    no_code: bool = False
    name: str = ""
    labels: Pairs = ()
    data: Pairs = ()
    env: tuple[tuple[str, str | None], ...] = ()
    secrets: tuple[tuple[str, str | None], ...] = ()
    metrics: Pairs = ()
    spot: bool = False
    keep_warm_s: int | None = None
    max_runtime_s: int | None = None
    max_cost_usd: float | None = None
    settings: Pairs = ()
    plan: bool = False
    follow: bool = False
    wait: bool = False
    again: bool = False
    script: str | None = ""
    argv: tuple[str, ...] = ()


def add_arguments(parser: ArgumentParser, rows: Iterable[Option] = TABLE) -> None:
    """The table as arguments; what is not given is not set, so that the defaults stand in the options alone."""
    for row in rows:
        flags = [row.flag, *([row.short] if row.short else [])]
        if row.metavar:
            action = "append" if row.is_repeatable else "store"
            parser.add_argument(
                *flags,
                dest=row.field,
                action=action,
                default=SUPPRESS,
                metavar=row.metavar,
                type=row.convert,
                help=row.help,
            )
        else:
            parser.add_argument(*flags, dest=row.field, action="store_true", default=SUPPRESS, help=row.help)
