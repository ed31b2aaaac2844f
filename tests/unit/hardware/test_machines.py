"""The machines for what `--gpu` asks for: what was asked for, the cheapest that has enough, never another GPU."""

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.hardware import parse_gpu
from ipymlops.hardware.machines import Machine, chosen, fitting, has, read_machines

TABLE = """
region = "us-east-1"
as_of = "2026-07-20"

["big.a100"]
accelerator = "a100"
count = 8
memory_gib = 40
usd_per_hour = 25.0
base_usd_per_hour = 20.0

["bigger.a100"]
accelerator = "a100-80gb"
count = 8
memory_gib = 80
usd_per_hour = 31.0
is_estimate = true

["one.l40s"]
accelerator = "l40s"
count = 1
memory_gib = 48
usd_per_hour = 3.0

["one.l4"]
accelerator = "l4"
count = 1
memory_gib = 24
usd_per_hour = 1.0

["four.l4"]
accelerator = "l4"
count = 4
memory_gib = 24
usd_per_hour = 6.0

["new.l4"]
accelerator = "l4"
count = 1
memory_gib = 24
base_usd_per_hour = 0.5

["newer.l4"]
accelerator = "l4"
count = 1
memory_gib = 24

["one.trainium2"]
accelerator = "trainium2"
count = 1
memory_gib = 96
usd_per_hour = 0.1

["plain"]
vcpus = 4
ram_gib = 16
"""


@pytest.fixture
def machines():
    return read_machines("cloud", TABLE)


def names(gpu, machines):
    return [one.machine_type for _, one in fitting(parse_gpu(gpu), machines)]


def test_prices_hold_in_the_region_of_the_table_and_only_where_there_are_any(machines):
    rows = {one.machine_type: one for one in machines}
    assert (rows["big.a100"].region, rows["big.a100"].as_of) == ("us-east-1", "2026-07-20")
    assert (rows["new.l4"].region, rows["new.l4"].as_of) == ("us-east-1", None)
    assert (rows["newer.l4"].region, rows["newer.l4"].as_of) == (None, None)


def test_markup_and_the_price_of_one_gpu_need_both_prices(machines):
    rows = {one.machine_type: one for one in machines}
    assert rows["big.a100"].markup_pct == pytest.approx(25)
    assert rows["big.a100"].usd_per_gpu_hour == pytest.approx(3.125)
    assert (rows["new.l4"].markup_pct, rows["new.l4"].usd_per_gpu_hour) == (None, None)
    assert (rows["bigger.a100"].markup_pct, rows["plain"].usd_per_gpu_hour) == (None, None)


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        ("a100", ["big.a100", "bigger.a100"]),
        ("a100:8", ["big.a100", "bigger.a100"]),
        ("a100-80gb", ["bigger.a100"]),
        ("l4", ["one.l4", "four.l4", "new.l4", "newer.l4"]),
        ("l4:2", ["four.l4"]),
        ("l4:4,l40s", ["four.l4", "one.l40s"]),
        ("l40s,l4:2", ["one.l40s", "four.l4"]),
        ("40gb+", ["one.l40s", "big.a100", "bigger.a100"]),
        ("80gb+:8", ["bigger.a100"]),
        ("trainium2", ["one.trainium2"]),
        ("h100", []),
        ("a100:9", []),
    ],
)
def test_the_cheapest_that_has_enough_of_exactly_that(gpu, expected, machines):
    assert names(gpu, machines) == expected


def test_a_gpu_that_our_table_does_not_know_is_had_by_its_memory_alone():
    here = Machine("local", "this machine", "titan-v", 2, 12)
    assert has(here, parse_gpu("12gb+:2")[0])
    assert not has(here, parse_gpu("12gb+:3")[0])
    assert not has(here, parse_gpu("t4")[0])


def test_more_than_any_machine_has_is_refused_with_the_most_and_the_nodes(machines):
    with pytest.raises(UsageProblem) as refused:
        chosen("h100,a100:12", parse_gpu("h100,a100:12"), machines, "Cloud")
    assert refused.value.why == "the most in one machine is 8; 2 machines are --nodes 2"
    assert refused.value.fix == "--gpu a100:8"


def test_a_gpu_that_nobody_rents_is_refused_with_what_there_is(machines):
    with pytest.raises(UsageProblem) as refused:
        chosen("h100", parse_gpu("h100"), machines, "Cloud")
    assert refused.value.what == "Cloud rents no h100; nothing was sent"
    assert refused.value.why == "it rents a100, a100-80gb, l4, l40s, trainium2"
