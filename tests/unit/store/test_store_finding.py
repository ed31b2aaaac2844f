"""`find` against the plain Python predicate, through every path: newest first, the index, short words, no index."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipymlops.job import JobState
from ipymlops.store import finding
from ipymlops.store.base import JobQuery
from ipymlops.store.session import Opening
from ipymlops.store.sqlite import SqliteStore
from ipymlops.store.words import folded, matches, searched_text, storable
from ipymlops.testing.sample_jobs import NOON, a_job

ALPHABET = 'aAbßſİıéΣςσ-=" %_*\x00\n\udcff\udc80\U0010f000\U0010f010\U0010f011\U0010ffff💥'  # noqa: RUF001
TEXTS = st.text(ALPHABET, max_size=8)
JOBS = st.builds(
    a_job,
    TEXTS,
    argv=st.lists(TEXTS, max_size=3).map(tuple),
    labels=st.dictionaries(TEXTS, TEXTS, max_size=1),
    branch=st.none() | TEXTS,
    state=st.sampled_from(JobState),
    platform=st.sampled_from(["local", "ray", "x"]),
    is_ours=st.booleans(),
    created_at=st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours)),
)
MOMENTS = st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
QUERIES = st.builds(
    JobQuery,
    words=st.lists(st.text(ALPHABET, max_size=4), max_size=2).map(tuple),
    states=st.lists(st.sampled_from(JobState), max_size=2).map(tuple),
    platforms=st.lists(st.sampled_from(["local", "ray", "x", "none"]), max_size=2).map(tuple),
    since=MOMENTS,
    until=MOMENTS,
    only_ours=st.booleans(),
)
LOOSELY = settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
    derandomize=True,
)


@pytest.fixture(params=[True, False], ids=["index", "no index"])
def store(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """A store in which all but the newest two jobs are found the way old ones are."""
    monkeypatch.setattr(finding, "RECENT", 2)
    store = SqliteStore(home, Opening(busy_timeout_s=60, with_index=request.param))
    yield store
    store.close()


@LOOSELY
@given(jobs=st.lists(JOBS, max_size=6), queries=st.lists(QUERIES, min_size=1, max_size=4), limit=st.integers(1, 4))
def test_find_is_the_plain_predicate(store: SqliteStore, jobs, queries, limit) -> None:
    clear(store)
    stored = [store.add(job)[0] for job in jobs]
    for query in queries:
        expected = [job for job in reversed(stored) if matches(query, job)]
        assert store.find(query) == expected
        assert store.find(query, limit=limit) == expected[:limit]


def clear(store: SqliteStore) -> None:
    with store._opened().writing() as connection:
        for number, text in connection.execute("SELECT number, text FROM jobs").fetchall():
            if store._opened().has_index:
                connection.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (number, text))
        for table in ("records", "jobs", "stale"):
            connection.execute(f"DELETE FROM {table}")


@settings(deadline=None, max_examples=300, database=None, derandomize=True)
@given(word=TEXTS, text=TEXTS)
def test_what_is_stored_keeps_what_occurs_in_what(word: str, text: str) -> None:
    assert (storable(word) in storable(text)) == (word in text)
    assert (folded(word) in folded(text)) == (word.casefold() in text.casefold())
    storable(text).encode()


def test_a_change_replaces_what_the_index_knew(store: SqliteStore) -> None:
    job, _ = store.add(a_job("first"))
    for _ in range(5):
        store.add(a_job())
    store.update(job.id, lambda one: replace(one, branch="feature", state=JobState.FAILED))
    assert store.find(JobQuery(words=("feature",)), limit=9) == [store.get(job.id)]
    assert len(store.find(JobQuery(words=("queued",)), limit=9)) == 5


def test_a_word_in_the_oldest_of_many_jobs_is_found(store: SqliteStore) -> None:
    job, _ = store.add(a_job("needle"))
    for _ in range(30):
        store.add(a_job("hay"))
    for word in ("needle", "ee", "n", "dle"):
        assert store.find(JobQuery(words=(word,)), limit=3) == [job]
    assert store.resolve("need") == job


def test_what_a_process_without_an_index_writes_is_found_and_indexed_by_the_next_write(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(finding, "RECENT", 0)
    with_index, without = SqliteStore(home), SqliteStore(home, Opening(with_index=False))
    job, _ = with_index.add(a_job("alpha"))
    other, _ = without.add(a_job("beta"))
    without.update(job.id, lambda one: replace(one, branch="gamma"))
    assert with_index.find(JobQuery(words=("gamma",)), limit=5) == [with_index.get(job.id)]
    assert with_index.find(JobQuery(words=("beta",)), limit=5) == [other]
    with_index.add(a_job("delta"))
    assert with_index._opened().connection.execute("SELECT count(*) FROM stale").fetchone() == (0,)
    assert with_index.find(JobQuery(words=("gamma",)), limit=5) == [with_index.get(job.id)]
    with_index.close(), without.close()


def test_a_file_made_without_an_index_gets_one(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(finding, "RECENT", 0)
    without = SqliteStore(home, Opening(with_index=False))
    job, _ = without.add(a_job("alpha"))
    without.update(job.id, lambda one: replace(one, branch="beta"))
    without.close()
    with_index = SqliteStore(home)
    with_index.add(a_job("gamma"))
    assert [one.id for one in with_index.find(JobQuery(words=("beta",)), limit=5)] == [job.id]
    with_index.close()


def test_the_searched_text_ends_so_that_every_character_begins_a_sequence_of_three() -> None:
    text = searched_text(a_job("x"))
    assert len(text) - text.rindex("d") > 2  # the last of "queued"
