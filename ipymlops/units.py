"""Durations, moments and sizes as people write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from ipymlops.errors import UsageProblem

_SECONDS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PART = r"\d+(?:\.\d+)?[wdhms]"
_DURATION = re.compile(rf"(?:{_PART})+", re.ASCII)
_LONGEST_S = 10 * 365 * 86400
_PREFIXES = ("B", "kB", "MB", "GB", "TB", "PB")


def parse_duration(text: str) -> int:
    """Whole seconds of `4h`, `90m`, `1d12h`, `1.5h`, `45s`.

    Raises: `UsageProblem` for anything else. A bare number is refused: 90 could be seconds or minutes.
    """
    word = text.strip().lower()
    if not _DURATION.fullmatch(word):
        why = "a number needs its unit: w, d, h, m or s" if word else "it is empty"
        unit = "s" if word.isascii() and word.isdigit() else None
        raise UsageProblem(f"{text!r} is no duration", why=why, fix=f"{word}{unit}" if unit else "4h, 90m or 1d12h")
    seconds = round(sum(float(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(_PART, word)))
    if not 1 <= seconds <= _LONGEST_S:
        raise UsageProblem(f"{text!r} is no duration to use", why="it must be from 1 second to 10 years", fix="4h")
    return seconds


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment of an age (`10m`, `2d`: that long before `now`), or of an RFC 3339 date or time (UTC unless it says).

    Raises: `UsageProblem`.
    """
    word = text.strip()
    if _DURATION.fullmatch(word.lower()):
        return now - timedelta(seconds=parse_duration(word))
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", word))
    except ValueError:
        raise UsageProblem(
            f"{text!r} is no time", why="it is neither an age nor a date", fix="2d, 10m or 2026-01-31T08:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def format_duration(seconds: float) -> str:
    """At most two units, cut off below: `2d3h`, `1h30m`, `4m5s`, `0s`; what came before zero is zero."""
    rest = max(0, int(seconds))
    parts = []
    for unit, size in list(_SECONDS.items())[1:]:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return "".join(parts[:2]) or "0s"


def format_bytes(count: int) -> str:
    """Powers of 1000 with three digits: `999 B`, `1.23 MB`, `45.6 GB`."""
    size, step = float(count), 0
    while size >= 999.5 and step < len(_PREFIXES) - 1:  # noqa: PLR2004 - would be shown as 1000
        size, step = size / 1000, step + 1
    if step == 0:
        return f"{count} B"
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0  # noqa: PLR2004 - three digits in all
    return f"{size:.{digits}f} {_PREFIXES[step]}"
