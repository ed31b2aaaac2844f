"""Quantities as people say them: durations, ages, sizes, money, times."""

from __future__ import annotations

from datetime import datetime, timezone

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
FINE_S = 10  # below this, tenths of a second are shown
CENT_USD = 0.01
STEP = 999.5  # the next unit begins where this one would show 1,000
TENTHS = 99.95  # from here on, tenths are noise
MOST_DIGITS = 1e9


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
