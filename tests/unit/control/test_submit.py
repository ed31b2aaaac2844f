"""From an intent to a recorded job on its way."""

import json
from dataclasses import replace

import pytest

from ipymlops.control.dispatch import lock_of
from ipymlops.control.poller import Poller
from ipymlops.control.reconcile import reconcile
from ipymlops.control.submit import submit
from ipymlops.errors import SourceProblem, StoreProblem
from ipymlops.job import JobState
from ipymlops.platforms.processes import is_locked
from ipymlops.spec import Snapshot
from ipymlops.store.base import JobQuery
from ipymlops.store.session import Opening
from ipymlops.store.sqlite import SqliteStore


@pytest.fixture
def unsent(context, intent, monkeypatch):
    """A job whose session was killed just before it sent the courier."""
    with monkeypatch.context() as killed:
        killed.setattr("ipymlops.control.submit.send", lambda *_: None)
        return submit(context, intent, stem="train").job


def test_nobody_else_sends_a_job_that_its_own_session_is_about_to_send(context, intent, sent, monkeypatch):
    """Another session has other credentials, and not the secrets that the job was asked for with."""
    tried = []

    def about_to_send(_context, job_id, _lock):
        reconcile(context)
        Poller(context).round()
        assert is_locked(lock_of(context.home, job_id).path)
        tried.append(job_id)

    monkeypatch.setattr("ipymlops.control.submit.send", about_to_send)
    job = submit(context, intent, stem="train").job
    assert (tried, sent) == ([job.id], [])
    assert reconcile(context) == (job.id,)


def test_what_cannot_be_recorded_leaves_nothing_behind(context, intent, home):
    other = SqliteStore(home, Opening(busy_timeout_s=0.1))
    with context.store._opened().writing(), pytest.raises(StoreProblem):
        submit(replace(context, store=other), intent, stem="train")
    assert list((home / "couriers").iterdir()) == []
    assert context.store.find(JobQuery()) == []
    other.close()


def test_coming_back_to_a_job_leaves_no_files_of_another(context, intent, unsent, sent, home):
    assert not submit(context, intent, stem="train").is_new
    assert {path.stem for path in (home / "couriers").iterdir()} == {unsent.id}
    assert sent == [unsent.id]


def test_coming_back_to_another_machines_own_job_leaves_it_there(context, intent, unsent, sent, home, monkeypatch):
    monkeypatch.setattr("ipymlops.control.submit.send", lambda *_: sent.append("anew"))
    origin = home / "couriers" / f"{unsent.id}.json"
    origin.write_text(json.dumps(json.loads(origin.read_text()) | {"host": "other-machine"}))
    assert not submit(context, intent, stem="train").is_new
    assert sent == []


def test_a_job_whose_code_cannot_be_kept_has_ended_and_says_so(context, intent, monkeypatch, tmp_path):
    code = Snapshot("a" * 40, None, None, False, str(tmp_path), str(tmp_path / "gone"), "", 1, 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceProblem) as caught:
        submit(context, replace(intent, code=code), stem="train")
    [job] = context.store.find(JobQuery())
    assert (job.state, job.error) == (JobState.FAILED, caught.value.to_json())


def test_a_git_that_cannot_be_run_is_told_as_one(context, intent, monkeypatch, tmp_path):
    code = Snapshot("a" * 40, None, None, False, str(tmp_path), str(tmp_path / "gone"), "", 1, 1)
    with pytest.raises(SourceProblem, match="git could not be run"):
        submit(context, replace(intent, code=code), stem="train")
    assert context.store.live() == []
