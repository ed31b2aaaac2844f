"""The file of jobs: where it lies, who may read it, and everything that can go wrong with it."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ipymlops.errors import StoreProblem
from ipymlops.job import JobState
from ipymlops.spec import PlatformRef
from ipymlops.store import session as sessions
from ipymlops.store.base import JobQuery
from ipymlops.store.session import Opening, migrations, run_script
from ipymlops.store.sqlite import SqliteStore
from ipymlops.testing.sample_jobs import a_job, an_intent

OLD = Path(__file__).parent / "data" / "jobs-v1.db"
ALL = JobQuery()


@pytest.fixture
def store(home: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(home, Opening(busy_timeout_s=60))
    yield store
    store.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nothing_is_made_before_the_first_use(home: Path) -> None:
    SqliteStore(home).close()
    assert not home.exists()


def test_the_folder_and_the_file_are_for_the_user_alone(store: SqliteStore, home: Path) -> None:
    store.add(a_job(), an_intent())
    assert [mode(home), mode(home / "jobs.db"), mode(home / "records")] == [0o700, 0o600, 0o700]


def test_a_folder_that_others_may_read_is_closed(store: SqliteStore, home: Path) -> None:
    home.mkdir(mode=0o755)
    store.find(ALL)
    assert mode(home) == 0o700


@pytest.mark.parametrize(
    ("kind", "journal"), [("ext4", "wal"), ("nfs4", "delete"), ("fuse.s3fs", "delete"), ("", "wal")]
)
def test_the_journal_suits_the_file_system(kind: str, journal: str, home: Path) -> None:
    store = SqliteStore(home, Opening(filesystem=kind))
    store.add(a_job())
    assert store._opened().connection.execute("PRAGMA journal_mode").fetchone() == (journal,)
    store.close()


def test_a_home_that_moved_to_network_storage_changes_its_journal(home: Path) -> None:
    here = SqliteStore(home, Opening(filesystem="ext4"))
    job, _ = here.add(a_job())
    here.close()
    there = SqliteStore(home, Opening(filesystem="nfs4"))
    assert there.find(ALL) == [job]
    assert there._opened().connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    there.close()


def test_a_job_is_on_the_disk_before_add_returns(store: SqliteStore) -> None:
    assert store._opened().connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_old_file_is_opened_with_all_its_jobs(home: Path, store: SqliteStore) -> None:
    home.mkdir(parents=True)
    shutil.copy(OLD, home / "jobs.db")
    assert [(job.number, job.name, job.state) for job in store.find(ALL)] == [
        (3, "näme \udce9", JobState.FAILED),
        (2, "train-2", JobState.RUNNING),
        (1, "train-1", JobState.SUCCEEDED),
    ]
    assert store.intent(store.resolve("2").id) == an_intent()
    assert store.find(JobQuery(words=("vision",))) == [store.resolve("3")]
    assert store.add(a_job())[0].number == 4
    assert store.notices == []


def test_each_step_brings_an_older_file_up_to_date_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(home)
    job, _ = store.add(a_job())
    store.close()
    steps = [*migrations(), "CREATE TABLE more (x)", "INSERT INTO more VALUES (7)"]
    monkeypatch.setattr(sessions, "migrations", lambda: steps)
    for _ in range(2):
        assert store.find(ALL) == [job]
        connection = store._opened().connection
        assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
        assert connection.execute("SELECT x FROM more").fetchall() == [(7,)]
        store.close()


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            run_script(connection, "CREATE TABLE a (x); PRAGMA user_version = 5; CREATE TABLE a (x)")
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


def test_a_file_of_a_newer_version_is_refused_and_left_alone(store: SqliteStore, home: Path) -> None:
    store.add(a_job())
    store.close()
    with closing(sqlite3.connect(home / "jobs.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreProblem) as caught:
        store.find(ALL)
    assert "version 99" in caught.value.why
    assert f"up to {len(migrations())}" in caught.value.why
    assert caught.value.fix == "python -m pip install --upgrade ipymlops"
    assert sorted(home.glob("*.corrupt-*")) == []


@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
def test_a_lock_held_too_long_is_told(kind: str, home: Path) -> None:
    holder, store = SqliteStore(home), SqliteStore(home, Opening(busy_timeout_s=0.2, filesystem=kind))
    job, _ = holder.add(a_job())
    store.find(ALL)
    with holder._opened().writing(), pytest.raises(StoreProblem) as caught:
        store.update(job.id, lambda one: one)
    assert "locked" in caught.value.what
    assert "more than 0.2 s" in caught.value.why
    assert store.get(job.id) == job
    holder.close(), store.close()


def test_the_remedy_for_a_lock_names_the_process_that_has_it(home: Path, store: SqliteStore) -> None:
    store.add(a_job())
    other = SqliteStore(home, Opening(busy_timeout_s=0.1))
    other.find(ALL)
    with store._opened().writing(), pytest.raises(StoreProblem) as caught:
        other.add(a_job())
    shown = subprocess.run(caught.value.fix, shell=True, capture_output=True, text=True)
    assert f"/proc/{os.getpid()}/fd/" in shown.stdout
    other.close()


def test_an_opening_that_waits_too_long_for_another_is_told(home: Path) -> None:
    home.mkdir(parents=True)
    words = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    arguments = [sys.executable, "-c", words, str(home / "jobs.db.lock")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"1\n"
        with pytest.raises(StoreProblem, match="locked"):
            SqliteStore(home, Opening(busy_timeout_s=0.2)).find(ALL)
        holder.communicate(b"\n")


def test_a_full_disk_is_told_and_nothing_is_half_written(store: SqliteStore) -> None:
    job, _ = store.add(a_job())
    connection = store._opened().connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreProblem) as caught:
        store.add(a_job(argv=("x" * 100_000,)), an_intent())
    assert "is full" in caught.value.why
    assert caught.value.fix.startswith("df -h ")
    with pytest.raises(StoreProblem):
        store.update(job.id, lambda one: replace(one, detail="y" * 100_000))
    assert store.find(ALL) == [job]
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert store.add(a_job())[0].number == 2


def test_a_copy_that_cannot_be_written_is_told_and_the_job_is_safe(store: SqliteStore, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "records").write_text("in the way")
    job, is_new = store.add(a_job(), an_intent())
    assert (store.get(job.id), is_new) == (job, True)
    assert "no copy of job 1 could be written" in store.notices[0]


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreProblem) as caught:
        SqliteStore(tmp_path / "file" / "home").find(ALL)
    assert str(tmp_path / "file") in caught.value.why


@pytest.mark.parametrize("how", ["no database", "bad pages", "cut off", "gone", "empty"])
def test_a_damaged_file_is_kept_aside_and_the_list_is_rebuilt(how: str, home: Path) -> None:
    store = SqliteStore(home)
    done, _ = store.add(a_job(), an_intent(), stem="train")
    live, _ = store.add(a_job(), an_intent(), stem="train")
    done = store.update(done.id, lambda one: replace(one, state=JobState.SUCCEEDED, exit_code=0))
    live = store.update(live.id, lambda one: replace(one, ref=PlatformRef("r-1")))
    store.close()
    path = home / "jobs.db"
    {
        "no database": lambda: path.write_bytes(b"not a database at all" * 1000),
        "bad pages": lambda: damage_in_place(home),
        "cut off": lambda: os.truncate(path, 5000),
        "gone": path.unlink,
        "empty": lambda: path.write_bytes(b""),
    }[how]()
    assert store.find(ALL) == [live, done]
    assert store.intent(live.id) == an_intent()
    assert store.add(a_job())[0].number == 3
    aside = [one for one in home.glob("jobs.db.corrupt-*") if one.suffix not in ("-wal", "-shm")]
    assert len(aside) == (0 if how in ("gone", "empty") else 1)
    assert any("rebuilt from" in notice and "2 jobs" in notice for notice in store.notices)
    assert all(any(str(one) in notice for notice in store.notices) for one in aside)
    store.close()


def test_damage_met_while_at_work_is_mended_for_every_process(home: Path) -> None:
    ours, theirs = SqliteStore(home), SqliteStore(home)
    job, _ = ours.add(a_job(), an_intent())
    for number in range(200):
        ours.add(a_job(argv=(str(number) * 100,)))
    theirs.find(ALL)
    for store in (ours, theirs):
        for words in ("wal_checkpoint(TRUNCATE)", "cache_size = 0", "shrink_memory"):  # nothing is remembered
            store._opened().connection.execute(f"PRAGMA {words}").fetchall()
    damage_in_place(home)
    assert ours.find(ALL) == [job]
    assert theirs.find(ALL) == [job]
    theirs.update(job.id, lambda one: replace(one, detail="x"))
    assert ours.get(job.id).detail == "x"
    assert len([one for one in home.glob("jobs.db.corrupt-*") if one.name.endswith("Z")]) == 1
    ours.close(), theirs.close()


@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
@pytest.mark.parametrize("how", ["kept aside", "gone"])
def test_a_file_that_was_replaced_meanwhile_takes_no_more_jobs(how: str, kind: str, home: Path) -> None:
    """Another process found it damaged, or the user removed it: what goes into the old file, nobody would see."""
    theirs = SqliteStore(home, Opening(filesystem=kind))
    first, _ = theirs.add(a_job(), an_intent())
    for part in ("", "-wal", "-shm"):
        path = home / f"jobs.db{part}"
        if path.exists():
            path.rename(home / f"jobs.db.corrupt-1{part}") if how == "kept aside" else path.unlink()
    ours = SqliteStore(home, Opening(filesystem=kind))
    assert ours.find(ALL) == [first]
    second, _ = theirs.add(a_job(), an_intent())
    assert second.number == 2
    assert ours.find(ALL) == theirs.find(ALL) == [second, first]
    ours.close(), theirs.close()


def damage_in_place(home: Path) -> None:
    """Overwrite all but the first page; the header stays, so that the file still opens."""
    with (home / "jobs.db").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def test_a_copy_that_cannot_be_read_is_named_and_the_others_come_back(home: Path) -> None:
    store = SqliteStore(home)
    job, _ = store.add(a_job(), an_intent())
    store.close()
    (home / "jobs.db").unlink()
    (home / "records" / "a.json").write_text("{")
    (home / "records" / "b.json").write_text('{"job": {"id": 3}, "intent": null}')
    assert store.find(ALL) == [job]
    assert any("2 copies" in notice and "a.json" in notice for notice in store.notices)
    store.close()


def test_damage_without_copies_begins_anew_and_says_so(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "jobs.db").write_bytes(b"x" * 10_000)
    store = SqliteStore(home)
    assert store.find(ALL) == []
    assert "the list starts anew" in store.notices[-1]
    store.close()


def test_a_forked_child_has_a_connection_of_its_own(store: SqliteStore) -> None:
    parent = store._opened()
    store.add(a_job())
    pid = os.fork()
    if pid == 0:
        try:
            store.add(a_job("from the child"))
            assert store._opened() is not parent
            store.close()
        finally:
            os._exit(0 if store._opened() is not parent and len(store.find(ALL)) == 2 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert store.find(ALL)[0].name == "from the child"
    assert store._opened() is parent


def test_a_fork_while_another_thread_writes_does_not_hang_the_child(store: SqliteStore) -> None:
    is_inside, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with store._opened().writing():
            is_inside.set()
            may_go.wait(60)

    store.add(a_job())
    thread = threading.Thread(target=hold)
    thread.start()
    assert is_inside.wait(60)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if len(store.find(ALL)) == 1 else 1)
    may_go.set()
    assert os.waitpid(pid, 0)[1] == 0
    thread.join(60)


def test_a_process_killed_in_the_middle_of_a_write_leaves_nothing_half_written(home: Path, store: SqliteStore) -> None:
    store.add(a_job("before"))
    pid = os.fork()
    if pid == 0:
        with store._opened().writing() as connection:
            connection.execute("UPDATE jobs SET name = 'half'")
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert store.resolve("before").number == 1
    assert store.add(a_job())[0].number == 2


def test_many_threads_that_open_at_once_share_the_jobs(store: SqliteStore) -> None:
    threads = [threading.Thread(target=lambda: store.add(a_job())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(job.number for job in store.find(ALL)) == list(range(1, 9))


def test_a_record_of_a_newer_writer_is_read_without_what_we_do_not_know(store: SqliteStore) -> None:
    job, _ = store.add(a_job())
    with store._opened().writing() as connection:
        connection.execute('UPDATE records SET job = \'{"colour": "red", \' || substr(job, 2)')
    assert store.get(job.id) == job


def test_a_change_may_look_at_other_jobs(store: SqliteStore) -> None:
    job, _ = store.add(a_job())
    assert store.update(job.id, lambda one: replace(one, detail=str(len(store.find(ALL))))).detail == "1"
