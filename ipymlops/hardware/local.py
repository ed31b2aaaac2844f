"""The GPUs of this machine, as its driver lists them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from ipymlops.hardware.accelerators import Accelerator, accelerator_printed

_QUERY = ("--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits")
_TIMEOUT_S = 10.0  # a hanging driver must not hang the notebook


@dataclass(frozen=True)
class LocalGpu:
    """One GPU: its name in our table (or made from the driver's), the driver's own, and its number for the driver."""

    name: str
    title: str
    memory_gib: int
    index: int

    def accelerator(self) -> Accelerator:
        """As a row of the table, for `gpu.matches`; one we do not know has only its own name."""
        return accelerator_printed(self.title) or Accelerator(self.name, self.title, self.memory_gib)


def local_gpus(env: Mapping[str, str] | None = None, *, timeout_s: float = _TIMEOUT_S) -> tuple[LocalGpu, ...]:
    """What nvidia-smi lists; empty without it, without a working driver, or if it does not answer in time.

    Args:
        env: Its PATH is searched; None means this process's.
    """
    env = os.environ if env is None else env
    program = shutil.which("nvidia-smi", path=env.get("PATH", os.defpath))
    if program is None:
        return ()
    lines = _output([program, *_QUERY], env, timeout_s).decode(errors="replace").splitlines()
    return tuple(gpu for gpu in map(_gpu, lines) if gpu is not None)


def _output(words: list[str], env: Mapping[str, str], timeout_s: float) -> bytes:
    """What the program prints; nothing if it fails or does not end in time."""
    try:
        process = subprocess.Popen(
            words,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return b""
    with process.stdout or nullcontext():
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return b""
    return output if process.returncode == 0 else b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """A program that waits in a broken driver may not even die: it is not waited for any longer."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(1)


def _gpu(line: str) -> LocalGpu | None:
    """`0, NVIDIA A10G, 23028`: the memory in MiB, "[N/A]" where it is shared with the processor."""
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 3 or not fields[0].isdigit():  # noqa: PLR2004 - what we asked for
        return None
    index, title, memory = fields
    known = accelerator_printed(title)
    if known is not None:
        return LocalGpu(known.name, title, known.memory_gib, int(index))
    gib = round(int(memory) / 1024) if memory.isdigit() else 0
    return LocalGpu(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"), title, gib, int(index))
