"""The log of more hosts than are read one by one: one question for all of them, nothing lost, nothing twice."""

import time

import pytest

from ipymlops.errors import PlatformProblem
from tests.unit.platforms.sagemaker.test_logs import Talking

HOSTS = 5


class Choir(Talking):
    """Hosts that all speak, and one who reads on by the cursor alone."""

    def __init__(self, api, platform):
        super().__init__(api, platform, nodes=HOSTS)
        self.cursor, self.got = "", []

    def look(self):
        page = self.platform.logs(self.ref, self.cursor)
        self.cursor = page.cursor
        self.got += [(line.node, line.text.decode()) for line in page.lines]
        return page

    def to_the_end(self, most=60):
        for _ in range(most):
            if self.look().is_end:
                return self.got
        raise AssertionError(f"no end within {most} pages; {self.cursor[:300]}")


@pytest.fixture
def choir(api, looks):
    return Choir(api, looks)


def test_twenty_disconnects_lose_and_repeat_nothing(api, choir):
    api.faults.duplicate_log_events = True
    for number in range(20):
        for host in range(1, HOSTS + 1):
            choir.say(f"line {number}", f"line {number}", host=host)
        choir.look()
    for rank in range(HOSTS):
        choir.leave(rank=rank, log_lines=40)
    choir.job.finish("Completed")
    got = choir.to_the_end()
    assert sorted(got) == sorted((rank, f"line {n}") for rank in range(HOSTS) for n in range(20) for _ in range(2))
    for rank in range(HOSTS):
        assert [text for node, text in got if node == rank] == [f"line {n}" for n in range(20) for _ in range(2)]


def test_it_takes_one_question_however_many_hosts_there_are(api, choir):
    for host in range(1, HOSTS + 1):
        choir.say("x", host=host)
    choir.look()
    api.calls.clear()
    choir.look()
    assert sorted(call.action for call in api.calls) == ["DescribeTrainingJob", "FilterLogEvents"]


def test_what_comes_late_and_in_the_past_is_not_missed(choir):
    now = time.time()
    stream = f"{choir.job.name}/algo-1-{choir.epoch}"
    choir.api.write_log("us-east-1", stream, [(now, "later")])
    choir.look()
    choir.api.write_log("us-east-1", stream, [(now - 20, "earlier, but late")])
    choir.look()
    assert choir.got == [(0, "later"), (0, "earlier, but late")]


@pytest.mark.parametrize("is_counted", ["counted", "timed"])
def test_what_comes_later_than_is_looked_back_for_is_read_at_the_end_once(choir, is_counted):
    now = time.time()
    stream = f"{choir.job.name}/algo-1-{choir.epoch}"
    choir.api.write_log("us-east-1", stream, [(now - 280, "first"), (now, "last")])
    choir.look()
    choir.api.write_log("us-east-1", stream, [(now - 200, "very late")])
    choir.look()
    assert choir.got == [(0, "first"), (0, "last")]
    if is_counted == "counted":
        for rank in range(HOSTS):
            choir.leave(rank=rank, log_lines=0 if rank else 3)
        choir.job.finish("Completed")
    else:
        choir.end()
    assert choir.to_the_end() == [(0, "first"), (0, "last"), (0, "very late")]


def test_empty_pages_are_not_the_end(api, choir):
    api.faults.empty_log_pages = 3
    choir.say(*map(str, range(200)), host=3)
    choir.end()
    assert choir.to_the_end() == [(2, str(number)) for number in range(200)]


def test_many_lines_come_in_pages_and_the_cursor_stays_small(choir):
    at = time.time()
    for host in range(1, HOSTS + 1):
        stream = f"{choir.job.name}/algo-{host}-{choir.epoch}"
        rows = [(at + number / 100, f"{host} {number}") for number in range(4_000)]
        choir.api.write_log("us-east-1", stream, rows)
    choir.end()
    page = choir.look()
    assert len(page.lines) == 5_000
    got = choir.to_the_end()
    assert len(got) == len(set(got)) == HOSTS * 4_000
    assert len(choir.cursor) < 150_000


def test_a_token_that_is_no_longer_taken_loses_and_repeats_nothing(choir):
    at = time.time()
    rows = [(at + number, f"{number}") for number in range(6_000)]
    choir.api.write_log("us-east-1", f"{choir.job.name}/algo-1-{choir.epoch}", rows)
    choir.end()
    choir.look()
    token = choir.cursor.split('"sweep":["')[1].split('"')[0]
    assert token
    choir.cursor = choir.cursor.replace(token, "of-yesterday")
    assert choir.to_the_end() == [(0, str(number)) for number in range(6_000)]


def test_a_cursor_of_another_form_is_refused(choir):
    for cursor in ("x", "{}", '{"streams":{"a":[1]},"sweep":[],"quiet":0}', "[" * 9_000):
        with pytest.raises(PlatformProblem, match="no place in a log"):
            choir.platform.logs(choir.ref, cursor)
