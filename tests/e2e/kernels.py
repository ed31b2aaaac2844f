"""A real kernel for tests: started, driven and ended; replies are matched to their request, whatever else is under way."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager

PATIENCE_S = 120.0
"""How long anything may take before it counts as hung; a passing test never waits for it."""

Message = dict[str, Any]


@dataclass
class Ran:
    """One executed cell: its reply's content and every message that it published, in order."""

    reply: Message
    messages: list[Message] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return self.reply["status"] == "ok"

    @property
    def error(self) -> str:
        """`Name: text` as the cell shows it, "" without an error."""
        tracebacks = ["\n".join(one["content"]["traceback"]) for one in self.messages_of("error")]
        return "\n".join(tracebacks)

    def stream(self, name: str = "stdout") -> str:
        return "".join(one["content"]["text"] for one in self.messages_of("stream") if one["content"]["name"] == name)

    @property
    def outputs(self) -> list[Message]:
        """What the saved notebook holds: displays after their last update, and results; mime type → data."""
        shown: list[tuple[str | None, Message]] = []
        for one in self.messages_of("display_data", "execute_result", "update_display_data"):
            display_id = one["content"].get("transient", {}).get("display_id")
            if one["msg_type"] == "update_display_data":
                shown = [(known, one["content"]["data"] if known == display_id else data) for known, data in shown]
            else:
                shown.append((display_id, one["content"]["data"]))
        return [data for _, data in shown]

    def messages_of(self, *kinds: str) -> list[Message]:
        return [one for one in self.messages if one["msg_type"] in kinds]


class Kernel:
    """One ipykernel process and its client. `seen` has every published message, also those that no cell waited for."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.seen: list[Message] = []
        self._sockets = tempfile.TemporaryDirectory(prefix="k")
        # sockets in a short-named folder of their own: ports are raced for by tests that run side by side
        self._manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{self._sockets.name}/s")
        self._manager.start_kernel(cwd=str(folder), env=os.environ | dict(env or {}))
        self._client: BlockingKernelClient = self._manager.blocking_client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=PATIENCE_S)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return int(self._manager.provisioner.pid)

    @property
    def is_alive(self) -> bool:
        return bool(self._manager.is_alive())

    def run(self, code: str, *, timeout_s: float = PATIENCE_S) -> Ran:
        """Execute a cell and wait for its end. A kernel refuses what it finds queued for a moment after an error."""
        give_up = time.monotonic() + timeout_s
        while True:
            ran = self.finish(self.start(code), timeout_s=max(1.0, give_up - time.monotonic()))
            if ran.reply["status"] not in {"aborted", "abort"}:
                return ran
            if time.monotonic() > give_up:
                raise TimeoutError(f"the kernel went on refusing {code!r}")
            time.sleep(0.05)

    def start(self, code: str) -> str:
        """Execute without waiting; `finish` takes what this returns."""
        return str(self._client.execute(code, allow_stdin=False))

    def finish(self, request: str, *, timeout_s: float = PATIENCE_S) -> Ran:
        """The outcome of a started cell: its reply, and its messages up to the kernel's `idle` for it."""
        give_up = time.monotonic() + timeout_s
        messages = self._published(request, give_up)
        return Ran(self._reply(request, give_up), messages)

    def until(self, request: str, text: str, *, timeout_s: float = PATIENCE_S) -> list[Message]:
        """The messages of a started cell up to the first that contains `text`."""
        give_up = time.monotonic() + timeout_s
        messages: list[Message] = []
        while not messages or text not in str(messages[-1]["content"]):
            message = self._heard(give_up)
            if message["parent_header"].get("msg_id") == request:
                messages.append(message)
        return messages

    def complete(self, code: str, cursor: int | None = None) -> Message:
        request = self._client.complete(code, cursor)
        return self._reply(str(request), time.monotonic() + PATIENCE_S)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        """End it as an out-of-memory killer would, by its pid alone, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        give_up = time.monotonic() + PATIENCE_S
        while self._manager.is_alive() and time.monotonic() < give_up:
            time.sleep(0.02)

    def close(self) -> None:
        self._client.stop_channels()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        self._sockets.cleanup()

    def _published(self, request: str, give_up: float) -> list[Message]:
        """Everything published for the request up to `idle`, what `until` has heard already included."""
        while True:
            mine = [one for one in self.seen if one["parent_header"].get("msg_id") == request]
            for at, one in enumerate(mine):
                if one["msg_type"] == "status" and one["content"]["execution_state"] == "idle":
                    return mine[:at]
            self._heard(give_up)

    def _heard(self, give_up: float) -> Message:
        message = self._next(self._client.get_iopub_msg, give_up)
        self.seen.append(message)
        return message

    def _reply(self, request: str, give_up: float) -> Message:
        while True:
            message = self._next(self._client.get_shell_msg, give_up)
            if message["parent_header"].get("msg_id") == request:
                return dict(message["content"])

    def _next(self, receive: Any, give_up: float) -> Message:
        """The next message; raises as soon as the kernel is dead rather than at the end of our patience."""
        while time.monotonic() < give_up:
            with contextlib.suppress(queue.Empty):
                return dict(receive(timeout=0.5))
            if not self._manager.is_alive():
                raise RuntimeError("the kernel died")
        raise TimeoutError("the kernel does not answer")


@contextlib.contextmanager
def running_kernel(folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Kernel]:
    """A kernel in `folder`, ended when the block is left, whatever happened in it."""
    kernel = Kernel(folder, env)
    try:
        yield kernel
    finally:
        kernel.close()
