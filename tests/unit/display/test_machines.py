"""Machines with a GPU as a table: text and HTML tell the same, what is unknown is called so."""

import pytest

from ipymlops.display import SHOWN
from ipymlops.display.html import as_html
from ipymlops.display.text import as_text
from ipymlops.display.views import view_of
from ipymlops.errors import MissingExtra
from ipymlops.hardware.machines import Machine
from ipymlops.verbs.results import MachineList

KNOWN = Machine(
    "cloud", "big.a100", "a100", 8, 40, usd_per_hour=25.25, base_usd_per_hour=21.96, region="r-1", as_of="d"
)
ESTIMATED = Machine("cloud", "one.h100", "h100", 1, 80, usd_per_hour=7.9, is_estimate=True, base_usd_per_hour=6.88)
UNKNOWN = Machine("cloud", "new.b200", "b200", 8, 180, base_usd_per_hour=113.93, region="r-1")
HERE = Machine("local", "", "odd", 2, 0, usd_per_hour=0.0)


@pytest.fixture
def rows(now):
    return lambda *machines, **more: [line.split() for line in as_text(MachineList(machines, **more), now).splitlines()]


def test_each_machine_is_a_row_with_its_price_and_its_markup(rows):
    table = rows(KNOWN, ESTIMATED)
    assert table[0][:4] == ["platform", "machine", "GPU", "together"]
    assert table[1] == ["cloud", "big.a100", "a100", "8", "40", "GiB", "$25.25", "$3.16", "15", "%", "r-1", "d"]
    assert table[2][4:] == ["80", "GiB", "~$7.90", "~$7.90", "~15", "%"]
    assert ["·", "~", "estimated", "from", "that", "price"] in table


def test_what_is_unknown_is_called_so(rows):
    table = rows(UNKNOWN)
    assert table[1][4:] == ["180", "GiB", "unknown", "unknown", "unknown"]
    assert "estimated" not in str(table)


def test_this_machine_costs_nothing(rows):
    assert rows(HERE)[1] == ["local", "this", "machine", "odd", "2", "unknown", "$0.00", "$0.00"]


def test_html_tells_the_same_and_other_peoples_words_are_escaped(now):
    odd = Machine("cloud", "<script>", "a100", 1, 40)
    html = as_html(MachineList((KNOWN, odd)), now, door="%mlops")
    assert "$25.25" in html
    assert "unknown" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_an_empty_list_says_what_was_asked_for_and_how_to_see_all(now):
    assert "no platform here has k80; ipymlops gpus lists all" in as_text(MachineList((), "k80"), now)
    assert as_text(MachineList(()), now).strip() == "· no platform here has a GPU"


def test_platforms_that_were_left_out_are_named(now):
    told = as_text(MachineList((), None, (MissingExtra("vertex", "google.auth"),)), now)
    assert "left out: vertex needs a library that is not installed: google.auth" in told
    assert "pip install 'ipymlops[vertex]'" in told


def test_every_result_of_a_verb_is_shown_in_a_cell_as_more_than_its_repr():
    """Which is by the name of its class, as nothing is imported before something is shown."""
    of_verbs = {kind.__name__ for kind in view_of.registry if kind.__module__ == "ipymlops.verbs.results"}
    assert set(SHOWN) == of_verbs
