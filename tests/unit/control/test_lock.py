import fcntl
import os
import signal
import subprocess
import sys

from ipymlops.control.lock import FileLock
from ipymlops.platforms.processes import is_locked

HOLDER = """
import sys, pathlib
from ipymlops.control.lock import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
print(lock.take(), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_for_one_and_free_again_after_release(tmp_path):
    path = tmp_path / "deep" / "a.lock"
    first, second = FileLock(path), FileLock(path)
    assert first.take()
    assert first.take()
    assert not second.take()
    assert is_locked(path)
    first.release()
    first.release()
    assert not is_locked(path)
    assert second.take()
    second.release()


def test_a_lock_passes_on_when_its_holder_is_killed(tmp_path):
    path = tmp_path / "a.lock"
    words = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"True\n"
        assert is_locked(path)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    lock = FileLock(path)
    assert lock.take(patience_s=60)
    lock.release()


def test_a_lock_whose_file_was_removed_is_not_mistaken_for_the_new_one(tmp_path):
    path = tmp_path / "a.lock"
    first, second = FileLock(path), FileLock(path)
    assert first.take()
    path.unlink()
    assert second.take()
    assert is_locked(path)
    first.release()
    assert is_locked(path)
    second.release()


def test_a_file_removed_between_its_opening_and_its_locking_is_not_taken_for_a_lock(tmp_path, monkeypatch):
    path = tmp_path / "a.lock"
    flock = fcntl.flock
    removals = [path.unlink]

    def removed_first(file, how):
        if removals:
            removals.pop()()
        return flock(file, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    lock = FileLock(path)
    assert lock.take(patience_s=60)
    assert is_locked(path)
    lock.release()


HEIR = """
import sys, pathlib
from ipymlops.control.lock import FileLock
with FileLock.inherited(pathlib.Path(sys.argv[1]), int(sys.argv[2])) as lock:
    print(lock.take(), flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_is_handed_over_is_held_without_a_gap_until_its_heir_is_gone(tmp_path):
    path = tmp_path / "a.lock"
    ours = FileLock(path)
    assert ours.take()
    words = [sys.executable, "-c", HEIR, str(path), str(ours.descriptor)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(ours.descriptor,)) as heir:
        ours.hand_over()
        ours.hand_over()
        assert not ours.is_held
        assert is_locked(path)
        assert heir.stdout.readline() == b"True\n"
        assert is_locked(path)
        heir.communicate(b"")
    assert not is_locked(path)
