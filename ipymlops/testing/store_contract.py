"""What every store keeps: subclass `StoreContract` with a `store` fixture.

Each test is a line of `ipymlops.store.base.Store`; for stores that processes share there is `shared_store_contract`.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from ipymlops.errors import UnknownJob
from ipymlops.job import Job, JobState
from ipymlops.spec import JobId, PlatformRef
from ipymlops.store.base import JobQuery, Store
from ipymlops.store.words import matches
from ipymlops.testing.listed_store_contract import ListedStoreContract
from ipymlops.testing.sample_jobs import NOON, a_job, an_intent, full_job, others_job

WAIT_S = 60.0


class StoreContract(ListedStoreContract):
    """The promises of a store, in one process."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty store: yours."""
        raise AssertionError("a subclass gives the fixture `store`")

    def test_numbers_count_up_from_one(self, store: Store) -> None:
        assert [store.add(a_job())[0].number for _ in range(3)] == [1, 2, 3]

    def test_the_default_name_is_the_stem_and_the_number(self, store: Store) -> None:
        store.add(a_job("first"))
        assert store.add(a_job(), stem="train")[0].name == "train-2"

    def test_a_name_that_was_asked_for_is_kept(self, store: Store) -> None:
        assert store.add(a_job("mine"), stem="train")[0].name == "mine"

    def test_add_says_that_a_job_is_new(self, store: Store) -> None:
        assert store.add(a_job())[1] is True

    def test_a_live_job_with_the_same_fingerprint_is_returned_instead(self, store: Store) -> None:
        first, _ = store.add(a_job(fingerprint="f"), again=False)
        assert store.add(a_job(fingerprint="f"), again=False) == (first, False)
        assert len(store.find(JobQuery())) == 1

    def test_again_starts_another(self, store: Store) -> None:
        store.add(a_job(fingerprint="f"), again=False)
        assert store.add(a_job(fingerprint="f"), again=True)[1] is True

    @pytest.mark.parametrize("state", [JobState.UNKNOWN, JobState.STOPPING])
    def test_whatever_is_not_final_is_live(self, store: Store, state: JobState) -> None:
        first, _ = store.add(a_job(fingerprint="f"))
        store.update(first.id, lambda job: replace(job, state=state))
        assert store.add(a_job(fingerprint="f"), again=False)[0].id == first.id

    def test_a_final_job_is_no_twin(self, store: Store) -> None:
        store.add(a_job(fingerprint="f", state=JobState.SUCCEEDED))
        assert store.add(a_job(fingerprint="f"), again=False)[1] is True

    def test_a_job_that_its_platform_no_longer_knows_is_no_twin(self, store: Store) -> None:
        first, _ = store.add(a_job(fingerprint="f"))
        store.update(first.id, lambda job: replace(job, state=JobState.UNKNOWN, error={"is_gone": True}))
        second, is_new = store.add(a_job(fingerprint="f"), again=False)
        assert is_new
        assert store.add(a_job(fingerprint="f"), again=False) == (second, False)

    def test_jobs_without_a_fingerprint_have_no_twin(self, store: Store) -> None:
        store.add(a_job(), again=False)
        assert store.add(a_job(), again=False)[1] is True

    def test_adding_one_id_twice_is_harmless(self, store: Store) -> None:
        first, _ = store.add(a_job())
        assert store.add(replace(first, number=0)) == (first, False)

    def test_a_job_comes_back_as_it_was_written(self, store: Store) -> None:
        job = full_job()
        stored, _ = store.add(job)
        assert stored == replace(job, number=1)
        assert store.get(job.id) == stored
        assert store.find(JobQuery()) == [stored]

    def test_the_intent_comes_back_with_its_job(self, store: Store) -> None:
        job, _ = store.add(a_job(), an_intent())
        assert store.intent(job.id) == an_intent()

    def test_others_jobs_have_no_intent(self, store: Store) -> None:
        job, _ = store.add(a_job())
        assert store.intent(job.id) is None

    def test_getting_a_job_that_is_not_there_is_an_error(self, store: Store) -> None:
        for act in (store.get, store.intent, lambda one: store.update(one, lambda job: job)):
            with pytest.raises(UnknownJob):
                act(JobId("jnowhere"))

    def test_update_returns_what_is_stored(self, store: Store) -> None:
        job, _ = store.add(a_job())
        changed = store.update(job.id, lambda one: replace(one, state=JobState.RUNNING, ref=PlatformRef("r")))
        assert (changed.state, changed.ref) == (JobState.RUNNING, "r")
        assert store.get(job.id) == changed

    def test_update_keeps_id_and_number(self, store: Store) -> None:
        job, _ = store.add(a_job())
        changed = store.update(job.id, lambda one: replace(one, id=JobId("jother"), number=9, detail="x"))
        assert (changed.id, changed.number, changed.detail) == (job.id, 1, "x")

    def test_a_change_that_fails_changes_nothing(self, store: Store) -> None:
        job, _ = store.add(a_job())

        def fail(_: Job) -> Job:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.update(job.id, fail)
        assert store.get(job.id) == job
        assert store.add(a_job())[0].number == 2

    def test_a_final_state_never_changes_again(self, store: Store) -> None:
        job, _ = store.add(full_job())
        later = store.update(
            job.id,
            lambda one: replace(one, state=JobState.RUNNING, end_reason=None, exit_code=0, ended_at=None, url="u"),
        )
        assert later == replace(job, url="u")

    def test_updates_of_many_threads_are_all_kept(self, store: Store) -> None:
        job, _ = store.add(a_job(accelerator_count=0))

        def count_up() -> None:
            for _ in range(20):
                store.update(job.id, lambda one: replace(one, accelerator_count=one.accelerator_count + 1))

        threads = [threading.Thread(target=count_up) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert store.get(job.id).accelerator_count == 80

    def test_the_newest_come_first_whatever_the_clock_says(self, store: Store) -> None:
        for hours in (0, 2, -5, 1):
            store.add(a_job(created_at=NOON + timedelta(hours=hours)))
        assert [job.number for job in store.find(JobQuery())] == [4, 3, 2, 1]
        assert [job.number for job in store.find(JobQuery(), limit=2)] == [4, 3]
        assert [job.number for job in store.live()] == [4, 3, 2, 1]

    def test_live_leaves_out_what_is_final(self, store: Store) -> None:
        for state in JobState:
            store.add(a_job(state=state))
        assert {job.state for job in store.live()} == {state for state in JobState if not state.is_final}

    @pytest.mark.parametrize(
        "query",
        [
            *(JobQuery(words=(word,)) for word in ("NÄME", "ss", "3E-4", "team=vis", "größe", "ababab", "ANN", "a10g")),
            *(JobQuery(words=(word,)) for word in ("g5", "ailed", "keyerror", "\udcff", "\udce9", "a\nb", "$x", "💥")),
            *(
                JobQuery(words=(word,))
                for word in ("", "%", "_", '"', "--lr 3e-4", "nowhere", "zq", "l4", "🎵", "\x00")
            ),
            *(JobQuery(words=words) for words in (("vision", "ss"), ("vision", "plain"), ("in", "A"), ("tr", "zq"))),
            JobQuery(states=(JobState.FAILED, JobState.STOPPED)),
            JobQuery(platforms=("local", "vertex"), words=("plain",)),
            JobQuery(since=NOON),
            JobQuery(until=NOON, states=(JobState.QUEUED,)),
            JobQuery(since=NOON + timedelta(microseconds=1), words=("plain",)),
            JobQuery(only_ours=True),
            JobQuery(only_ours=True, words=("plain",)),
        ],
        ids=repr,
    )
    def test_find_agrees_with_the_plain_predicate(self, store: Store, query: JobQuery) -> None:
        later = NOON + timedelta(hours=1)
        jobs = [full_job(), a_job("plain"), a_job("Plain 2", created_at=later), a_job("💥"), others_job("plain 3")]
        stored = [store.add(job)[0] for job in jobs]
        expected = [job for job in reversed(stored) if matches(query, job)]
        assert store.find(query) == expected
        assert store.find(query, limit=1) == expected[:1]

    def test_find_sees_a_change_at_once(self, store: Store) -> None:
        job, _ = store.add(a_job("x"))
        store.update(
            job.id, lambda one: replace(one, state=JobState.FAILED, error={"what": "boom", "why": "", "fix": ""})
        )
        assert store.find(JobQuery(words=("boom",))) == [store.get(job.id)]
        assert store.find(JobQuery(words=("queued",))) == []
        assert store.find(JobQuery(states=(JobState.QUEUED,))) == []

    def test_a_word_finds_no_job_across_two_fields(self, store: Store) -> None:
        store.add(a_job("end", user="begin"))
        assert store.find(JobQuery(words=("endbegin",))) == []

    def test_digits_are_a_number_first(self, store: Store) -> None:
        store.add(a_job("2"))
        second, _ = store.add(a_job("x"))
        assert store.resolve("2") == second

    def test_digits_that_are_no_number_are_a_word(self, store: Store) -> None:
        job, _ = store.add(a_job("run-77"))
        assert store.resolve("77") == job

    def test_last_is_the_newest(self, store: Store) -> None:
        store.add(a_job())
        newest, _ = store.add(a_job())
        assert store.resolve("last") == newest

    def test_an_exact_id_is_found(self, store: Store) -> None:
        job, _ = store.add(a_job())
        store.add(a_job(str(job.id) + "x"))
        assert store.resolve(job.id) == job

    def test_an_exact_name_wins_over_a_part(self, store: Store) -> None:
        job, _ = store.add(a_job("train"))
        store.add(a_job("train-2"))
        assert store.resolve("train") == job

    def test_four_characters_of_an_id_are_enough(self, store: Store) -> None:
        job, _ = store.add(a_job(id=JobId("jabc123")))
        store.add(a_job(id=JobId("jabd456")))
        store.add(a_job(id=JobId("jxy7890")))
        assert store.resolve("jabc") == job
        with pytest.raises(UnknownJob, match="no job is called 'jxy'"):
            store.resolve("jxy")

    def test_a_part_of_one_name_is_enough_whatever_its_case(self, store: Store) -> None:
        job, _ = store.add(a_job("BERT-large"))
        store.add(a_job("resnet", branch="bert"))
        assert store.resolve("bert") == job

    @pytest.mark.parametrize("word", ["twin", "same", "jsam"])
    def test_an_ambiguous_word_names_the_candidates(self, store: Store, word: str) -> None:
        for count in (1, 2):
            store.add(a_job("twin", id=JobId(f"jsame{count}")))
            store.add(a_job(f"same-{count}"))
        with pytest.raises(UnknownJob) as caught:
            store.resolve(word)
        assert "several" in caught.value.what
        assert any(f"{one.number} ({one.name}" in caught.value.why for one in store.find(JobQuery()))

    def test_a_misspelt_name_is_told_the_nearest(self, store: Store) -> None:
        store.add(a_job("resnet-50"))
        with pytest.raises(UnknownJob) as caught:
            store.resolve("resnte-50")
        assert "'resnet-50'" in caught.value.why
        assert caught.value.fix == "ipymlops show resnet-50"

    @pytest.mark.parametrize("word", ["last", "7", "", "²", "9" * 40, "x", "\udcff", "\x00"])
    def test_in_an_empty_store_every_word_is_unknown(self, store: Store, word: str) -> None:
        with pytest.raises(UnknownJob):
            store.resolve(word)

    def test_closing_twice_is_harmless(self, store: Store) -> None:
        store.add(a_job())
        store.close()
        store.close()
