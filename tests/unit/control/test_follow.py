from dataclasses import replace

import pytest

from ipymlops.control.follow import follow
from ipymlops.errors import FollowInterrupted, NotSignedIn
from ipymlops.job import JobState
from ipymlops.testing.fake_platform import FakePlatform


@pytest.fixture
def lines() -> list[bytes]:
    return []


@pytest.fixture
def changes() -> list[str]:
    return []


@pytest.fixture
def followed(context, lines, changes):
    """Follow a job; its lines and states end up in `lines` and `changes`, in one order in `followed.order`."""

    def run(job):
        def on_line(line):
            lines.append(line.text)
            run.order.append(line.text)

        def on_change(job):
            changes.append(job.state.value)
            run.order.append(job.state.value)

        return follow(context, job, on_line=on_line, on_change=on_change)

    run.order = []
    return run


def test_lines_come_as_they_are_written_and_the_end_is_told_last(accepted, world, clock, followed, lines, changes):
    world.write(accepted.id, b"one\n")
    clock.then = [
        lambda: world.write(accepted.id, b"two\nthr"),
        lambda: world.write(accepted.id, b"ee\n"),
        lambda: (world.write(accepted.id, b"no newline"), world.tell(accepted.id, "DONE")),
    ]
    job = followed(accepted)
    assert job.state is JobState.SUCCEEDED
    assert lines == [b"one", b"two", b"three", b"no newline"]
    assert changes == ["running", "succeeded"]
    assert followed.order[-1] == "succeeded"


def test_a_log_longer_than_a_page_comes_whole(accepted, world, followed, lines):
    world.write(accepted.id, b"".join(b"%d\n" % number for number in range(5000)))
    world.tell(accepted.id, "DONE")
    followed(accepted)
    assert lines == [b"%d" % number for number in range(5000)]
    assert followed.order[-2:] == [b"4999", "succeeded"]


def test_twenty_lost_connections_lose_and_repeat_nothing(accepted, world, clock, followed, lines):
    def more(number):
        world.write(accepted.id, b"%d\n" % number)
        world.misbehave(drop_logs=1)

    clock.then = [lambda number=number: more(number) for number in range(20)]
    clock.then.append(lambda: world.tell(accepted.id, "DONE"))
    followed(accepted)
    assert lines == [b"%d" % number for number in range(20)]
    assert world.strikes("drop_logs") is False


def test_a_throttled_platform_ends_no_follow(accepted, world, clock, followed, lines):
    world.misbehave(throttle=7)
    world.write(accepted.id, b"one\n")
    clock.then = [lambda: None] * 20 + [lambda: world.tell(accepted.id, "DONE")]
    assert followed(accepted).state is JobState.SUCCEEDED
    assert lines == [b"one"]


def test_a_job_that_waits_for_its_courier_is_followed_from_there(
    context, recorded, world, clock, followed, lines, monkeypatch
):
    from ipymlops.control.courier import carry

    monkeypatch.setattr("ipymlops.control.reconcile.send", lambda *_: None)
    clock.then = [
        lambda: carry(context, recorded.id),
        lambda: (world.write(recorded.id, b"one\n"), world.tell(recorded.id, "DONE")),
    ]
    assert followed(recorded).state is JobState.SUCCEEDED
    assert lines == [b"one"]


def test_whoever_waits_rests_between_two_looks(context, recorded, world, clock, followed, monkeypatch):
    """Before the job is there, while it runs, and where its log has ended before it has."""
    from dataclasses import replace

    from ipymlops.control.courier import carry

    monkeypatch.setattr("ipymlops.control.reconcile.send", lambda *_: None)
    logs = FakePlatform.logs
    monkeypatch.setattr(FakePlatform, "logs", lambda *words: replace(logs(*words), is_end=len(clock.slept) > 60))
    nothing = [lambda: None] * 20
    clock.then = [*nothing, lambda: carry(context, recorded.id), *nothing, *nothing, *nothing]
    clock.then += [lambda: world.tell(recorded.id, "DONE")]
    followed(recorded)
    assert len(clock.slept) > 60
    assert min(clock.slept) >= 0.02


