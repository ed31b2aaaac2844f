"""Every training job of the account, page by page, against the server that stands for AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from ipymlops.errors import NotSignedIn, PlatformProblem, Unreachable, UsageProblem
from ipymlops.job import EndReason, Job, JobState
from ipymlops.platforms.abilities import Listing
from ipymlops.platforms.sagemaker import asking, budget, by_list, by_search, place
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.budget import Share
from ipymlops.platforms.sagemaker.listing import listed
from ipymlops.spec import PlatformRef
from tests.servers.sagemaker_api import SageMakerApi, Scripted

EU = "eu-central-1"


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget has tests of its own."""
    monkeypatch.setattr(budget, "SHARES", dict.fromkeys(budget.SHARES, Share(1e6, 1000)))


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAGE", 3)


@dataclass
class Account:
    """What a session of ours knows of the account: every job by id, as its record would be, and the cursor."""

    aws: Aws
    cursor: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    deleted: list[PlatformRef] = field(default_factory=list)
    pages: int = 0

    def page(self) -> Listing:
        page = listed(self.aws, self.cursor, self.known())
        self.jobs |= {job.id: job for job in page.jobs}
        self.deleted += page.deleted
        self.jobs = {job_id: job for job_id, job in self.jobs.items() if job.ref not in self.deleted}
        self.cursor = page.cursor
        self.pages += 1
        assert self.pages < 500, "it never ends"
        return page

    def round(self) -> int:
        """Pages until there is nothing more for now."""
        before = self.pages
        while not self.page().is_end:
            pass
        return self.pages - before

    def known(self) -> Iterator[PlatformRef]:
        return (job.ref for job in list(self.jobs.values()) if job.ref)

    @property
    def names(self) -> set[str]:
        return {job.name for job in self.jobs.values()}


@pytest.fixture
def account(aws: Aws) -> Account:
    return Account(aws)


