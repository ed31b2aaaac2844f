"""The share of calls that all processes of a home keep together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from ipymlops.errors import Unreachable
from ipymlops.platforms.sagemaker import budget
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.budget import DESCRIBES, LISTS, LONGEST_WAIT_S, Budget

WAIT_S = 60.0


class FakeTime:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
def share(home: Path, clock: FakeTime) -> Budget:
    return Budget(home, "us-east-1", clock.now, clock.sleep)


def taken_in(share: Budget, clock: FakeTime, seconds: float, kind: str = LISTS) -> int:
    """How many calls one who never rests makes in that time."""
    began, count = clock.at, 0
    while True:
        share.take(kind)
        if clock.at > began + seconds:
            return count
        count += 1


def test_a_minute_has_sixty_lists_and_three_hundred_descriptions(share: Budget, clock: FakeTime) -> None:
    assert taken_in(share, clock, 60) in range(60, 63)
    assert taken_in(share, clock, 60, DESCRIBES) in range(300, 312)


def test_a_pause_is_good_for_a_small_burst_and_no_more(share: Budget, clock: FakeTime) -> None:
    share.take(LISTS)
    clock.at += 3600
    assert taken_in(share, clock, 0.5) == 2


def test_regions_and_kinds_have_shares_of_their_own(share: Budget, home: Path, clock: FakeTime) -> None:
    began = clock.at
    other = Budget(home, "eu-central-1", clock.now, clock.sleep)
    for one, kind in ((share, LISTS), (share, LISTS), (share, DESCRIBES), (other, LISTS), (other, LISTS)):
        one.take(kind)
    assert clock.at == began


def test_who_would_wait_too_long_is_told_so_and_takes_no_turn(home: Path, clock: FakeTime) -> None:
    patient = Budget(home, "us-east-1", clock.now, lambda _seconds: None)
    for _ in range(12):
        patient.take(LISTS)
    for _ in range(3):
        with pytest.raises(Unreachable, match="too many questions") as caught:
            patient.take(LISTS)
    assert "in 11 s" in caught.value.why
    clock.at += 1
    patient.take(LISTS)


def test_the_service_that_asks_to_go_slower_gets_half_for_a_minute(share: Budget, clock: FakeTime) -> None:
    share.slow_down(LISTS)
    assert taken_in(share, clock, 59) in range(29, 33)
    clock.at += 2
    assert taken_in(share, clock, 60) in range(59, 63)
    assert taken_in(share, clock, 10, DESCRIBES) in range(50, 62)


@pytest.mark.parametrize("jump_s", [-86400.0, -30.0, -5.0, 86400.0])
def test_a_clock_that_jumps_stops_nobody(share: Budget, clock: FakeTime, jump_s: float) -> None:
    for _ in range(5):
        share.take(LISTS)
    share.slow_down(LISTS)
    clock.at += jump_s
    began = clock.at
    share.take(LISTS)
    assert clock.at - began <= LONGEST_WAIT_S
    assert taken_in(share, clock, 60) >= 25


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'"x"', b"\xff\x00", b'{"list": 3}', b'{"list": {"free": "x"}}', b'{"list": null}']
)
def test_a_damaged_file_is_begun_anew(share: Budget, clock: FakeTime, content: bytes) -> None:
    share.take(LISTS)
    share.path.write_bytes(content)
    began = clock.at
    share.take(LISTS)
    assert clock.at == began
    assert taken_in(share, clock, 10) in range(9, 12)


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e300", "-1e300"])
def test_numbers_that_are_no_times_are_begun_anew(share: Budget, clock: FakeTime, number: str) -> None:
    share.take(LISTS)
    share.path.write_text(f'{{"list": {{"free": {number}, "slow_until": {number}}}}}')
    assert taken_in(share, clock, 10) in range(9, 13)


def test_a_home_that_cannot_be_written_keeps_nobody_from_asking(home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("no folder")
    Budget(home, "us-east-1").take(DESCRIBES)


def test_a_call_waits_for_its_turn_and_a_throttled_one_is_counted_again(
    aws: Aws, api, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[str] = []
    monkeypatch.setattr(Budget, "take", lambda _self, kind: kinds.append(kind))
    api.faults.throttle_next = {"Search": 1}
    client = aws.client("sagemaker")
    client.search(Resource="TrainingJob")
    client.list_training_jobs()
    for ask in (client.describe_training_job, client.stop_training_job):
        with pytest.raises(client.exceptions.ClientError):
            ask(TrainingJobName="nobody")
    assert kinds == [LISTS, LISTS, LISTS, DESCRIBES]
    assert '"slow_until": 1' in (aws.home / "budgets" / "sagemaker-us-east-1.json").read_text()


def test_what_waits_too_long_reaches_the_caller_as_it_is(aws: Aws, api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "LONGEST_WAIT_S", -1.0)
    with pytest.raises(Unreachable, match="too many questions"):
        aws.client("sagemaker").search(Resource="TrainingJob")
    assert api.calls == []


def _take_many(home: Path, count: int, times: multiprocessing.Queue[float]) -> None:
    share = Budget(home, "us-east-1")
    for _ in range(count):
        share.take(DESCRIBES)
        times.put(time.time())


def test_two_processes_have_one_share(home: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    times = spawned.Queue()
    processes = [spawned.Process(target=_take_many, args=(home, 10, times)) for _ in range(2)]
    for process in processes:
        process.start()
    at = sorted(times.get(timeout=WAIT_S) for _ in range(20))
    for process in processes:
        process.join(WAIT_S)
    assert at[-1] - at[0] >= 1.9  # ten at once, the others a fifth of a second apart


def _hold(home: Path, ready: multiprocessing.Queue[int]) -> None:
    with Budget(home, "us-east-1")._state():
        ready.put(os.getpid())
        time.sleep(WAIT_S)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_a_holder_that_was_killed_or_stopped_keeps_nobody_waiting(home: Path, sign: signal.Signals) -> None:
    spawned = multiprocessing.get_context("spawn")
    ready = spawned.Queue()
    holder = spawned.Process(target=_hold, args=(home, ready))
    holder.start()
    os.kill(ready.get(timeout=WAIT_S), sign)
    if sign is signal.SIGKILL:
        holder.join(WAIT_S)
    Budget(home, "us-east-1").take(DESCRIBES)
    holder.kill()
    holder.join(WAIT_S)
