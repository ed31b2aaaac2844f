"""The grammar of `--gpu`: `a100`, `a100:2`, `a100-80gb`, `40gb+`, `l4,a10g,t4` (in that order)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ipymlops.errors import UsageProblem
from ipymlops.hardware.accelerators import Accelerator, accelerator_called, accelerators
from ipymlops.nearest import nearest

_MEMORY = re.compile(r"(\d{1,4})gb\+", re.ASCII)
_COUNT = re.compile(r"[1-9]\d{0,3}", re.ASCII)


@dataclass(frozen=True)
class GpuAsk:
    """One choice of what was asked for: a name, or a least memory of each in GiB (one of the two), and how many."""

    name: str | None
    min_memory_gib: int | None
    count: int = 1

    def __str__(self) -> str:
        kind = self.name if self.name is not None else f"{self.min_memory_gib}gb+"
        return kind if self.count == 1 else f"{kind}:{self.count}"


def parse_gpu(text: str) -> tuple[GpuAsk, ...]:
    """The choices, best first. Raises `UsageProblem` for a name we do not know, with the nearest and the list."""
    return tuple(_parse_one(word.strip().lower(), text) for word in text.split(","))


def matches(ask: GpuAsk, accelerator: Accelerator) -> bool:
    """Whether the accelerator is what was asked for; how many there are is for the caller to see."""
    if ask.name is not None:
        return ask.name in (accelerator.name, accelerator.kind_of)
    return accelerator.is_gpu and accelerator.memory_gib >= (ask.min_memory_gib or 0)


def _parse_one(word: str, text: str) -> GpuAsk:
    kind, colon, count_word = word.partition(":")
    if colon and not _COUNT.fullmatch(count_word):
        raise _no_count(text, kind, count_word)
    count = int(count_word) if colon else 1
    memory = _MEMORY.fullmatch(kind)
    if memory:
        return GpuAsk(None, _memory(int(memory[1]), text), count)
    known = accelerator_called(kind)
    if known is None:
        raise _unknown(kind, text)
    return GpuAsk(known.name, None, count)


def _memory(gib: int, text: str) -> int:
    most = max(one.memory_gib for one in accelerators().values() if one.is_gpu)
    if gib > most:
        raise UsageProblem(f"--gpu {text}: no GPU has {gib} GB", why=f"the most is {most} GB", fix=f"--gpu {most}gb+")
    return gib


def _no_count(text: str, kind: str, count: str) -> UsageProblem:
    return UsageProblem(
        f"--gpu {text}: {count!r} is no number of GPUs",
        why="a whole number from 1 follows the colon",
        fix=f"--gpu {kind or 't4'}:1",
    )


def _unknown(kind: str, text: str) -> UsageProblem:
    words = [name for one in accelerators().values() for name in (one.name, *one.aliases)]
    near = nearest(kind, words)
    meant = f"did you mean {near!r}? " if near else ""
    what = f"no GPU is called {kind!r}" if kind else f"--gpu {text!r} names no GPU"
    return UsageProblem(
        what,
        why=f"{meant}there are: {', '.join(accelerators())}; or by memory: 40gb+",
        fix=f"--gpu {near or 't4'}",
    )