def started(api: SageMakerApi, name: str, region: str = "us-east-1", **more: object) -> None:
    """A job of another tool, which goes on until a test says how it goes on."""
    api.script = Scripted(("Downloading", "Training"))
    api.client("sagemaker", region).create_training_job(
        TrainingJobName=name,
        RoleArn=api.role,
        AlgorithmSpecification={"TrainingImage": api.uri("python:1", region), "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{api.bucket}/out"},
        ResourceConfig={"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        HyperParameters={"lr": "0.1"},
        Tags=[{"Key": "team", "Value": "vision"}],
        **more,
    )


def asked(api: SageMakerApi) -> list[str]:
    """What was asked of SageMaker since the last time."""
    actions = [call.action for call in api.calls if call.service == "sagemaker"]
    api.calls.clear()
    return actions


def test_a_job_of_another_tool_has_everything_that_one_of_ours_has(api: SageMakerApi, account: Account) -> None:
    started(api, "their-Job")
    account.round()
    (job,) = account.jobs.values()
    assert (job.name, job.state, job.is_ours, job.platform) == ("their-Job", JobState.RUNNING, False, "sagemaker")
    assert (job.machine_type, job.accelerator, job.accelerator_count, job.nodes) == ("ml.g5.xlarge", "a10g", 1, 2)
    assert (job.argv, dict(job.labels)) == (("--lr", "0.1"), {"team": "vision"})
    assert job.usd_per_hour == pytest.approx(2 * 1.408)


@pytest.mark.usefixtures("_small_pages")
def test_a_first_pass_brings_all_the_newest_first_and_tells_how_many(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(10)
    first = account.page()
    assert [job.name[-22:] for job in first.jobs] == [one.name[-22:] for one in api.all_jobs()[:-4:-1]]
    assert (first.total, first.is_end) == (10, False)
    account.round()
    assert len(account.jobs) == 10
    assert asked(api) == ["Search"] * 5  # four pages, and one question how many there are


def test_what_follows_costs_one_small_call(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(150)
    account.round()
    api.calls.clear()
    assert account.round() == 1
    (call,) = api.calls
    assert (call.action, call.got_bytes < 5000) == ("Search", True)


def test_changes_are_seen_wherever_the_job_is_in_the_list(api: SageMakerApi, account: Account) -> None:
    started(api, "first")
    api.seed_jobs(5)
    account.round()
    started(api, "second")
    api.job("first").finish("Failed", reason="AlgorithmError: exit code: 3")
    account.round()
    states = {job.name: (job.state, job.end_reason) for job in account.jobs.values() if "resnet" not in job.name}
    assert states == {"first": (JobState.FAILED, EndReason.EXIT_CODE), "second": (JobState.RUNNING, None)}


def test_what_changes_during_the_first_pass_is_seen_by_the_next(
    api: SageMakerApi, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PAGE", 2)
    for name in ("a", "b", "c"):
        started(api, name)
    account.page()
    for job in api.all_jobs():
        job.finish("Completed")
    started(api, "d")
    account.round()
    account.round()
    assert {job.name: job.state.value for job in account.jobs.values()} == {
        **dict.fromkeys("abc", "succeeded"),
        "d": "running",
    }


def test_an_index_that_lags_behind_loses_nothing(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(3)
    account.round()
    started(api, "late")
    api.faults.search_lag_s = 60
    account.round()
    assert "late" not in account.names
    started(api, "later")
    api.faults.search_lag_s = 0
    account.round()
    assert {"late", "later"} <= account.names
    assert account.deleted == []


def test_a_change_that_the_index_gets_after_a_later_one_is_seen(api: SageMakerApi, account: Account) -> None:
    account.round()
    started(api, "later")
    account.round()
    started(api, "late")
    late = api.job("late")
    late.created_at = late.modified_at = api.now() - 60
    account.round()
    assert "late" in account.names


def test_the_service_s_clock_counts_and_not_ours(
    api: SageMakerApi, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_search, "OVERLAP_S", 1)
    api.faults.clock_skew_s = -200
    started(api, "before")
    account.round()
    started(api, "after")
    account.round()
    assert account.names == {"before", "after"}


@pytest.mark.usefixtures("_small_pages")
def test_a_pass_goes_on_in_another_process_where_it_stopped(api: SageMakerApi, account: Account, home) -> None:
    api.seed_jobs(10)
    account.page()
    other = Account(Aws(home, api.settings, api.env), account.cursor, dict(account.jobs))
    other.round()
    assert len(other.jobs) == 10
    assert account.pages + other.pages == 5


@pytest.mark.usefixtures("_small_pages")
def test_a_token_that_is_no_longer_taken_costs_one_question(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(10)
    account.page()
    account.cursor = account.cursor.replace(json.loads(account.cursor)["places"][_us(api)]["walk"]["token"], "stale")
    account.round()
    assert len(account.jobs) == 10
    api.calls.clear()
    started(api, "new")
    token = {"walk": {"token": "stale", "pages": 1}, "stage": "changes"}
    told = json.loads(account.cursor)
    told["places"][_us(api)] |= token
    account.cursor = json.dumps(told | {"todo": [_us(api)]})
    account.round()
    assert "new" in account.names


def _us(api: SageMakerApi) -> str:
    return f"{api.account}/us-east-1"


@pytest.mark.usefixtures("_small_pages")
def test_a_deep_result_is_read_in_windows(api: SageMakerApi, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "WINDOW_PAGES", 2)
    api.seed_jobs(20)
    walks = []
    while not account.page().is_end:
        walks.append(json.loads(account.cursor)["places"][_us(api)].get("walk", {}))
    assert len(account.jobs) == 20
    assert [bool(walk.get("before_s")) for walk in walks[:4]] == [False, True, True, True]
    assert [bool(walk.get("token")) for walk in walks[:4]] == [True, False, True, False]


def test_credentials_that_expire_in_between_cost_no_page(api: SageMakerApi, account: Account, home) -> None:
    api.seed_jobs(150)
    account.page()
    api.faults.expire_token = True
    with pytest.raises(NotSignedIn):
        account.page()
    account.aws = Aws(home, api.settings, api.fresh_env)
    account.round()
    assert len(account.jobs) == 150


def test_a_new_login_is_noticed_by_the_same_session(api: SageMakerApi, home, tmp_path) -> None:
    file = tmp_path / "credentials"

    def log_in(env: dict[str, str]) -> None:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        file.write_text("[default]\n" + "".join(f"{name.lower()} = {env[name]}\n" for name in names))

    log_in(api.env)
    env = {"AWS_ENDPOINT_URL": api.url, "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    account = Account(Aws(home, api.settings, env))
    api.seed_jobs(150)
    account.page()
    api.faults.expire_token = True
    with pytest.raises(NotSignedIn):
        account.page()
    log_in(api.fresh_env)
    account.round()
    assert len(account.jobs) == 150


def test_a_throttled_page_is_asked_for_again_and_slower(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(3)
    api.faults.throttle_next = {"Search": 1}
    account.round()
    assert len(account.jobs) == 3


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "[]", "3", '"x"', "{}", '{"v": 99, "places": {}, "todo": []}', '{"v": 1, "places": 3, "todo": []}'),
        '{"v": 1, "places": {"A/R": {"stage": "dancing"}}, "todo": []}',
        '{"v": 1, "places": {"A/R": {"walk": {"token": 3}}}, "todo": []}',
        '{"v": 1, "places": {"A/R": {"since_ms": "x"}}, "todo": ["A/R"]}',
        '{"v": 1, "places": {"A/R": {"walk": {"who": 3}, "unseen": 7}}, "todo": ["A/R"]}',
        '{"v": 1, "places": {}, "todo": ["A/R", 3]}',
    ],
)
def test_a_cursor_that_is_none_begins_anew(api: SageMakerApi, account: Account, cursor: str) -> None:
    api.seed_jobs(2)
    account.cursor = cursor.replace("A/R", _us(api))
    account.round()
    assert len(account.jobs) == 2


def test_a_cursor_of_a_newer_version_with_more_in_it_is_read(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(2)
    account.round()
    told = json.loads(account.cursor)
    told["places"][_us(api)]["colour"] = "red"
    account.cursor = json.dumps(told)
    api.calls.clear()
    account.round()
    assert asked(api) == ["Search"]


def test_further_regions_are_listed_and_those_of_recorded_jobs(api: SageMakerApi, account: Account, home) -> None:
    names = {api.seed_jobs(1, region)[0].region: region for region in ("us-east-1", EU, "ap-south-1")}
    settings = api.settings | {"regions": f"{EU}, us-east-1,"}
    far = PlatformRef(f"arn:aws:sagemaker:ap-south-1:{api.account}:training-job/far")
    foreign = PlatformRef("arn:aws:sagemaker:us-west-2:999999999999:training-job/not-ours")
    all_of_it = Account(Aws(home, settings, api.env))
    page = listed(all_of_it.aws, "", [far, foreign])
    all_of_it.cursor = page.cursor
    all_of_it.round()
    assert {one.region for one in api.calls if one.service == "sagemaker"} == {"us-east-1", EU, "ap-south-1"}
    urls = [str(job.url) for job in (*page.jobs, *all_of_it.jobs.values())]
    assert all(any(region in url for url in urls) for region in names)
    assert len(urls) == 3


def test_another_account_has_a_list_of_its_own(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(2)
    account.round()
    account.cursor = account.cursor.replace(api.account, "999999999999")
    api.calls.clear()
    account.round()
    assert asked(api) == ["Search", "Search"]
    assert set(json.loads(account.cursor)["places"]) == {"999999999999/us-east-1", _us(api)}


def test_an_account_without_jobs_is_listed_too(api: SageMakerApi, account: Account) -> None:
    assert account.round() == 2
    started(api, "first")
    account.round()
    assert account.names == {"first"}


def test_no_region_is_an_error_with_its_remedy(api: SageMakerApi, home) -> None:
    env = {name: value for name, value in api.env.items() if "REGION" not in name}
    with pytest.raises(UsageProblem) as caught:
        listed(Aws(home, {}, env), "", [])
    assert caught.value.fix == "ipymlops setup sagemaker"


def test_a_job_of_ours_has_the_id_that_it_was_sent_with(api: SageMakerApi, account: Account) -> None:
    started(api, "train-7-j0123456789abcde", Environment={"IPYMLOPS_JOB_ID": "j0123456789abcde"})
    account.round()
    assert set(account.jobs) == {"j0123456789abcde"}


@pytest.mark.parametrize("denied", ["", "sagemaker:Search"], ids=["searched", "listed"])
def test_a_copy_of_a_job_of_ours_is_a_job_of_its_own(api: SageMakerApi, account: Account, denied: str) -> None:
    """The console copies the whole request, our id in it too; only the name is another."""
    ours, copy = "train-7-j0123456789abcde", "train-7-j0123456789abcde-copy"
    api.faults.denied = {denied}
    for name in (ours, copy):
        started(api, name, Environment={"IPYMLOPS_JOB_ID": "j0123456789abcde"})
    account.round()
    by_name = {job.name: job for job in account.jobs.values()}
    assert by_name[ours].id == "j0123456789abcde"
    assert by_name[copy].id.startswith("x")
    assert by_name[copy].machine_type == "ml.g5.xlarge"  # whoever is asked about it tells of no other
    assert str(by_name[copy].ref).partition("#")[0].endswith(copy)


def later(account: Account, seconds: float) -> None:
    """As if the last look at the totals were so long ago."""
    told = json.loads(account.cursor)
    for one in told["places"].values():
        one["checked_s"] = one.get("checked_s", 0) - int(seconds)
        one["swept_s"] = one.get("swept_s", 0) - int(seconds)
    account.cursor = json.dumps(told)


@pytest.mark.usefixtures("_small_pages")
def test_deleted_jobs_are_found_by_their_number_and_named(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(10)
    account.round()
    gone = api.all_jobs()[3:5]
    for job in gone:
        api.client("sagemaker").delete_training_job(TrainingJobName=job.name)
    account.round()
    assert account.deleted == []  # the totals are compared every ten minutes
    later(account, 601)
    api.calls.clear()
    account.round()
    assert sorted(ref.rpartition("#")[0].rpartition("/")[2] for ref in account.deleted) == [job.name for job in gone]
    assert asked(api) == ["Search", "Search", *["ListTrainingJobs"] * 3]
    later(account, 601)
    account.round()
    assert "ListTrainingJobs" not in asked(api)


def test_a_name_that_was_used_again_is_another_job(api: SageMakerApi, account: Account) -> None:
    job, _ = api.seed_jobs(2)
    account.round()
    (old,) = [one for one in account.jobs.values() if one.name == job.name]
    api.client("sagemaker").delete_training_job(TrainingJobName=job.name)
    started(api, job.name)
    later(account, 601)
    account.round()
    assert account.deleted == [old.ref]
    (new,) = [one for one in account.jobs.values() if one.name == job.name]
    assert (new.state, new.id != old.id) == (JobState.RUNNING, True)


def test_recorded_jobs_that_cannot_be_found_are_looked_for_once(api: SageMakerApi, account: Account) -> None:
    """Somebody else's policy may hide a job from Search and not from List."""
    jobs = api.seed_jobs(4)
    account.round()
    hidden = jobs[0]
    account.jobs |= {"jhidden": replace(next(iter(account.jobs.values())), ref=_ref(api, hidden.name))}
    for _ in range(3):
        later(account, 601)
        account.round()
    assert asked(api).count("ListTrainingJobs") == 1
    assert account.deleted == []


def _ref(api: SageMakerApi, name: str) -> PlatformRef:
    return PlatformRef(f"arn:aws:sagemaker:us-east-1:{api.account}:training-job/{name}")


@pytest.mark.parametrize("rounded_s", [-0.001, 0.001, -0.4], ids=["less", "more", "to-a-second"])
def test_a_list_that_rounds_its_times_otherwise_tells_of_the_same_jobs(
    api: SageMakerApi, account: Account, rounded_s: float
) -> None:
    started(api, "theirs")
    job = api.job("theirs")
    job.created_at = float(int(job.created_at) - 3600) + 0.4
    account.round()
    (ref,) = account.known()
    api.faults.denied, api.faults.list_times_off_s = {"sagemaker:Search"}, rounded_s
    account.cursor = ""
    account.round()
    job.finish("Completed")
    account.round()
    (known,) = account.jobs.values()
    assert (known.state, known.ref) == (JobState.SUCCEEDED, ref)
    account.round()
    assert "DescribeTrainingJob" not in asked(api)[-1:]  # it is known to have ended


@pytest.mark.parametrize("rounded_s", [-0.001, 0.001], ids=["less", "more"])
def test_no_job_is_taken_for_deleted_as_its_time_is_rounded(
    api: SageMakerApi, account: Account, rounded_s: float
) -> None:
    jobs = api.seed_jobs(3)
    for job in jobs:
        job.created_at = float(int(job.created_at)) + (0.9994 if rounded_s > 0 else 0.0)
    account.round()
    api.faults.list_times_off_s = rounded_s
    api.client("sagemaker").delete_training_job(TrainingJobName=jobs[0].name)
    later(account, 601)
    account.round()
    assert [ref.rpartition("#")[0].rpartition("/")[2] for ref in account.deleted] == [jobs[0].name]


@pytest.fixture
def without_search(api: SageMakerApi, account: Account) -> Account:
    api.faults.denied = {"sagemaker:Search"}
    return account


def test_without_search_names_and_states_come_by_list(api: SageMakerApi, without_search: Account) -> None:
    api.seed_jobs(150)
    started(api, "running")
    without_search.round()
    assert len(without_search.jobs) == 151
    assert asked(api) == ["Search", "ListTrainingJobs", "ListTrainingJobs", "DescribeTrainingJob"]
    (running,) = [job for job in without_search.jobs.values() if job.name == "running"]
    assert (running.state, running.machine_type, running.argv) == (JobState.RUNNING, "ml.g5.xlarge", ("--lr", "0.1"))
    failed = [job for job in without_search.jobs.values() if job.state is JobState.FAILED]
    assert {job.end_reason for job in failed} == {None}  # a row has no reason, and none is guessed


def test_without_search_what_is_new_or_lives_is_asked_about(api: SageMakerApi, without_search: Account) -> None:
    api.seed_jobs(5)
    started(api, "first")
    without_search.round()
    started(api, "second")
    api.job("second").finish("Failed", reason="AlgorithmError: exit code: 3")
    api.job("first").finish("Completed")
    asked(api)
    without_search.round()
    assert asked(api) == ["ListTrainingJobs", "DescribeTrainingJob", "DescribeTrainingJob"]
    ends = {job.name: job.state.value for job in without_search.jobs.values() if "resnet" not in job.name}
    assert ends == {"first": "succeeded", "second": "failed"}
    without_search.round()
    assert asked(api) == ["ListTrainingJobs"]


def test_without_search_a_live_job_that_is_gone_is_deleted(api: SageMakerApi, without_search: Account) -> None:
    started(api, "first")
    without_search.round()
    api.job("first").finish("Completed")
    api.client("sagemaker").delete_training_job(TrainingJobName="first")
    without_search.round()
    assert [ref.rpartition("#")[0].rpartition("/")[2] for ref in without_search.deleted] == ["first"]


def test_without_search_all_names_are_read_once_a_day(api: SageMakerApi, without_search: Account) -> None:
    first, *_ = api.seed_jobs(3)
    without_search.round()
    api.client("sagemaker").delete_training_job(TrainingJobName=first.name)
    without_search.round()
    assert without_search.deleted == []
    later(without_search, by_list.SWEEP_EVERY_S + 1)
    without_search.round()
    assert len(without_search.deleted) == 1


def test_without_search_our_jobs_of_other_machines_keep_their_ids(api: SageMakerApi, without_search: Account) -> None:
    started(api, "train-7-j0123456789abcde", Environment={"IPYMLOPS_JOB_ID": "j0123456789abcde"})
    api.job("train-7-j0123456789abcde").finish("Completed")
    without_search.round()
    assert set(without_search.jobs) == {"j0123456789abcde"}


def test_search_that_is_allowed_by_now_is_used_again(api: SageMakerApi, without_search: Account, monkeypatch) -> None:
    monkeypatch.setattr(by_list, "SEARCH_AGAIN_ROUNDS", 2)
    api.seed_jobs(2)
    for _ in range(4):
        without_search.round()
    assert asked(api).count("Search") == 2
    api.faults.denied = set()
    for _ in range(2):
        without_search.round()
    assert all(job.machine_type for job in without_search.jobs.values())
    assert "ListTrainingJobs" not in asked(api)[-2:]


def test_search_that_is_refused_from_now_on_is_done_without(api: SageMakerApi, account: Account) -> None:
    api.seed_jobs(2)
    account.round()
    api.faults.denied = {"sagemaker:Search"}
    started(api, "new")
    account.round()
    assert "new" in account.names


def test_who_may_not_list_at_all_is_told_which_region(api: SageMakerApi, account: Account) -> None:
    api.faults.denied = {"sagemaker:Search", "sagemaker:List*"}
    with pytest.raises(PlatformProblem, match="the training jobs of us-east-1 cannot be listed") as caught:
        account.page()
    assert not isinstance(caught.value, Unreachable)


def test_recorded_jobs_are_read_only_where_something_is_missing(api: SageMakerApi, aws: Aws) -> None:
    api.seed_jobs(2)
    read: list[int] = []

    def known() -> Iterator[PlatformRef]:
        read.append(1)
        yield from ()

    cursor = listed(aws, "", known()).cursor
    cursor = listed(aws, cursor, known()).cursor
    assert len(read) == 2  # for their regions, and to compare the totals
    for _ in range(3):
        cursor = listed(aws, cursor, known()).cursor
    assert len(read) == 2
