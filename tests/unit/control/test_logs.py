import tracemalloc
from dataclasses import replace

import pytest

from ipymlops.control.logs import last_output_at, read
from ipymlops.errors import UsageProblem
from ipymlops.job import LogLine, LogPage
from ipymlops.testing.fake_platform import FakePlatform


@pytest.fixture
def written(accepted, world):
    world.write(accepted.id, b"".join(b"step %d loss 0.%d\n" % (number, number) for number in range(3000)))
    return accepted


def texts(lines) -> list[bytes]:
    return [line.text for line in lines]


def test_all_lines_so_far_are_read_of_a_job_that_still_runs(context, written):
    assert len(texts(read(context, written))) == 3000


def test_the_tail_is_the_last_lines(context, written):
    assert texts(read(context, written, tail=2)) == [b"step 2998 loss 0.2998", b"step 2999 loss 0.2999"]
    assert texts(read(context, written, tail=0)) == []
    assert len(texts(read(context, written, tail=9999))) == 3000


def test_grep_comes_before_tail(context, written):
    assert texts(read(context, written, grep=r"step 1?7 ", tail=5)) == [b"step 7 loss 0.7", b"step 17 loss 0.17"]


def test_grep_meets_bytes_that_are_no_text(context, accepted, world):
    world.write(accepted.id, b"\xff\xfe loss\nother\n")
    assert texts(read(context, accepted, grep="loss$")) == [b"\xff\xfe loss"]


def test_an_expression_that_is_none_is_refused_before_anything_is_read(context, accepted, monkeypatch):
    monkeypatch.setattr(FakePlatform, "logs", None)
    with pytest.raises(UsageProblem, match="no regular expression") as caught:
        read(context, accepted, grep="(")
    assert caught.value.fix == "--grep '\\\\('"


@pytest.fixture
def two_nodes(context, accepted, clock, monkeypatch):
    """A log of two nodes: each line one second after the other, the last one of unknown time."""

    def logs(self, ref, cursor=""):
        lines = [LogLine(b"a", 0, clock.now()), LogLine(b"b", 1, clock.now())]
        clock.pass_s(10)
        lines += [LogLine(b"c", 0, clock.now()), LogLine(b"d", 1, None)]
        return LogPage(tuple(lines), "end", is_end=True)

    monkeypatch.setattr(FakePlatform, "logs", logs)
    return accepted


def test_a_node_is_chosen(context, two_nodes):
    assert texts(read(context, two_nodes, node=1)) == [b"b", b"d"]


def test_since_keeps_what_is_younger_and_what_has_no_time(context, two_nodes, clock):
    earliest = clock.now()
    assert texts(read(context, two_nodes, since_s=0.0)) == [b"a", b"b", b"c", b"d"]
    clock.time = earliest
    later = read(context, two_nodes, since_s=-5.0)
    assert texts(later) == [b"c", b"d"]


def test_following_with_a_tail_shows_the_last_lines_and_all_that_come(context, written, world, clock):
    clock.then = [
        lambda: world.write(written.id, b"new 1\n"),
        lambda: world.write(written.id, b"new 2\nnew 3\n"),
        lambda: world.tell(written.id, "DONE"),
    ]
    lines = texts(read(context, written, follow=True, tail=1))
    assert lines == [b"step 2999 loss 0.2999", b"new 1", b"new 2", b"new 3"]


def test_following_with_grep_tells_changes_too(context, written, world, clock):
    clock.then = [lambda: world.tell(written.id, "DONE")]
    states = []
    lines = read(context, written, follow=True, grep="step 5 ", on_change=lambda job: states.append(job.state.value))
    assert texts(lines) == [b"step 5 loss 0.5"]
    assert states == ["running", "succeeded"]


def test_a_job_that_never_started_has_no_lines(context, recorded):
    assert texts(read(context, recorded)) == []
    assert last_output_at(context, recorded) is None


def test_the_last_output_is_what_the_platform_says(context, accepted, clock, monkeypatch):
    assert last_output_at(context, accepted) is None
    monkeypatch.setattr(FakePlatform, "last_output_at", lambda _self, _ref: clock.now())
    assert last_output_at(context, accepted) == clock.now()


def test_memory_stays_flat_however_long_the_log_is(context, accepted, monkeypatch):
    """A log of 16 MB, made as it is read; the last lines of it cost less than 4 MB."""
    pages = 40
    text = b"x" * 400

    def logs(self, ref, cursor=""):
        number = int(cursor or 0)
        page = LogPage(tuple(LogLine(text + b"%d" % number) for _ in range(1000)), str(number + 1), is_end=False)
        return replace(page, is_end=number == pages - 1)

    monkeypatch.setattr(FakePlatform, "logs", logs)
    tracemalloc.start()
    try:
        lines = texts(read(context, accepted, tail=3))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == [text + b"39"] * 3
    assert peak < 4_000_000
