from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from IPython.core.error import StdinNotImplementedError

from ipymlops.display.notebook import NotebookScreen
from ipymlops.job import JobState, LogLine


@dataclass
class Shell:
    """As much of a kernel's shell as a screen touches: requests, displays and the end of a cell."""

    parent_header: dict[str, Any] = field(default_factory=lambda: {"header": {"msg_id": "first"}})
    execution_count: int = 1
    published: list[tuple[str, dict[str, str], bool]] = field(default_factory=list)
    at_end: list[Callable[[], None]] = field(default_factory=list)

    @property
    def events(self) -> Shell:
        return self

    @property
    def display_pub(self) -> Shell:
        return self

    def register(self, event: str, action: Callable[[], None]) -> None:
        assert event == "post_execute"
        self.at_end.append(action)

    def publish(self, data, _metadata, *, transient, update) -> None:
        self.published.append((transient["display_id"], data, update))

    def next_cell(self) -> None:
        for action in self.at_end:
            action()
        self.parent_header = {"header": {"msg_id": f"after {self.parent_header['header']['msg_id']}"}}

    @property
    def text(self) -> str:
        return self.published[-1][1]["text/plain"]


@pytest.fixture
def notebook() -> Shell:
    return Shell()


@pytest.fixture
def screen(notebook, now) -> NotebookScreen:
    return NotebookScreen(notebook, now=lambda: now)


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "nothing happened for a minute"
        time.sleep(0.01)


def test_a_card_is_shown_once_and_then_changed_in_place(screen, notebook, job, intent):
    screen.card(job, intent, ["a hint"])
    screen.card(replace(job, metrics={"loss": 0.125}))
    screen.card(replace(job, state=JobState.SUCCEEDED))
    assert [update for _, _, update in notebook.published] == [False, True, True]
    assert len({display_id for display_id, _, _ in notebook.published}) == 1
    for part in ("✓ succeeded", "a hint", "42 files"):
        assert part in notebook.text
        assert part in notebook.published[-1][1]["text/html"]


def test_a_card_without_news_is_not_sent_again(screen, notebook, job):
    screen.card(job)
    screen.card(job)
    assert len(notebook.published) == 1


def test_another_cell_gets_a_copy_of_its_own_under_the_same_id(screen, notebook, job):
    screen.card(job)
    notebook.next_cell()
    screen.card(job)
    assert [(display_id, update) for display_id, _, update in notebook.published] == [
        (f"ipymlops-{job.id}", False),
        (f"ipymlops-{job.id}", False),
    ]


def test_a_watcher_in_the_background_never_adds_a_card_to_the_running_cell(screen, notebook, job):
    screen.card(job)
    notebook.next_cell()
    watcher = threading.Thread(target=screen.card, args=(replace(job, state=JobState.SUCCEEDED),))
    watcher.start()
    watcher.join()
    assert [update for _, _, update in notebook.published] == [False, True]


def test_an_object_from_earlier_does_not_bring_a_finished_card_back(screen, notebook, job):
    screen.card(replace(job, state=JobState.SUCCEEDED))
    screen.card(job)
    assert "✓ succeeded" in notebook.text


def test_a_follow_shows_the_end_of_the_log_while_it_comes(screen, notebook, job):
    with screen.following(job):
        for number in range(100):
            screen.log(LogLine(b"line %d" % number), with_rank=False)
        wait_for(lambda: "line 99" in notebook.text)
        assert "line 80" in notebook.text
        assert "line 79" not in notebook.text
    assert "line 99" in notebook.text


def test_ten_thousand_lines_make_a_handful_of_messages(screen, notebook, job, monkeypatch):
    monkeypatch.setattr("ipymlops.display.notebook.REFRESH_S", 3600.0)
    with screen.following(job):
        for number in range(10_000):
            screen.log(LogLine(b"line %d %s" % (number, b"x" * 100)), with_rank=False)
    screen.card(replace(job, state=JobState.SUCCEEDED))
    assert len(notebook.published) == 3
    assert sum(len(text) for text in notebook.published[-1][1].values()) < 50_000


