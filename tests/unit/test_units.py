"""Durations, moments and sizes as people write them."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipymlops.errors import UsageProblem
from ipymlops.units import format_bytes, format_duration, parse_duration, parse_moment

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4h", 14400),
        ("90m", 5400),
        ("1d12h", 129600),
        ("2h30m", 9000),
        ("45s", 45),
        ("1.5h", 5400),
        ("1W", 604800),
        (" 20m ", 1200),
    ],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "4", "4 h", "4x", "-4h", "1h-2m", "0s", "0.1s", "99999999d", "1e9s", "nan", "4hh", "²h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_duration(text)
    assert caught.value.why
    assert caught.value.fix


def test_a_bare_number_is_told_its_unit() -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_duration("3600")
    assert caught.value.fix == "3600s"


@given(st.integers(min_value=1, max_value=10**8))
def test_a_duration_that_is_shown_can_be_read_again(seconds: int) -> None:
    shown = parse_duration(format_duration(seconds))
    assert shown <= seconds
    assert seconds - shown < max(1, seconds / 24)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-3, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (245, "4m5s"),
        (5400, "1h30m"),
        (3605, "1h"),
        (90061, "1d1h"),
    ],
)
def test_durations_are_shown_with_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_an_age_is_that_long_before_now() -> None:
    assert parse_moment("10m", NOW) == NOW - timedelta(minutes=10)
    assert parse_moment("2d", NOW) == NOW - timedelta(days=2)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=timezone.utc)),
        ("2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=timezone.utc)),
        ("2026-01-31T08:00:00+02:00", datetime(2026, 1, 31, 6, tzinfo=timezone.utc)),
    ],
)
def test_a_date_is_itself(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "10", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1234, "1.23 kB"),
        (12345, "12.3 kB"),
        (123456, "123 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (9_995, "10.0 kB"),
        (45_600_000_000, "45.6 GB"),
        (10**18, "1000 PB"),
    ],
)
def test_sizes_are_shown_with_three_digits(count: int, text: str) -> None:
    assert format_bytes(count) == text
