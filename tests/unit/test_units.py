"""Durations, moments and sizes as people write them."""

from datetime import datetime, timedelta, timezone

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.units import (
    age,
    clock_time,
    count,
    duration,
    figure,
    moment,
    parse_duration,
    parse_moment,
    size,
    usd,
)

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


MIDNIGHT = datetime(2026, 12, 1, 23, 59, 58, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0.42, "0.4 s"),
        (42.4, "42 s"),
        (59.7, "1 min"),
        (252, "4 min 12 s"),
        (11_100, "3 h 5 min"),
        (86_400, "24 h"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_read_as_people_say_them(seconds, words):
    assert duration(seconds) == words


def test_a_clock_that_went_back_makes_no_negative_age():
    assert age(MIDNIGHT, MIDNIGHT - timedelta(hours=1)) == "just now"
    assert age(MIDNIGHT, MIDNIGHT + timedelta(seconds=42)) == "42 s ago"


@pytest.mark.parametrize(
    ("bytes_", "words"),
    [(812, "812 B"), (1_300_000, "1.3 MB"), (999_999, "1.0 MB"), (42_000_000_000, "42.0 GB"), (5e15, "5,000 TB")],
)
def test_sizes_are_decimal(bytes_, words):
    assert size(bytes_) == words


@pytest.mark.parametrize(
    ("amount", "words"), [(0, "$0.00"), (0.0042, "$0.0042"), (73.44, "$73.44"), (1234.5, "$1,234.50")]
)
def test_money_below_a_cent_is_not_rounded_to_nothing(amount, words):
    assert usd(amount) == words


def test_a_time_on_another_day_has_its_date():
    assert clock_time(MIDNIGHT, MIDNIGHT) == "23:59:58"
    assert clock_time(MIDNIGHT + timedelta(seconds=5), MIDNIGHT) == "2026-12-02 00:00:03 UTC"
    assert moment(MIDNIGHT.astimezone(timezone(timedelta(hours=9)))) == "2026-12-01 23:59:58 UTC"


@pytest.mark.parametrize(
    ("value", "words"),
    [(float("nan"), "nan"), (float("-inf"), "-inf"), (1200.0, "1,200"), (0.123456, "0.1235"), (3e-9, "3e-09")],
)
def test_metrics_keep_four_digits(value, words):
    assert figure(value) == words


def test_one_file_is_no_files():
    assert [count(1, "file"), count(0, "file"), count(1200, "entry")] == ["1 file", "0 files", "1,200 entries"]
