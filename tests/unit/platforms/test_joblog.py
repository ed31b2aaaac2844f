"""Pages of a log on disk."""

import pytest

from ipymlops.platforms import joblog
from ipymlops.platforms.joblog import MAX_LINES, read_page


def write(node, content, index=""):
    node.log.write_bytes(content)
    node.log_index.write_text(index)


def read_all(nodes, **how):
    cursor, lines = "", []
    while True:
        page = read_page(nodes, cursor, is_ended=True)
        lines += page.lines
        cursor = page.cursor
        if page.is_end:
            return lines


def test_only_whole_lines_are_given_out_until_the_end(folder):
    write(folder.node(0), b"one\ntw")
    page = read_page(folder.nodes, "", is_ended=False)
    assert [line.text for line in page.lines] == [b"one"]
    write(folder.node(0), b"one\ntwo\nthree")
    page = read_page(folder.nodes, page.cursor, is_ended=False)
    assert ([line.text for line in page.lines], page.is_end) == ([b"two"], False)
    page = read_page(folder.nodes, page.cursor, is_ended=True)
    assert ([line.text for line in page.lines], page.is_end) == ([b"three"], True)


def test_a_page_has_a_few_thousand_lines_and_the_rest_follows(folder):
    write(folder.node(0), b"x\n" * 10_000)
    assert len(read_page(folder.nodes, "", is_ended=True).lines) == MAX_LINES
    assert len(read_all(folder.nodes)) == 10_000


@pytest.mark.parametrize("size", [joblog.PAGE_BYTES - 1, joblog.PAGE_BYTES, joblog.PAGE_BYTES + 1, 1_000_000])
def test_a_long_line_is_one_line(folder, size):
    write(folder.node(0), b"a\n" + b"y" * size + b"\nz")
    assert [len(line.text) for line in read_all(folder.nodes)] == [1, size, 1]


def test_no_byte_is_lost_of_a_line_without_end(folder):
    write(folder.node(0), b"\0" * 5_000_000)
    assert sum(len(line.text) for line in read_all(folder.nodes)) == 5_000_000


def test_a_job_that_wrote_nothing_ends_at_once(folder):
    assert read_page(folder.nodes, "", is_ended=True).is_end
    assert not read_page(folder.nodes, "", is_ended=False).is_end
    assert joblog.last_output_at(folder.nodes) is None


def test_lines_of_several_nodes_come_in_the_order_of_their_times(folder):
    folder.node(1).root.mkdir()
    write(folder.node(0), b"a\nc\n", "0 100.0\n2 300.0\n")
    write(folder.node(1), b"b\nd\n", "0 200.0\n2 400.0\n")
    page = read_page(folder.nodes, "", is_ended=True)
    assert [(line.text, line.node) for line in page.lines] == [(b"a", 0), (b"b", 1), (b"c", 0), (b"d", 1)]
    assert [line.time.timestamp() for line in page.lines] == [100, 200, 300, 400]