def test_a_job_that_was_refused_ends_the_follow(context, recorded, world, followed, clock, monkeypatch):
    from ipymlops.control.courier import carry

    monkeypatch.setattr("ipymlops.control.reconcile.send", lambda *_: None)
    world.misbehave(refuse=1)
    clock.then = [lambda: carry(context, recorded.id)]
    assert followed(recorded).state is JobState.FAILED


def test_a_job_that_is_gone_ends_the_follow(accepted, world, clock, followed):
    clock.then = [lambda: world.forget(accepted.id)]
    assert followed(accepted).state is JobState.UNKNOWN


def test_a_log_that_cannot_be_read_any_more_does_not_hold_the_end_back(accepted, world, followed, screen):
    world.tell(accepted.id, "DONE")
    world.misbehave(drop_logs=100_000)
    assert followed(accepted).state is JobState.SUCCEEDED
    assert screen.notes == ["the end of the log could not be read"]


def test_a_log_that_never_says_it_ended_is_left_after_a_while(accepted, world, followed, lines, monkeypatch):
    from dataclasses import replace

    logs = FakePlatform.logs
    monkeypatch.setattr(FakePlatform, "logs", lambda *words: replace(logs(*words), is_end=False))
    world.write(accepted.id, b"one\n")
    world.tell(accepted.id, "DONE")
    assert followed(accepted).state is JobState.SUCCEEDED
    assert lines == [b"one"]


@pytest.mark.parametrize("after", range(6))
def test_interrupting_detaches_and_leaves_the_job_alone(accepted, world, clock, followed, after):
    def interrupt():
        raise KeyboardInterrupt

    clock.then = [lambda: world.write(accepted.id, b"x\n")] * after + [interrupt]
    with pytest.raises(FollowInterrupted) as caught:
        followed(accepted)
    assert caught.value.what == "detached; job 1 (train-1) goes on"
    assert caught.value.fix == "ipymlops logs 1 -f"
    assert world.status(accepted.id)["native"] == "WORKING"


def test_after_an_interrupt_the_next_follow_starts_at_once(accepted, world, clock, followed, lines):
    def interrupt():
        raise KeyboardInterrupt

    world.write(accepted.id, b"one\n")
    clock.then = [interrupt]
    with pytest.raises(FollowInterrupted):
        followed(accepted)
    world.tell(accepted.id, "DONE")
    assert followed(accepted).state is JobState.SUCCEEDED
    assert lines == [b"one", b"one"]


def test_an_interrupt_while_a_line_is_shown_keeps_nobody_from_polling(context, accepted, world, clock):
    from ipymlops.control.logs import read
    from ipymlops.control.watch import Watch

    clock.then = [lambda: world.write(accepted.id, b"one\n")]
    lines = read(context, accepted, follow=True)
    assert next(lines).text == b"one"  # and never comes back: a traceback may hold on to it
    with Watch(context) as watch:
        watch.turn()
        assert watch.is_leading
    lines.close()


def test_one_who_is_not_signed_in_is_told(accepted, followed, monkeypatch):
    def logs(*_):
        raise NotSignedIn("the session has expired", fix="sign in")

    monkeypatch.setattr(FakePlatform, "logs", logs)
    with pytest.raises(NotSignedIn):
        followed(accepted)


def test_a_login_that_expires_in_the_middle_is_told_and_waited_for(
    accepted, followed, world, lines, screen, monkeypatch
):
    world.write(accepted.id, b"one\n")
    world.tell(accepted.id, "DONE")
    read, answers = FakePlatform.logs, [True, False, False]

    def logs(*words):
        page = read(*words)
        if answers and not answers.pop(0):
            raise NotSignedIn("the session has expired", fix="sign in")
        return replace(page, is_end=False) if answers else page

    monkeypatch.setattr(FakePlatform, "logs", logs)
    followed(accepted)
    assert lines == [b"one"]
    assert screen.notes.count("the session has expired; asking again") == 1
