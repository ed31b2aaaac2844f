"""The raw log, its index, and reading both while they grow."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipymlops.runtime import logfile
from ipymlops.runtime.logwriter import COUNTED_BYTES, LONGEST_LINE, LineCount, LogFile

WRITE = "import os, sys\ndata = open('blob', 'rb').read()\nwhile data: data = data[os.write(1, data):]\n"


class Hands:
    """A clock that goes where it is put."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def log(tmp_path, hands):
    written = LogFile(str(tmp_path / "log"), hands)
    yield written
    written.close()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "log")


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        bytes(range(256)) * 5000,
        b"x" * (1 << 20) + b"\n" + b"y" * (1 << 20),
        b"\r10%\r20%\r\n\x1b[31mred\x1b[0m\n\n\n",
        b"\0" * 3_000_001,
    ],
    ids=["zero bytes", "binary", "lines of 1 MB", "progress bar", "3 MB without a newline"],
)
def test_the_log_is_the_output_byte_for_byte(job, blob):
    assert job.run(job.config({"train.py": WRITE, "blob": blob}))[0] == 0
    assert job.log == blob


def test_both_outputs_are_in_the_log_in_their_order(job):
    script = (
        "import sys\nfor i in range(50):\n  print('out', i, flush=True)\n  print('err', i, file=sys.stderr, flush=True)"
    )
    job.script(script)
    assert job.log == b"".join(b"out %d\nerr %d\n" % (i, i) for i in range(50))


def test_a_log_index_has_the_time_of_the_first_byte(job):
    job.script("print('x')")
    offset, epoch = (job.folder / "log.index").read_text().split()
    assert offset == "0"
    assert job.result["started_at"] - 0.001 <= float(epoch) <= job.result["ended_at"] + 0.001


def test_the_index_has_a_line_at_most_every_100_ms(log, hands, path):
    for _ in range(100):
        log.write(b"ab\n")
        hands.now += 0.03
    rows = [line.split() for line in Path(path + ".index").read_text().splitlines()]
    assert [int(offset) for offset, _ in rows] == [index * 3 for index in range(0, 100, 4)]
    times = [float(epoch) for _, epoch in rows]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.1


def test_lines_come_with_the_time_they_were_written(log, hands, path):
    for number in range(300):
        log.write(b"%d\n" % number)
        hands.now += 1
    for start in (0, 1, 150, 299):
        offset = sum(len(b"%d\n" % number) for number in range(start))
        part = logfile.read(path, offset, is_final=False)
        assert part.lines == [(b"%d" % number, 1000.0 + number) for number in range(start, 300)]


def test_a_log_that_is_not_there_yet_is_empty(path):
    assert logfile.read(path, 0, is_final=True) == ([], 0)


def test_a_log_without_an_index_has_lines_without_times(log, path):
    log.write(b"a\n")
    Path(path + ".index").unlink()
    assert logfile.read(path, 0, is_final=False).lines == [(b"a", None)]


def test_an_index_line_that_is_being_written_is_not_read(log, path):
    log.write(b"a\nb\n")
    with Path(path + ".index").open("ab") as index:
        index.write(b"2 20")
    assert logfile.read(path, 0, is_final=False).lines == [(b"a", 1000.0), (b"b", 1000.0)]


def test_half_a_line_is_kept_until_it_is_whole_or_the_end(log, path):
    log.write(b"one\ntw")
    part = logfile.read(path, 0, is_final=False)
    assert ([text for text, _ in part.lines], part.offset) == ([b"one"], 4)
    assert logfile.read(path, 4, is_final=False) == ([], 4)
    part = logfile.read(path, 0, is_final=True)
    assert ([text for text, _ in part.lines], part.offset) == ([b"one", b"tw"], 6)


def test_a_line_of_1_mb_is_given_whole(log, path):
    log.write(b"x" * (1 << 20) + b"\nlast\n")
    assert [len(text) for text, _ in logfile.read(path, 0, is_final=False).lines] == [1 << 20, 4]


@given(
    text=st.lists(st.sampled_from([b"\n", b"\n\n", b"a", b"\r\0", b"\xff" * 30]), max_size=60).map(b"".join),
    max_bytes=st.integers(40, 300),
    max_lines=st.integers(1, 10),
    cuts=st.lists(st.integers(0, 200)),
)
def test_reading_on_neither_repeats_nor_skips_a_byte(tmp_path_factory, text, max_bytes, max_lines, cuts):
    path = str(tmp_path_factory.mktemp("logs") / "log")
    got, offset, done = [], 0, 0
    log = LogFile(path, lambda: 1.0)
    for cut in [*sorted(cut for cut in cuts if cut < len(text)), len(text)]:
        log.write(text[done:cut])
        done = cut
        part = logfile.read(path, offset, is_final=False, max_bytes=max_bytes, max_lines=max_lines)
        got += [line for line, _ in part.lines]
        offset = part.offset
    while offset < len(text):
        part = logfile.read(path, offset, is_final=True, max_bytes=max_bytes, max_lines=max_lines)
        assert part.offset > offset
        got += [line for line, _ in part.lines]
        offset = part.offset
    log.close()
    # A line longer than a page comes in pieces; all others come whole.
    if max(map(len, text.split(b"\n"))) < max_bytes:
        assert got == text.split(b"\n")[: None if not text.endswith(b"\n") and text else -1]
    assert b"".join(got) == text.replace(b"\n", b"")


def test_a_full_disk_loses_log_and_not_the_script(job):
    job.folder.mkdir(parents=True)
    (job.folder / "log").symlink_to("/dev/full")
    result = job.script("for _ in range(1000): print('x' * 1000)")
    assert result["exit_code"] == 0
    assert "1001000 bytes of the log were lost: [Errno 28]" in result["notes"][0]


def counted(pieces):
    lines = LineCount()
    for piece in pieces:
        lines.add(piece)
    return lines.count


@given(st.lists(st.text("a\n\r ", max_size=8).map(str.encode), max_size=12))
def test_lines_with_something_in_them_are_counted_in_whatever_pieces_they_come(pieces):
    assert counted(pieces) == len([line for line in b"".join(pieces).split(b"\n") if line])


@pytest.mark.parametrize("size", [1, 65_536, 100_000, 262_144, 1 << 20])
@pytest.mark.parametrize("length", [LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1])
@pytest.mark.parametrize("before", [b"", b"short\n", b"x" * 99_000 + b"\n"])
def test_a_line_that_may_be_cut_ends_the_count(size, length, before):
    data = before + b"y" * length + b"\nshort\n" * 3
    pieces = [data[at : at + size] for at in range(0, len(data), size)] if size > 1 else [data[:1], data[1:]]
    expected = None if length > LONGEST_LINE else len([line for line in data.split(b"\n") if line])
    assert counted(pieces) == expected


def test_a_log_that_is_too_long_to_count_is_not_counted():
    piece, most = (b"x" * 65_535 + b"\n") * 16, COUNTED_BYTES >> 20
    assert counted([piece] * most) == most * 16
    assert counted([piece] * (most + 1)) is None


def test_lines_that_were_lost_are_not_counted(tmp_path):
    read_end, write_end = os.pipe()
    log = LogFile(None, lambda: 1.0)
    log.file = write_end
    log.write(b"one\n")
    assert log.lines == 1
    os.close(read_end)
    log.write(b"two\n")
    assert (log.lines, log.lost_bytes) == (None, 4)
    os.close(write_end)
