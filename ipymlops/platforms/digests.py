"""Digests of files, as platforms tell them of what they hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

PIECE_BYTES = 1 << 20


def digest_of(file: Path, kind: str) -> str:
    """The digest of a file's content, as hex.

    Args:
        kind: `sha256`, `md5`, or `md5/BYTES`: the MD5 of the MD5s of its parts of so many bytes.
    """
    name, _, part_bytes = kind.partition("/")
    digest = hashlib.new(name, usedforsecurity=False)
    with file.open("rb") as content:
        if part_bytes:
            while part := content.read(int(part_bytes)):
                digest.update(hashlib.new(name, part, usedforsecurity=False).digest())
        else:
            while piece := content.read(PIECE_BYTES):
                digest.update(piece)
    return digest.hexdigest()
