"""The values of secrets, taken out of the log, also where they come in pieces."""

from __future__ import annotations

import json
import re
from typing import Iterable, Set
from urllib.parse import quote

MASKED = b"***"
MIN_LINE_BYTES = 8


class Mask:
    """Replaces every secret by `***`. What may be the beginning of one is kept back until it is known."""

    def __init__(self, values: Iterable[str]) -> None:
        secrets: Set[bytes] = set()
        for value in values:
            secrets |= _forms(value)
        # Longest first: where one secret begins another, the whole longer one goes.
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(re.escape(secret) for secret in self._secrets) or b"(?!)")
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be written of the log so far."""
        data = self._held + data
        cut = self._cut(data, 0)
        end = 0
        out = []
        if any(secret in data for secret in self._secrets):
            for match in self._pattern.finditer(data):
                if match.start() >= cut:
                    break  # it may go on as a longer one
                out += [data[end : match.start()], MASKED]
                end = match.end()
                if end > cut:
                    cut = self._cut(data, end)
        out.append(data[end:cut])
        self._held = data[cut:]
        return b"".join(out)

    def flush(self) -> bytes:
        """What was kept back, at the log's end."""
        held, self._held = self._held, b""
        return self._pattern.sub(MASKED, held)

    def _cut(self, data: bytes, start: int) -> int:
        """Where the longest end of `data[start:]` begins that a secret begins with, but does not end with."""
        cut = len(data)
        for secret in self._secrets:
            if data[-1:] not in secret:
                continue
            at = data.find(secret[:1], max(start, len(data) - len(secret) + 1))
            while 0 <= at < cut:
                if secret.startswith(data[at:]):
                    cut = at
                    break
                at = data.find(secret[:1], at + 1)
        return cut


def _forms(value: str) -> Set[bytes]:
    """A secret as it is, its lines, and as JSON, a Python literal and an address would spell it."""
    if not value:
        return set()
    raw = value.encode("utf-8", "surrogateescape")
    lines = {line.strip() for line in raw.splitlines()}
    spelled = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1], quote(raw, "")}
    forms = {text.encode("utf-8", "surrogateescape") for text in spelled}
    return {raw} | forms | {line for line in lines if len(line) >= MIN_LINE_BYTES}
