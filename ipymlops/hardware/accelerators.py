"""The accelerators we know by name, from the table `accelerators.toml`."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MAKERS = re.compile(r"^(NVIDIA|Tesla)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Accelerator:
    """A row of the table.

    Attributes:
        name: As typed after `--gpu`, lower case.
        memory_gib: Of one, by the size it is sold by; what a driver reports is a little less.
        kind_of: Asking for this other name gives this accelerator too.
        is_gpu: Code for a GPU runs on it; what is no GPU is given to those who name it.
        patterns: Whole names as nvidia-smi prints them, without the maker.
    """

    name: str
    title: str
    memory_gib: int
    aliases: tuple[str, ...] = ()
    kind_of: str | None = None
    is_gpu: bool = True
    patterns: tuple[str, ...] = ()


@cache
def accelerators() -> dict[str, Accelerator]:
    """Every accelerator by its name, in the order of the table."""
    table = tomllib.loads((files("ipymlops.hardware") / "accelerators.toml").read_text(encoding="utf-8"))
    return {name: _row(name, fields) for name, fields in table.items()}


def accelerator_called(name: str) -> Accelerator | None:
    """By its name or an alias, in any case."""
    wanted = name.strip().lower()
    known = accelerators()
    if wanted in known:
        return known[wanted]
    return next((one for one in known.values() if wanted in one.aliases), None)


def accelerator_printed(driver_name: str) -> Accelerator | None:
    """By the name that the driver prints, `NVIDIA A100-SXM4-80GB`."""
    bare = driver_name.strip()
    while _MAKERS.match(bare):
        bare = _MAKERS.sub("", bare)
    for one in accelerators().values():
        if any(re.fullmatch(pattern, bare, re.IGNORECASE) for pattern in one.patterns):
            return one
    return None


def _row(name: str, fields: dict[str, object]) -> Accelerator:
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    return Accelerator(name=name, **lists)  # type: ignore[arg-type]
