"""The container's own output, appended to a file; repeated after a break it goes on where the file ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ipymlops.runtime.logfile import INDEX_EVERY_S, index_path


def pump(client: Any, container_id: str, to: Path, *, follow: bool) -> None:
    """Append what the file has not got yet. The engine gives the whole log each time, the same bytes in one order."""
    pieces = client.api.logs(container_id, stdout=True, stderr=True, stream=True, follow=follow)
    append(pieces, to)


def append(pieces: Iterable[bytes], to: Path) -> None:
    """Append the pieces to the file, without those of its bytes that it has already."""
    with to.open("ab") as log, Path(index_path(str(to))).open("ab") as index:
        offset = log.seek(0, os.SEEK_END)
        skip, indexed_at = offset, 0.0
        for piece in pieces:
            fresh, skip = piece[skip:], max(0, skip - len(piece))
            if not fresh:
                continue
            now = time.time()
            if now - indexed_at >= INDEX_EVERY_S:
                index.write(b"%d %.3f\n" % (offset, now))
                index.flush()
                indexed_at = now
            log.write(fresh)
            log.flush()
            offset += len(fresh)
