"""From the script to the log: raw, secrets masked, a tail kept for the failure, metrics found on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional

from ipymlops.runtime.logwriter import LogFile

if TYPE_CHECKING:  # a job without secrets and patterns does not wait for them
    from ipymlops.runtime.mask import Mask
    from ipymlops.runtime.metrics import MetricsFile, Scanner

TAIL_BYTES = 256 * 1024


class Pump:
    """Takes the script's output in pieces of any size; its memory does not grow with them.

    Without secrets and patterns nothing is done a line at a time.
    """

    def __init__(
        self,
        log: LogFile,
        mask: Optional[Mask] = None,
        scanner: Optional[Scanner] = None,
        metrics: Optional[MetricsFile] = None,
    ) -> None:
        self._log, self._mask, self._scanner, self._metrics = log, mask, scanner, metrics
        self._tail = bytearray()

    @property
    def tail(self) -> bytes:
        """The end of the log, as it was written."""
        return bytes(self._tail[-TAIL_BYTES:])

    @property
    def notes(self) -> List[str]:
        """What of the log or the metrics did not go as it should."""
        notes = list(self._scanner.notes) if self._scanner else []
        if self._log.lost_bytes:
            notes.append("{} bytes of the log were lost: {}".format(self._log.lost_bytes, self._log.problem))
        if self._metrics and self._metrics.problem:
            notes.append("metrics from the log were lost: {}".format(self._metrics.problem))
        return notes

    def feed(self, data: bytes) -> None:
        self._write(self._mask.feed(data) if self._mask else data)

    def finish(self) -> None:
        """Nothing follows: let go of everything that was kept back."""
        if self._mask:
            self._write(self._mask.flush())
        if self._scanner:
            self._scanner.finish()
        if self._metrics:
            self._metrics.flush(is_last=True)
        self._log.close()

    def _write(self, data: bytes) -> None:
        self._log.write(data)
        self._tail += data
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
        if self._scanner:
            self._scanner.feed(data)
        if self._metrics:
            self._metrics.flush()
