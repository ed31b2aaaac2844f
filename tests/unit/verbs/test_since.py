"""What has changed since the last job, as the card says it."""

import shutil
from dataclasses import replace

import pytest

from ipymlops.control.submit import job_of
from ipymlops.display.text import as_text
from ipymlops.verbs.request import parse
from ipymlops.verbs.train import run


@pytest.fixture
def plan(context):
    """The plan of this very moment: `plan()`, or `plan(folder)` from there."""

    def make(folder=None):
        return run(parse(["train", "--plan", "train.py"]).options, replace(context, cwd=folder or context.cwd))

    return make


@pytest.fixture
def sent(context, plan):
    """Record a job of this very moment; gives its name."""

    def record(folder=None):
        intent = plan(folder).intent
        return context.store.add(job_of(context, intent), intent, stem="train")[0].name

    return record


def since(report):
    return report.intent.code.last_job, report.intent.code.since_last


def test_the_first_job_has_nothing_before_it(plan, home):
    assert since(plan()) == ("", ())
    assert "; since" not in as_text(plan())
    assert not home.exists()


def test_the_files_that_changed_since_the_last_job_are_named(repo, plan, sent):
    (repo / "train.py").write_text("print(1)\n")
    sent()
    assert since(plan()) == ("train-1", ())
    assert "since train-1 nothing changed" in as_text(plan())
    (repo / "train.py").write_text("print(2)\n")
    (repo / "new\n\udcff.py").write_text("")
    assert since(plan()) == ("train-1", ("new\n\udcff.py", "train.py"))
    assert r"since train-1 2 files changed: new\n\udcff.py, train.py" in as_text(plan())
    assert sent() == "train-2"
    assert since(plan()) == ("train-2", ())


def test_only_jobs_of_the_same_folder_count(repo, plan, sent, tmp_path):
    sent()
    other = shutil.copytree(repo, tmp_path / "other")
    (other / "train.py").write_text("print(3)\n")
    assert sent(other) == "train-2"
    assert since(plan()) == ("train-1", ())
    assert since(plan(other)) == ("train-2", ())


def test_where_the_last_code_is_gone_nothing_is_guessed(repo, git, plan, sent):
    (repo / "train.py").write_text("print(1)\n")
    sent()
    (repo / "train.py").write_text("print(2)\n")
    for ref in git(repo, "for-each-ref", "--format=%(refname)", "refs/ipymlops").split():
        git(repo, "update-ref", "-d", ref)
    git(repo, "gc", "-q", "--prune=now")
    assert since(plan()) == ("", ())
