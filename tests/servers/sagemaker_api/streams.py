"""What a container says, as CloudWatch gets it: a line an event, no empty ones, text only, long ones in pieces."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.servers.sagemaker_api.record import TrainingJobRecord

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

EVENT_BYTES = 256 * 1024
EVERY_S = 0.05


class StreamWriter:
    """One stream, made with its first event; lines are written in batches."""

    def __init__(self, api: SageMakerApi, job: TrainingJobRecord, host: str) -> None:
        self._api, self._job = api, job
        self._stream = f"{job.name}/{host}-{int(job.now())}"
        if job.attempts > 1:  # the service's streams of one host differ in their seconds, and tests are quick
            self._stream = f"{job.name}/{host}-{int(job.now()) + job.attempts - 1}"
        self._rest = b""
        self._events: list[tuple[float, str]] = []
        self._guard = threading.Lock()
        self._timer: threading.Timer | None = None
        self.has_lines = False

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._add(lines)

    def close(self) -> None:
        self._add([self._rest])
        self._rest = b""
        with self._guard:
            if self._timer:
                self._timer.cancel()
        self._write()

    def _add(self, lines: list[bytes]) -> None:
        now = self._job.now()
        with self._guard:
            for line in lines:
                for start in range(0, len(line), EVENT_BYTES):
                    self._events.append((now, line[start : start + EVENT_BYTES].decode("utf-8", "replace")))
            if self._events and self._timer is None:
                self._timer = threading.Timer(EVERY_S, self._write)
                self._timer.daemon = True
                self._timer.start()

    def _write(self) -> None:
        with self._guard:
            events, self._events, self._timer = self._events, [], None
            if events:
                self._api.write_log(self._job.region, self._stream, events)
                self.has_lines = True
