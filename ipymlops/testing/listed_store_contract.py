"""What every store keeps of the jobs that others started and a platform lists: a part of `StoreContract`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ipymlops.errors import UnknownJob
from ipymlops.job import EndReason, JobState
from ipymlops.store.base import JobQuery, Store
from ipymlops.testing.sample_jobs import NOON, a_job, an_intent, others_job


class ListedStoreContract:
    """Each test is a line of `Store.merge`, or of what it means for the other methods."""

    def test_what_a_platform_lists_is_recorded_in_the_order_of_its_creation(self, store: Store) -> None:
        mine, _ = store.add(a_job())
        page = [others_job(f"job-{hours}", created_at=NOON + timedelta(hours=hours)) for hours in (3, 2, 1)]
        assert store.merge(page) == 3
        assert [(job.number, job.name) for job in store.find(JobQuery())] == [
            (4, "job-3"),
            (3, "job-2"),
            (2, "job-1"),
            (1, mine.name),
        ]
        assert store.get(page[0].id) == replace(page[0], number=4)
        assert store.find(JobQuery(words=("job-2",))) == [store.get(page[1].id)]

    def test_listing_the_same_again_changes_nothing(self, store: Store) -> None:
        page = [others_job("one"), others_job("two")]
        assert store.merge([*page, page[0]]) == 2
        before = store.find(JobQuery())
        assert (store.merge(page), store.merge([]), store.find(JobQuery())) == (0, 0, before)

    def test_a_job_of_others_is_brought_up_to_date_and_keeps_its_name(self, store: Store) -> None:
        job = others_job("native", state=JobState.RUNNING, labels={"a": "b"})
        store.merge([job])
        later = replace(job, name="other", state=JobState.FAILED, end_reason=EndReason.EXIT_CODE, labels={"a": "c"})
        assert store.merge([later]) == 1
        assert store.get(job.id) == replace(later, number=1, name="native")
        assert store.find(JobQuery(words=("a=c", "failed"))) == [store.get(job.id)]
        assert store.live() == []

    def test_what_a_page_does_not_tell_stays(self, store: Store) -> None:
        job = others_job(
            "native",
            state=JobState.FAILED,
            argv=("--lr", "1"),
            machine_type="m",
            accelerator="t4",
            accelerator_count=4,
            nodes=2,
            error={"what": "boom"},
            exit_code=0,
        )
        store.merge([job])
        assert store.merge([others_job("native", id=job.id, state=JobState.FAILED)]) == 0
        assert store.get(job.id) == replace(job, number=1)

    def test_a_list_that_lags_behind_takes_no_end_back(self, store: Store) -> None:
        job = others_job("native", state=JobState.SUCCEEDED, ended_at=NOON)
        store.merge([job])
        store.merge([replace(job, state=JobState.RUNNING, ended_at=None)])
        assert store.get(job.id) == replace(job, number=1)

    def test_how_a_job_ended_may_become_known_later(self, store: Store) -> None:
        job = others_job("native", state=JobState.FAILED)
        store.merge([job])
        store.merge([replace(job, end_reason=EndReason.EXIT_CODE, exit_code=3, error={"what": "boom"})])
        store.merge([replace(job, end_reason=EndReason.PREEMPTED, exit_code=4)])
        found = store.get(job.id)
        assert (found.end_reason, found.exit_code, found.error) == (EndReason.EXIT_CODE, 3, {"what": "boom"})

    def test_a_stop_that_was_asked_for_stays_until_it_shows(self, store: Store) -> None:
        job = others_job("native", state=JobState.RUNNING)
        store.merge([job])
        store.update(job.id, lambda one: replace(one, state=JobState.STOPPING))
        store.merge([job])
        assert store.get(job.id).state is JobState.STOPPING
        store.merge([replace(job, state=JobState.STOPPED, end_reason=EndReason.USER)])
        assert store.get(job.id).state is JobState.STOPPED

    def test_a_list_leaves_ours_alone(self, store: Store) -> None:
        mine, _ = store.add(a_job("mine", state=JobState.RUNNING))
        sent, _ = store.add(a_job("sent", is_ours=False), an_intent())
        page = [replace(job, name="x", state=JobState.FAILED, is_ours=False) for job in (mine, sent)]
        assert store.merge(page) == 0
        assert (store.get(mine.id), store.get(sent.id)) == (mine, sent)

    def test_live_can_leave_out_what_others_started(self, store: Store) -> None:
        mine, _ = store.add(a_job())
        store.merge([others_job("theirs", state=JobState.RUNNING)])
        assert len(store.live()) == 2
        assert store.live(only_ours=True) == [mine]

    def test_last_is_never_a_job_of_others(self, store: Store) -> None:
        store.merge([others_job("before")])
        with pytest.raises(UnknownJob):
            store.resolve("last")
        mine, _ = store.add(a_job())
        store.merge([others_job("after")])
        assert store.resolve("last") == mine

    def test_jobs_of_others_answer_to_their_native_names(self, store: Store) -> None:
        twice = [others_job("again", created_at=NOON + timedelta(hours=hours)) for hours in (1, 2)]
        store.merge([others_job("their-Job-7"), *twice])
        assert store.resolve("their-Job-7").number == store.resolve("job-7").number == 1
        with pytest.raises(UnknownJob, match="several") as caught:
            store.resolve("again")
        assert caught.value.fix == "ipymlops show 3"