def test_an_interrupted_follow_leaves_its_last_state(screen, notebook, job):
    def interrupted():
        with screen.following(job):
            screen.log(LogLine(b"the last line"), with_rank=False)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "the last line" in notebook.text
    assert "ipymlops-card" not in {thread.name for thread in threading.enumerate()}


def test_ages_move_while_a_job_is_silent(screen, notebook, job, monkeypatch):
    monkeypatch.setattr("ipymlops.display.notebook.REFRESH_S", 0.01)
    monkeypatch.setattr("ipymlops.display.notebook.IDLE_REFRESH_S", 0.02)
    with screen.following(job):
        wait_for(lambda: len(notebook.published) > 2)


def test_what_a_follow_leaves_has_no_age_that_would_grow_wrong(screen, notebook, job):
    with screen.following(job):
        assert "so far" in notebook.text
    assert "● running" in notebook.text
    assert "so far" not in notebook.text


def test_nodes_have_their_rank_and_long_lines_their_end(screen, notebook, job):
    with screen.following(job):
        screen.log(LogLine(b"x" * 1_000_000 + b" end", 3), with_rank=True)
        screen.log(LogLine(b"hello", 2), with_rank=True)
    assert "[2] hello" in notebook.text
    assert " end" in notebook.text
    assert len(notebook.text) < 10_000


def test_lines_outside_a_follow_are_printed_when_the_cell_ends(screen, notebook, capsys):
    screen.log(LogLine(b"one"), with_rank=False)
    screen.log(LogLine(b"two \xff", 1), with_rank=True)
    assert capsys.readouterr().out == ""
    notebook.next_cell()
    assert capsys.readouterr().out == "one\n[1] two \ufffd\n"
    notebook.next_cell()
    assert capsys.readouterr().out == ""


def test_a_whole_log_does_not_go_into_the_notebook(screen, notebook, capsys):
    for number in range(100_000):
        screen.log(LogLine(b"line %d" % number), with_rank=False)
    notebook.next_cell()
    out = capsys.readouterr().out
    assert len(out) < 50_000
    assert out.endswith("line 99999\n")
    assert "earlier lines are left out of the notebook" in out.splitlines()[0]


def test_a_note_stands_after_the_lines_before_it(screen, capsys):
    screen.log(LogLine(b"a line"), with_rank=False)
    screen.note("a note \x1b[31m")
    assert capsys.readouterr().out == "a line\na note \n"


def test_cards_of_very_many_jobs_do_not_pile_up(screen, job):
    for number in range(300):
        screen.card(replace(job, id=f"j{number}"))
    assert len(screen._cards) == 200


@pytest.mark.parametrize(("typed", "answer"), [("y", True), ("", False)])
def test_somebody_who_sits_at_the_notebook_answers(screen, monkeypatch, typed, answer):
    asked = []
    monkeypatch.setattr("builtins.input", lambda prompt: asked.append(prompt) or typed)
    assert screen.ask("Make \x1b[31mit?") is answer
    assert asked == ["Make it? [y/N] "]


def test_a_kernel_that_takes_no_answers_is_not_waited_for(screen, monkeypatch):
    def refused(_prompt):
        raise StdinNotImplementedError

    monkeypatch.setattr("builtins.input", refused)
    assert screen.ask("Make it?") is None


def test_a_transfer_is_one_line_of_the_cell_and_what_stays_says_how_much_came(notebook, now):
    at = [now]
    screen = NotebookScreen(notebook, now=lambda: at[0])
    for done in (0, 400, 800, 1000):
        screen.progress(done, 1000, "model.bin")
        at[0] += timedelta(seconds=2)
    assert len({display_id for display_id, _, _ in notebook.published}) == 1
    assert [is_update for _, _, is_update in notebook.published] == [False, True, True]
    assert notebook.text == "1.0 kB: model.bin"
