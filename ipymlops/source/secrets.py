"""Likely secrets: what must not travel by mistake. A few sure signs, few false alarms."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ipymlops.errors import SourceProblem
from ipymlops.source.paths import IGNORE_FILE, ignore_line, printable, shown

LARGEST_SCANNED = 1 << 20
"""Bytes. Keys lie in small files; bigger ones are data."""

SAMPLE_ENDINGS = (b".example", b".sample", b".template", b".dist")


@dataclass(frozen=True)
class Sign:
    """A kind of secret: `marker` is a fast look for a text that must occur, `pattern` makes sure."""

    kind: str
    marker: bytes
    pattern: re.Pattern[bytes]


SIGNS = (
    # Base64 must follow: a program that only mentions the first line is no key. In JSON the line end is a `\n`.
    Sign("a private key", b"PRIVATE KEY", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----[\s\S]{0,200}?"
                                                     rb"(?:\s|\\n)[A-Za-z0-9+/=]{32}")),
    Sign("an AWS access key", b"AKIA", re.compile(rb"\bAKIA(?![A-Z2-7]{9}EXAMPLE\b)[A-Z2-7]{16}\b")),
    Sign("an AWS session key", b"ASIA", re.compile(rb"\bASIA(?![A-Z2-7]{9}EXAMPLE\b)[A-Z2-7]{16}\b")),
    Sign("a Google service account key", b"service_account",
         re.compile(rb"\"type\"\s*:\s*\"service_account\"[\s\S]*\"private_key\"|"
                    rb"\"private_key\"[\s\S]*\"type\"\s*:\s*\"service_account\"")),
    Sign("an Azure storage key", b"AccountKey=", re.compile(rb"AccountKey=[A-Za-z0-9+/]{86}==")),
    Sign("a GitHub token", b"gh", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b")),
    Sign("a Hugging Face token", b"hf_", re.compile(rb"\bhf_[A-Za-z0-9]{34}\b")),
)  # fmt: skip


def kind_by_name(path: bytes) -> str | None:
    """What a file's name gives away; `.env.example` and its like are no secrets."""
    name = path.rpartition(b"/")[2]
    if name == b".env" or (name.startswith(b".env.") and not name.endswith(SAMPLE_ENDINGS)):
        return "a file of environment variables"
    return "a file of passwords" if name == b".netrc" else None


def kind_by_content(content: bytes) -> str | None:
    """What the content gives away, None for nothing (and for binary files, as git tells them)."""
    if b"\0" in content[:8000]:
        return None
    return next((sign.kind for sign in SIGNS if sign.marker in content and sign.pattern.search(content)), None)


def refuse(found: Mapping[bytes, str], allowed: Iterable[str], root: Path) -> None:
    """Raise `SourceProblem` for the secrets that are not allowed by their path from the root."""
    names = {name.lstrip("/") for name in allowed}
    rest = sorted((path, kind) for path, kind in found.items() if shown(path) not in names)
    if not rest:
        return
    path, kind = printable(rest[0][0]), rest[0][1]
    more = f" (and {len(rest) - 1} more: {', '.join(printable(path) for path, _ in rest[1:6])})" if rest[1:] else ""
    lines = " ".join(shlex.quote(ignore_line(path)) for path, _ in rest)
    harmless = f'[tool.ipymlops] allow_secrets = ["/{path}"]'
    raise SourceProblem(
        f"a likely secret would be sent: {path} looks like {kind}{more}",
        why="code is copied to the platform and kept there; give secrets to a job with --secret NAME instead",
        fix=f"printf '%s\\n' {lines} >> {shlex.quote(str(root / IGNORE_FILE))}   # or, if harmless: {harmless}",
    )
