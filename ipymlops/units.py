"""Quantities as people write and say them: durations, times, ages, sizes, money."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from ipymlops.errors import UsageProblem

_SECONDS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PART = r"\d+(?:\.\d+)?[wdhms]"
_DURATION = re.compile(rf"(?:{_PART})+", re.ASCII)
_LONGEST_S = 10 * 365 * 86400

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
FINE_S = 10  # below this, tenths of a second are shown
CENT_USD = 0.01
STEP = 999.5  # the next unit begins where this one would show 1,000
TENTHS = 99.95  # from here on, tenths are noise
MOST_DIGITS = 1e9


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


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `4 min 12 s`, `3 h 5 min`, `2 d 4 h`; never negative, as clocks go back."""
    seconds = max(0.0, seconds)
    if seconds < FINE_S:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return _two(whole // MINUTE_S, "min", whole % MINUTE_S, "s")
    if whole <= DAY_S:
        return _two(whole // HOUR_S, "h", whole % HOUR_S // MINUTE_S, "min")
    return _two(whole // DAY_S, "d", whole % DAY_S // HOUR_S, "h")


def age(moment: datetime, now: datetime) -> str:
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def size(count: int) -> str:
    """Decimal units, as git hosts and clouds bill them: `812 B`, `1.3 MB`, `42 GB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < STEP:
            return _three(value, unit)
        value /= 1000
    return _three(value, "TB")


def usd(amount: float) -> str:
    """Two decimals, more where the amount is smaller than a cent."""
    if 0 < abs(amount) < CENT_USD:
        return f"${amount:.4f}"
    return f"${amount:,.2f}"


def moment(time: datetime) -> str:
    return f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def clock_time(time: datetime, after: datetime | None = None) -> str:
    """The time of day; with its date where the day differs from that of `after`."""
    there = time.astimezone(timezone.utc)
    same_day = after is not None and after.astimezone(timezone.utc).date() == there.date()
    return f"{there:%H:%M:%S}" if same_day else moment(time)


def count(number: int, noun: str) -> str:
    """`1 file`, `1,200 files`."""
    plural = noun if number == 1 else f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number:,} {plural}"


def figure(value: float) -> str:
    """A metric with four significant digits, nan and infinities as they are."""
    return f"{value:,.0f}" if value.is_integer() and abs(value) < MOST_DIGITS else f"{value:.4g}"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = f" {small} {small_unit}" if small else ""
    return f"{large} {large_unit}{rest}"


def _three(value: float, unit: str) -> str:
    digits = 0 if unit == "B" or value >= TENTHS else 1
    return f"{value:,.{digits}f} {unit}"
