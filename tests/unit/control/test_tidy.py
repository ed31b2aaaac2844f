"""How long the code of jobs is kept."""

import os
from dataclasses import replace

import pytest

from ipymlops.control.courier import carry
from ipymlops.control.submit import job_of
from ipymlops.control.tidy import tidy
from ipymlops.job import JobState
from ipymlops.source import snapshot


@pytest.fixture
def delivered(context, intent, repo):
    """A job that was sent from a repository."""
    asked = replace(intent, code=snapshot(repo))
    return carry(context, context.store.add(job_of(context, asked), asked, stem="train")[0].id)


@pytest.fixture
def aged(repo, git, delivered):
    """Let the job hold its code by a ref of long ago, and its packed code lie unused since then."""

    def age(home):
        when = {"GIT_COMMITTER_DATE": "@1000000000 +0000"}
        commit = git(repo, "commit-tree", delivered.tree, "-m", "x", **when).strip()
        for name in (delivered.id, "jforgotten"):
            git(repo, "update-ref", f"refs/ipymlops/jobs/{name}", commit)
        for path in (home / "code").iterdir():
            os.utime(path, (0, 0))

    return age


def refs(repo, git):
    return git(repo, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/ipymlops/jobs").split()


def test_code_of_jobs_long_over_goes_and_that_of_live_ones_stays(context, delivered, aged, repo, git, home):
    aged(home)
    tidy(context, delivered)
    assert refs(repo, git) == [delivered.id]
    assert list((home / "code").iterdir()) == []
    over = context.store.update(delivered.id, lambda job: replace(job, state=JobState.SUCCEEDED))
    tidy(context, over)
    assert refs(repo, git) == []


def test_code_of_yesterday_stays(context, delivered, repo, git, home):
    from ipymlops.source import keep

    keep(context.store.intent(delivered.id).code, delivered.id)
    context.store.update(delivered.id, lambda job: replace(job, state=JobState.SUCCEEDED))
    tidy(context, delivered)
    assert refs(repo, git) == [delivered.id]
    assert len(list((home / "code").iterdir())) == 2


def test_a_job_without_code_leaves_no_repository_to_clear_up(context, accepted):
    tidy(context, accepted)
