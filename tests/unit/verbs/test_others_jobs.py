"""Jobs of an account that were not sent from here: listed, shown, stopped and awaited like ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ipymlops.config import load
from ipymlops.context import Context
from ipymlops.control import listing, pages
from ipymlops.display.html import as_html
from ipymlops.display.text import as_text
from ipymlops.errors import JobDidNotSucceed, SourceProblem, UnknownJob
from ipymlops.job import JobState
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker import budget
from ipymlops.platforms.sagemaker.budget import Share
from ipymlops.store.base import JobQuery
from ipymlops.testing.fake_platform import FakePlatforms
from ipymlops.verbs.dispatch import dispatch
from tests.servers.sagemaker_api import SageMakerApi, Scripted, sagemaker_api


@pytest.fixture(scope="module")
def aws_server() -> Iterator[SageMakerApi]:
    with sagemaker_api() as running:
        yield running


@pytest.fixture
def api(aws_server: SageMakerApi, monkeypatch: pytest.MonkeyPatch) -> SageMakerApi:
    aws_server.reset()
    monkeypatch.setattr(budget, "SHARES", dict.fromkeys(budget.SHARES, Share(1e6, 1000)))
    monkeypatch.setattr(listing, "FRESH_S", 0.0)
    monkeypatch.setattr(listing, "INLINE_S", 60.0)
    aws_server.script = Scripted(("Downloading", "Training"))
    return aws_server


def signed_in(context: Context, env: dict[str, str], **settings: str) -> Context:
    """The same session with these variables of AWS."""
    named = {f"IPYMLOPS_SAGEMAKER_{key.upper()}": value for key, value in settings.items()}
    env = {**context.env, **env, **named}
    config = load(context.cwd, env, context.home)
    platforms = FakePlatforms(lambda name: PlatformContext(context.home, config.platform(name), env))
    return replace(context, env=env, config=config, platforms=platforms)


@pytest.fixture
def session(context: Context, api: SageMakerApi) -> Context:
    return signed_in(context, api.env, **api.settings)


@pytest.fixture
def theirs(api: SageMakerApi, session: Context) -> str:
    """A job that was started in the console, with a name of its own and a hostile tag."""
    api.client("sagemaker").create_training_job(
        TrainingJobName="Their-Job",
        RoleArn=api.role,
        AlgorithmSpecification={"TrainingImage": api.image, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{api.bucket}/out"},
        ResourceConfig={"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 7200},
        HyperParameters={"lr": "0.1", "note": "<script>alert(1)</script>"},
        Tags=[{"Key": "team", "Value": "vision"}],
    )
    dispatch(["jobs"], None, session)
    return "Their-Job"


def test_a_job_of_the_console_is_in_the_list_and_found_by_its_words(theirs, session):
    for words in (["their"], ["team=vision"], ["state:running"], ["platform:sagemaker", "g5"], ["0.1"]):
        (job,) = dispatch(["jobs", *words], None, session)
        assert (job.name, job.platform, job.is_ours) == ("Their-Job", "sagemaker", False)


def test_its_details_are_read_back(theirs, session):
    details = dispatch(["show", theirs], None, session)
    text = as_text(details)
    for words in ("ml.g5.xlarge", "a10g", "2 nodes", "$2.82 per hour", "--lr 0.1", "python:1", "at most $5.63 (2 h)"):
        assert words in text, text
    assert '"InstanceType": "ml.g5.xlarge"' in text  # the plain request
    assert " so far" in text
    assert "<script>" not in as_html(details)
    assert details.to_json()["cost_usd"] is None


def test_what_cannot_be_read_back_is_said_and_the_record_shown(theirs, session, api, screen):
    api.faults.denied = {"sagemaker:Describe*"}
    assert dispatch(["show", theirs], None, session).plan is None
    assert len(screen.notes) >= 1


def test_it_is_stopped_and_awaited_by_its_name(theirs, session, api):
    stopped = dispatch(["stop", theirs], None, session)
    assert stopped.state is JobState.STOPPED
    assert api.job("Their-Job").status == "Stopped"
    with pytest.raises(JobDidNotSucceed, match="stopped, as its user asked"):
        dispatch(["wait", theirs], None, session)


def test_waiting_for_it_ends_with_it(theirs, session, api):
    api.job("Their-Job").finish("Completed")
    assert dispatch(["wait", theirs], None, session).jobs[0].state is JobState.SUCCEEDED


@pytest.mark.parametrize("words", [["diff", "Their-Job"], ["checkout", "Their-Job", "there"]])
def test_its_code_is_not_here(theirs, session, words):
    with pytest.raises(SourceProblem, match="has no code of yours") as caught:
        dispatch(words, None, session)
    assert "it was not sent from here" in caught.value.why


def test_a_name_that_was_never_listed_is_looked_for_once(session, api):
    api.seed_jobs(3)
    name = api.all_jobs()[1].name
    assert dispatch(["show", name], None, session).job.name == name
    with pytest.raises(UnknownJob):
        dispatch(["show", "nowhere"], None, session)


def test_what_is_still_to_come_is_said_with_a_name_that_is_not_found(session, api, monkeypatch):
    api.seed_jobs(300)
    monkeypatch.setattr(listing, "INLINE_S", 0.0)
    monkeypatch.setattr(listing, "send_lister", lambda *_: None)
    pages.bring_page(session, "sagemaker")
    with pages.lock_of(session.home, "sagemaker") as lock:
        lock.take()
        with pytest.raises(UnknownJob, match="nowhere") as caught:
            dispatch(["show", "nowhere"], None, session)
    assert "sagemaker: 100 of 300 jobs listed so far, the rest comes in the background" in caught.value.why


def test_the_newest_come_first_whatever_their_numbers(session, api):
    api.seed_jobs(250)
    names = [job.name for job in dispatch(["jobs"], None, session)]
    assert names == [job.name for job in reversed(api.all_jobs())]


def test_a_deleted_job_is_marked_in_the_list(session, api):
    job = api.seed_jobs(2)[0]
    dispatch(["jobs"], None, session)
    recorded = session.store.resolve(job.name)
    session.store.update(recorded.id, lambda one: replace(one, detail="deleted on sagemaker"))
    assert as_text(dispatch(["jobs"], None, session)).count("(deleted there)") == 1


def test_a_job_that_runs_has_its_cost_so_far_in_the_list(theirs, session, clock_later):
    assert "$2.82…" in as_text(clock_later(dispatch(["jobs"], None, session)))


@pytest.fixture
def clock_later():
    """A list as it would be read an hour after its jobs began."""
    from datetime import timedelta

    return lambda found: replace(found, as_of=found.jobs[0].started_at + timedelta(hours=1))


def test_who_is_not_signed_in_is_told_so_only_where_it_was_asked(context, api):
    none = signed_in(context, {"AWS_ENDPOINT_URL": api.url, "AWS_EC2_METADATA_DISABLED": "true"})
    assert dispatch(["jobs"], None, none).errors == ()
    assert dispatch(["jobs", "platform:local"], None, none).errors == ()
    (error,) = dispatch(["jobs", "platform:sagemaker"], None, none).errors
    assert error["platform"] == "sagemaker"
    configured = signed_in(none, {"IPYMLOPS_PLATFORM": "sagemaker"})
    assert len(dispatch(["jobs"], None, configured).errors) == 1


def test_an_expired_login_is_one_error_and_the_list_is_shown(theirs, session, api):
    api.faults.expire_token = True
    found = dispatch(["jobs", "platform:sagemaker"], None, session)
    assert len(found) == 1
    assert [error["fix"] for error in found.errors] == ["aws sso login   (or: aws configure)"]


def test_another_s_job_is_never_the_last_one(theirs, session):
    assert len(session.store.find(JobQuery())) == 1
    with pytest.raises(UnknownJob):
        dispatch(["stop", "last"], None, session)
