"""What a store keeps that several processes share: subclass with the fixtures `store` and `reopen`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import pytest

from ipymlops.spec import Intent, JobId, JobSpec, Plan
from ipymlops.store.base import JobQuery, Store
from ipymlops.testing.sample_jobs import NOON, a_job, an_intent, full_job, others_job
from ipymlops.testing.store_contract import WAIT_S, StoreContract


class SharedStoreContract(StoreContract):
    """The promises of a store that all processes of one user share."""

    @pytest.fixture
    def reopen(self) -> Callable[[], Store]:
        """Open the same store again; can be pickled."""
        raise AssertionError("a subclass gives the fixture `reopen`")

    def test_another_opening_sees_the_same_jobs(self, store: Store, reopen: Callable[[], Store]) -> None:
        job, _ = store.add(full_job(), an_intent())
        other = reopen()
        assert (other.get(job.id), other.intent(job.id)) == (job, an_intent())
        other.close()

    def test_numbers_go_on_after_a_close(self, store: Store, reopen: Callable[[], Store]) -> None:
        store.add(a_job())
        store.close()
        other = reopen()
        assert other.add(a_job())[0].number == 2
        other.close()

    def test_a_job_whose_intent_cannot_be_written_is_not_there_either(self, store: Store) -> None:
        unwritable = Intent(JobSpec("train.py"), Plan("local", request={"now": NOON}), None)
        with pytest.raises(TypeError):
            store.add(a_job(), unwritable)
        assert store.find(JobQuery()) == []
        assert store.add(a_job())[0].number == 1

    def test_a_page_is_written_whole_or_not_at_all(self, store: Store) -> None:
        unwritable = others_job("bad", created_at=NOON + timedelta(hours=1), labels={"now": NOON})
        with pytest.raises(TypeError):
            store.merge([others_job("good"), unwritable])
        assert store.find(JobQuery()) == []

    def test_two_processes_that_submit_the_same_cell_get_one_job(
        self, store: Store, reopen: Callable[[], Store]
    ) -> None:
        answers = _in_processes(2, _add_same, reopen, 1)
        assert len({job_id for job_id, _ in answers}) == 1
        assert sorted(is_new for _, is_new in answers) == [False, True]
        assert len(store.find(JobQuery())) == 1

    def test_numbers_of_many_processes_never_repeat(self, reopen: Callable[[], Store]) -> None:
        answers = _in_processes(3, _add_many, reopen, 10)
        assert sorted(str(number) for number, _ in answers) == sorted(str(number) for number in range(1, 31))

    def test_updates_of_many_processes_are_all_kept(self, store: Store, reopen: Callable[[], Store]) -> None:
        store.add(a_job(id=JobId("jcounted")))
        _in_processes(3, _count_up, reopen, 10)
        assert store.get(JobId("jcounted")).accelerator_count == 30

    def test_two_processes_that_list_the_same_account_record_each_job_once(
        self, store: Store, reopen: Callable[[], Store]
    ) -> None:
        answers = _in_processes(2, _merge_page, reopen, 1)
        assert sorted(str(changed) for changed, _ in answers) == ["0", "20"]
        assert sorted(job.number for job in store.find(JobQuery())) == list(range(1, 21))

    def test_a_process_that_opens_it_twice_still_sees_what_others_write(
        self, store: Store, reopen: Callable[[], Store]
    ) -> None:
        store.add(a_job())
        second = reopen()
        assert len(second.find(JobQuery())) == 1
        _in_processes(1, _add_many, reopen, 1)  # it closes, and must not take itself for the last one
        with _a_process_that_stays(_add_many, reopen):
            assert len(store.find(JobQuery())) == len(second.find(JobQuery())) == 3
        second.close()


Answer = tuple[object, bool]
Work = Callable[[Store], Answer]


def _add_same(store: Store) -> Answer:
    job, is_new = store.add(a_job(fingerprint="same"), an_intent(), stem="train", again=False)
    return job.id, is_new


def _add_many(store: Store) -> Answer:
    job, is_new = store.add(a_job(), an_intent())
    return job.number, is_new


def _count_up(store: Store) -> Answer:
    changed = store.update(JobId("jcounted"), lambda one: replace(one, accelerator_count=one.accelerator_count + 1))
    return changed.accelerator_count, False


def _merge_page(store: Store) -> Answer:
    return store.merge([others_job(f"job-{one}", id=JobId(f"x{one}")) for one in range(20)]), False


def _in_processes(count: int, work: Work, reopen: Callable[[], Store], times: int) -> list[Answer]:
    """What `count` processes get that all begin the work at the same moment and do it `times` times."""
    spawned = multiprocessing.get_context("spawn")
    barrier, answers = spawned.Barrier(count), spawned.Queue()
    processes = [spawned.Process(target=_work, args=(work, reopen, times, barrier, answers)) for _ in range(count)]
    for process in processes:
        process.start()
    got = [answers.get(timeout=WAIT_S) for _ in range(count * times)]
    for process in processes:
        process.join(WAIT_S)
        assert process.exitcode == 0
    return got


@contextmanager
def _a_process_that_stays(work: Work, reopen: Callable[[], Store]) -> Iterator[None]:
    """A process that has done the work once and keeps the store open."""
    spawned = multiprocessing.get_context("spawn")
    ready, leave, answers = spawned.Barrier(1), spawned.Barrier(2), spawned.Queue()
    process = spawned.Process(target=_work, args=(work, reopen, 1, ready, answers), kwargs={"leave": leave})
    process.start()
    answers.get(timeout=WAIT_S)
    yield
    leave.wait(WAIT_S)
    process.join(WAIT_S)
    assert process.exitcode == 0


def _work(
    work: Work,
    reopen: Callable[[], Store],
    times: int,
    barrier: Barrier,
    answers: Queue[Answer],
    *,
    leave: Barrier | None = None,
) -> None:
    store = reopen()
    barrier.wait(WAIT_S)
    for _ in range(times):
        answers.put(work(store))
    if leave:
        leave.wait(WAIT_S)
    store.close()
