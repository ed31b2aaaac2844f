"""The container's own output, appended to a file; repeated after a break it goes on where the file ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ipymlops.runtime.logfile import INDEX_EVERY_S, index_path


class Pump:
    """Appends to one file until it is closed: a stream that hangs cannot write any more once another goes on."""

    def __init__(self, to: Path) -> None:
        self._to = to
        self._gate = threading.Lock()
        self._is_open = True

    def close(self) -> None:
        with self._gate:
            self._is_open = False

    def flow(self, client: Any, container_id: str, *, follow: bool) -> None:
        """Append what the file has not got. The engine gives the whole log each time, the same bytes in one order."""
        self.append(client.api.logs(container_id, stdout=True, stderr=True, stream=True, follow=follow))

    def append(self, pieces: Iterable[bytes]) -> None:
        """Append the pieces, without those of their bytes that the file has already."""
        with self._to.open("ab") as log, Path(index_path(str(self._to))).open("ab") as index:
            offset = log.seek(0, os.SEEK_END)
            skip, indexed_at = offset, 0.0
            for piece in pieces:
                fresh, skip = piece[skip:], max(0, skip - len(piece))
                now = time.time()
                with self._gate:
                    if not self._is_open:
                        return
                    if fresh and now - indexed_at >= INDEX_EVERY_S:
                        index.write(b"%d %.3f\n" % (offset, now))
                        index.flush()
                        indexed_at = now
                    log.write(fresh)
                    log.flush()
                offset += len(fresh)
