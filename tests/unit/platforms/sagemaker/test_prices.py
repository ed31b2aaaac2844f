"""What a machine costs: the price list's answer for a week, else the table where its region is meant, else unknown."""

import json
import socket
import time
from datetime import datetime, timedelta, timezone

import pytest

from ipymlops.platforms.sagemaker import aws as clients
from ipymlops.platforms.sagemaker import prices
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import machine_called
from ipymlops.platforms.sagemaker.prices import known_price, price_of
from tests.servers.sagemaker_api import prices as listed

G5, P5, NEW = machine_called("ml.g5.xlarge"), machine_called("ml.p5.4xlarge"), machine_called("ml.r7i.large")
TODAY = datetime.now(timezone.utc).date().isoformat()


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """A busy machine is no silent price list."""
    monkeypatch.setattr(prices, "PATIENCE_S", 100)
    monkeypatch.setattr(clients, "HURRIED_TIMEOUT_S", 100)


@pytest.fixture
def asked(api):
    """How often the price list was asked."""
    return lambda: sum(call.service == "pricing" for call in api.calls)


@pytest.fixture
def elsewhere(aws, home):
    """The same caller in another region."""
    return lambda region: Aws(home, aws.settings | {"region": region}, aws.env)


@pytest.fixture
def file(home):
    return home / "prices" / "sagemaker-us-east-1.json"


def rewritten(file, **changed):
    rows = json.loads(file.read_text())
    for row in rows.values():
        row.update(changed)
    file.write_text(json.dumps(rows))


def ago(**how_long):
    return (datetime.now(timezone.utc) - timedelta(**how_long)).isoformat()


def test_the_price_list_is_asked_once_and_its_free_rows_are_no_price(aws, asked, monkeypatch):
    monkeypatch.setitem(listed.USD_PER_HOUR, "ml.g5.xlarge", 1.5)
    found, note = price_of(aws, G5)
    assert (found.usd_per_hour, found.region, note) == (1.5, "us-east-1", "")
    assert found.as_of >= TODAY
    assert found.markup_pct == pytest.approx(100 * (1.5 / 1.006 - 1))
    first = asked()
    assert first > 0
    assert price_of(Aws(aws.home, aws.settings, aws.env), G5)[0].usd_per_hour == 1.5
    assert asked() == first


def test_a_price_is_asked_again_after_a_week(aws, asked, file, monkeypatch):
    price_of(aws, G5)
    first = asked()
    rewritten(file, asked_at=ago(days=6, hours=23))
    price_of(aws, G5)
    assert asked() == first
    monkeypatch.setitem(listed.USD_PER_HOUR, "ml.g5.xlarge", 1.6)
    rewritten(file, asked_at=ago(days=7, hours=1))
    assert price_of(aws, G5)[0].usd_per_hour == 1.6


def test_an_old_price_is_no_price(aws, api, file, monkeypatch):
    monkeypatch.setitem(listed.USD_PER_HOUR, "ml.g5.xlarge", 1.5)
    price_of(aws, G5)
    api.faults.denied = {"pricing:GetProducts"}
    rewritten(file, asked_at=ago(days=7, hours=1))
    assert known_price(aws, G5) == G5
    assert price_of(aws, G5) == (G5, "")


def test_where_the_list_has_no_price_the_table_s_own_region_is_told_as_it_stands(aws, asked):
    found, note = price_of(aws, P5)
    assert (found.usd_per_hour, found.as_of, found.is_estimate) == (7.9, "2026-07-20", True)
    assert note == ""
    first = asked()
    price_of(aws, P5)
    assert asked() == first


def test_rows_at_nothing_alone_are_no_price(aws, monkeypatch):
    monkeypatch.setitem(listed.USD_PER_HOUR, "ml.g5.xlarge", 0.0)
    assert price_of(aws, G5) == (G5, "")


def test_another_region_has_its_own_price(elsewhere, asked):
    found, note = price_of(elsewhere("eu-central-1"), G5)
    assert (found.usd_per_hour, found.region, note) == (pytest.approx(1.76), "eu-central-1", "")
    assert found.markup_pct is None
    assert asked() > 0


def test_a_price_is_never_guessed_from_another_region(elsewhere):
    found, note = price_of(elsewhere("sa-east-1"), G5)
    assert (found.usd_per_hour, found.base_usd_per_hour, found.as_of, found.region) == (None, None, None, None)
    assert note == (
        "the price in sa-east-1 is not known (in us-east-1 it costs $1.41 an hour); "
        "reading it needs the right pricing:GetProducts"
    )


def test_an_unknown_price_is_told_as_unknown(aws):
    assert price_of(aws, NEW) == (NEW, "the price of ml.r7i.large is not known")


def test_without_a_region_the_price_is_that_of_the_table_and_says_so(home):
    nowhere = Aws(home, {}, {})
    assert price_of(nowhere, G5) == (G5, "the price is that of us-east-1, as no region is set")
    assert price_of(nowhere, NEW) == (NEW, "the price of ml.r7i.large is not known")
    assert not home.exists()


def test_who_is_not_signed_in_gets_the_table_and_is_asked_for_again_once_he_is(aws, home, asked, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(listed.USD_PER_HOUR, "ml.g5.xlarge", 1.5)
    out = {name: value for name, value in aws.env.items() if "KEY" not in name}
    assert price_of(Aws(home, aws.settings, out), G5) == (G5, "")
    assert asked() == 0
    assert price_of(aws, G5)[0].usd_per_hour == 1.5


def test_a_right_that_is_missing_stops_no_plan_and_is_asked_for_once_an_hour(aws, api, asked, file):
    api.faults.denied = {"pricing:GetProducts"}
    assert price_of(aws, G5) == (G5, "")
    assert price_of(aws, G5) == (G5, "")
    assert asked() == 1
    api.faults.denied = set()
    rewritten(file, asked_at=ago(minutes=61))
    assert price_of(aws, G5)[0].as_of >= TODAY


def test_a_price_list_that_never_answers_is_waited_for_a_short_while_only(aws, home, monkeypatch):
    monkeypatch.setattr(prices, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = aws.env | {"AWS_ENDPOINT_URL_PRICING": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        deaf = Aws(home, aws.settings, env)
        started = time.monotonic()
        assert price_of(deaf, G5) == (G5, "")
        assert price_of(deaf, G5) == (G5, "")
        assert time.monotonic() - started < 80


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ml.g5.xlarge": 3}', '{"ml.g5.xlarge": {"usd": "x"}}', "\0"])
def test_a_file_that_is_none_of_ours_is_asked_for_anew(content, aws, file):
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert known_price(aws, G5) == G5
    assert price_of(aws, G5)[0].as_of >= TODAY
    assert json.loads(file.read_text())["ml.g5.xlarge"]["usd"] == 1.408


def test_a_home_that_cannot_be_written_stops_no_plan(aws, home):
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file")
    assert price_of(aws, G5) == (G5, "")


def test_the_home_is_made_for_its_owner_only(aws, home):
    price_of(aws, G5)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "prices").stat().st_mode & 0o777 == 0o700
