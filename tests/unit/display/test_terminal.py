from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ipymlops.display.terminal import TerminalScreen
from ipymlops.job import JobState, LogLine


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stdout():
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


@pytest.fixture
def stderr():
    return io.StringIO()


@pytest.fixture
def screen(stdout, stderr, now):
    return TerminalScreen(stdout, stderr, now=lambda: now)


def test_the_scripts_bytes_pass_unchanged(screen, stdout, stderr):
    screen.log(LogLine(b"\x1b[31mred\x1b[0m\r\xff"), with_rank=False)
    assert stdout.buffer.getvalue() == b"\x1b[31mred\x1b[0m\r\xff\n"
    assert stderr.getvalue() == ""


def test_lines_of_several_nodes_have_their_rank(screen, stdout):
    screen.log(LogLine(b"one", 3), with_rank=True)
    assert stdout.buffer.getvalue() == b"[3] one\n"


def test_our_words_go_to_stderr_and_cannot_drive_the_terminal(screen, stdout, stderr):
    screen.note("job \x1b[2J\x07x\nsecond line")
    assert stdout.buffer.getvalue() == b""
    assert stderr.getvalue() == "job \\x07x\nsecond line\n"


def test_a_card_is_printed_once_and_then_by_its_changes(screen, stderr, job, intent, now):
    screen.card(replace(job, state=JobState.QUEUED), intent, ["a hint"])
    first = stderr.getvalue()
    assert "○ queued" in first
    assert "! a hint" in first
    screen.card(replace(job, state=JobState.QUEUED))
    assert stderr.getvalue() == first
    screen.card(job)
    assert stderr.getvalue()[len(first) :].splitlines() == ["● running  train-7   #7 · on docker"]
    screen.card(replace(job, state=JobState.SUCCEEDED, ended_at=now))
    assert "✓ succeeded" in stderr.getvalue()
    assert stderr.getvalue().count("Command") == 1


def test_following_adds_nothing_of_its_own(screen, stderr, job):
    with screen.following(job):
        pass
    assert stderr.getvalue() == ""


def test_states_have_colour_on_a_terminal_and_nowhere_else(stdout, job, monkeypatch):
    terminal, file = Tty(), io.StringIO()
    TerminalScreen(stdout, terminal).card(job)
    TerminalScreen(stdout, file).card(job)
    assert "\x1b[1;34m● running\x1b[0m" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Tty()
    TerminalScreen(stdout, plain).card(job)
    assert "\x1b" not in plain.getvalue()


def test_a_terminal_without_unicode_gets_question_marks_not_a_crash(stdout, job):
    stderr = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    TerminalScreen(stdout, stderr).card(job)
    assert b"? running" in stderr.buffer.getvalue()


def test_a_stdout_without_bytes_takes_text(stderr):
    stdout = io.StringIO()
    TerminalScreen(stdout, stderr).log(LogLine(b"caf\xc3\xa9 \xff"), with_rank=False)
    assert stdout.getvalue() == "café \ufffd\n"


def test_a_reader_that_leaves_ends_us_quietly():
    code = """
from ipymlops.display.terminal import TerminalScreen
from ipymlops.job import LogLine
screen = TerminalScreen()
while True:
    screen.log(LogLine(b"y" * 1000), with_rank=False)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_the_next_command_of_a_shell_shows_the_card_again(stdout, stderr, job):
    commands = iter([1, 1, 2])
    screen = TerminalScreen(stdout, stderr, cell=lambda: next(commands))
    screen.card(job)
    screen.card(job)
    assert stderr.getvalue().count("Command") == 1
    screen.card(job)
    assert stderr.getvalue().count("Command") == 2


@pytest.mark.parametrize(("typed", "answer"), [(b"y\n", True), (b"Yes\n", True), (b"\n", False), (b"no\n", False)])
def test_somebody_at_a_terminal_answers(monkeypatch, typed, answer):
    mine, theirs = os.openpty()
    with os.fdopen(theirs) as stdin, Path(os.ttyname(theirs)).open("w") as stderr:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(mine, typed)
        assert TerminalScreen(io.StringIO(), stderr).ask("Make it?") is answer
    os.close(mine)


def test_nobody_is_asked_where_nobody_can_answer(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    stderr = io.StringIO()
    assert TerminalScreen(io.StringIO(), stderr).ask("Make it?") is None
    assert stderr.getvalue() == ""


def test_a_bar_shows_on_a_terminal_alone_and_leaves_nothing(stdout, stderr, now):
    at = [now]
    terminal, pipe = Tty(), stderr
    for stream in (terminal, pipe):
        screen = TerminalScreen(stdout, stream, now=lambda: at[0])
        screen.progress(0, 1000, "model.bin")
        at[0] += timedelta(seconds=2)
        screen.progress(500, 1000, "model.bin\x1b[31m")
        screen.progress(1000, 1000, "model.bin")
    assert "██████████░░░░░░░░░░ 500 B of 1.0 kB, 250 B/s: model.bin" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\x1b[31m" not in terminal.getvalue()
    assert pipe.getvalue() == ""


def test_what_comes_at_once_shows_no_bar(stdout, now):
    terminal = Tty()
    screen = TerminalScreen(stdout, terminal, now=lambda: now)
    screen.progress(1, 2, "small")
    screen.progress(2, 2, "small")
    assert terminal.getvalue() == ""
