"""`setup`: shows, asks, makes, writes, takes back; on this machine, on docker, and on an account of the tests' AWS."""

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import nbformat
import pytest
from nbclient import NotebookClient

from ipymlops.display.text import as_text
from ipymlops.errors import PlatformProblem, UsageProblem
from ipymlops.platforms.abilities import Proposal, SetsUp
from ipymlops.platforms.base import Check
from ipymlops.testing.fake_platform import FakePlatform, FakePlatforms
from ipymlops.verbs.dispatch import dispatch
from ipymlops.verbs.setup_journal import Entry, entry_of, remember
from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api


@dataclass
class World:
    """What the platform below meets."""

    made: list[str] = field(default_factory=list)
    refuses: bool = False
    breaks_off: bool = False
    is_ready: bool = True


WORLD = World()


class Cloud(FakePlatform, SetsUp):
    """The fake platform, which needs a region, that it finds, and a bucket, that it makes."""

    name = "fake"

    def proposals(self):
        settings = self.context.settings
        if not settings.get("region"):
            yield Proposal("region", "r-1", "it was found")
        if not settings.get("image"):
            yield Proposal("image", "i-1", "one would do", is_optional=True)
        if settings.get("bucket", "b-1") not in WORLD.made:
            name = settings.get("bucket", "b-1")
            yield Proposal("bucket", name, "none yet", f"the bucket {name}", f"rm {name}")

    def create(self, proposal):
        if WORLD.refuses:
            raise PlatformProblem("the bucket could not be made", why="it was refused", fix="ask for it")
        WORLD.made.append(proposal.value)
        if WORLD.breaks_off:
            raise PlatformProblem("the bucket could not be closed", why="it was refused", fix="ask for it")

    def checks(self, spec=None):  # noqa: ARG002
        bucket = self.context.settings.get("bucket")
        yield Check("fake.region", "ok" if self.context.settings.get("region") else "fail", "the region")
        yield Check("fake.bucket", "ok" if bucket in WORLD.made else "fail", "the bucket", "it is not there", "make it")
        if not WORLD.is_ready:
            yield Check("fake.rights", "fail", "you may not", "nobody let you", "ask for it")


class Clouds(FakePlatforms):
    def kind(self, name):
        return Cloud if name == "fake" else super().kind(name)


@pytest.fixture
def world() -> World:
    WORLD.__init__()
    return WORLD


@pytest.fixture
def mlops(again, world):
    """`mlops("setup", "fake")`, each time with the settings as they then are."""

    def run(*words):
        context = again()
        return dispatch(list(words), None, replace(context, platforms=Clouds(context.platforms._context_of)))

    return run


def settings_of(again):
    return again().config.platform("fake")


def test_without_a_yes_nothing_is_made_and_nothing_written(mlops, world, again, screen, home):
    report = mlops("setup", "fake")
    assert [(one.key, one.value) for one in report.wanted] == [
        ("platform", "fake"),
        ("fake.region", "r-1"),
        ("fake.bucket", "b-1"),
    ]
    assert (report.written, report.next) == ((), "ipymlops setup fake --yes")
    assert report.is_ok
    assert screen.questions == ["Make the bucket b-1?"]
    assert (world.made, settings_of(again)) == ([], {})
    assert not (home / "setup.json").exists()


def test_the_line_that_is_printed_makes_and_writes(mlops, world, again, home):
    _, *words = shlex.split(mlops("setup", "fake").next)
    report = mlops(*words)
    assert world.made == ["b-1"]
    assert settings_of(again) == {"region": "r-1", "bucket": "b-1"}
    assert again().config.get("platform") == "fake"
    assert [key for key, _, file in report.written if file == str(home / "config.toml")] == [
        "platform",
        "fake.region",
        "fake.bucket",
    ]
    assert {check.id: check.status for check in report.checks}["fake.bucket"] == "ok"
    again_report = mlops("setup", "fake")
    assert (again_report.wanted, again_report.written, again_report.next) == ((), (), "")


@pytest.mark.parametrize("answer", [True, False])
def test_somebody_who_can_answer_is_asked(mlops, world, again, screen, answer):
    screen.answer = answer
    report = mlops("setup", "fake")
    assert (world.made == ["b-1"]) is answer
    assert bool(report.written) is answer
    assert bool(settings_of(again)) is answer


def test_a_plan_asks_nobody_and_makes_nothing(mlops, world, again, screen):
    screen.answer = True
    report = mlops("setup", "fake", "--plan")
    assert (screen.questions, world.made, report.written) == ([], [], ())
    assert report.next == "ipymlops setup fake --yes"
    assert "the bucket b-1" in as_text(report)


def test_a_value_that_is_named_comes_before_one_that_is_found(mlops, world, again):
    report = mlops("setup", "fake", "--set", "region=r-9", "--set", "bucket=my own")
    assert report.next == "ipymlops setup fake --set region=r-9 --set 'bucket=my own' --yes"
    mlops(*shlex.split(report.next)[1:])
    assert world.made == ["my own"]
    assert settings_of(again) == {"region": "r-9", "bucket": "my own"}


def test_what_is_only_offered_is_shown_and_written_where_it_is_named(mlops, again):
    report = mlops("setup", "fake", "--plan")
    assert [one.key for one in report.offered] == ["fake.image"]
    assert "fake.image = i-1: one would do" in as_text(report)
    mlops("setup", "fake", "--yes")
    assert "image" not in settings_of(again)
    mlops("setup", "fake", "--set", "image=i-1")
    assert settings_of(again)["image"] == "i-1"
    assert mlops("setup", "fake").offered == ()


def test_a_setting_that_there_is_not_is_refused(mlops):
    with pytest.raises(UsageProblem, match="sagemaker has no setting 'bukket'"):
        mlops("setup", "sagemaker", "--set", "bukket=x")


def test_a_platform_that_is_not_ready_gets_nothing_made_or_written(mlops, world, again):
    world.is_ready = False
    with pytest.raises(PlatformProblem, match=r"fake\.rights"):
        mlops("setup", "fake", "--yes")
    assert (world.made, settings_of(again)) == ([], {})


def test_what_cannot_be_made_leaves_nothing_written(mlops, world, again, home):
    world.refuses = True
    with pytest.raises(PlatformProblem, match="could not be made"):
        mlops("setup", "fake", "--yes")
    assert settings_of(again) == {}
    assert not (home / "setup.json").exists()


def test_what_was_half_made_is_remembered_and_named_by_an_undo(mlops, world, again, home):
    world.breaks_off = True
    with pytest.raises(PlatformProblem, match="could not be closed"):
        mlops("setup", "fake", "--yes")
    assert settings_of(again) == {}
    assert mlops("setup", "fake", "--undo").stays == (("the bucket b-1", "rm b-1"),)


def test_what_could_not_be_made_is_forgotten_and_nothing_else(mlops, world, home):
    remember(home, "fake", Entry(made=(("an older one", "rm older"),)))
    world.refuses = True
    with pytest.raises(PlatformProblem):
        mlops("setup", "fake", "--yes")
    assert entry_of(home, "fake").made == (("an older one", "rm older"),)


def test_what_was_made_is_remembered_even_if_the_settings_could_not_be_written(mlops, world, home):
    home.mkdir()
    (home / "config.toml").mkdir()
    with pytest.raises(Exception, match=r"config\.toml"):
        mlops("setup", "fake", "--yes")
    assert entry_of(home, "fake").made == (("the bucket b-1", "rm b-1"),)


def test_an_undo_takes_the_settings_back_and_names_what_stays(mlops, world, again, home):
    mlops("setup", "fake", "--yes")
    report = mlops("setup", "fake", "--undo")
    assert settings_of(again) == {}
    assert again().config.get("platform") is None
    assert report.stays == (("the bucket b-1", "rm b-1"),)
    assert world.made == ["b-1"]
    assert "rm b-1" in as_text(report)
    assert entry_of(home, "fake") is None
    with pytest.raises(UsageProblem, match="nothing to take back"):
        mlops("setup", "fake", "--undo")


def test_an_undo_leaves_what_was_set_before_and_what_was_changed_since(mlops, world, again, home):
    home.mkdir()
    (home / "config.toml").write_text('# mine\n[fake]\nregion = "r-0"\n')
    mlops("setup", "fake", "--yes")
    text = (home / "config.toml").read_text()
    (home / "config.toml").write_text(text.replace("b-1", "b-2"))
    mlops("setup", "fake", "--undo")
    assert settings_of(again) == {"region": "r-0", "bucket": "b-2"}
    assert "# mine" in (home / "config.toml").read_text()


def test_what_an_earlier_version_wrote_is_taken_back_too(mlops, again, home):
    home.mkdir()
    (home / "config.toml").write_text('platform = "local"\n')
    (home / "setup.json").write_text(json.dumps({"local": {"platform": "local"}}))
    assert entry_of(home, "local") == Entry({"platform": "local"})
    mlops("setup", "local", "--undo")
    assert again().config.get("platform") is None


def test_docker_s_image_is_proposed_by_docker(mlops, again):
    wanted = {one.key: one.value for one in again().platforms["docker"].proposals()}
    assert wanted == {"image": "python:3.12-slim"}


def test_its_document_says_what_it_would_do(mlops):
    report = mlops("setup", "fake")
    document = report.to_json()
    assert document["wanted"][2] == {
        "key": "fake.bucket",
        "value": "b-1",
        "why": "none yet",
        "creates": "the bucket b-1",
        "removal": "rm b-1",
        "is_optional": False,
    }
    assert [(one["key"], one["value"]) for one in document["offered"]] == [("fake.image", "i-1")]
    assert (document["ok"], document["written"], document["next"]) == (True, [], "ipymlops setup fake --yes")


def test_a_program_that_reads_json_is_never_asked(again, screen, world):
    screen.answer = True
    context = again()
    dispatch(["setup", "fake", "--json"], None, replace(context, platforms=Clouds(context.platforms._context_of)))
    assert (screen.questions, world.made) == ([], [])


@pytest.fixture
def api(monkeypatch) -> Iterator[SageMakerApi]:
    with sagemaker_api() as running:
        for name, value in running.env.items():
            monkeypatch.setenv(name, value)
        yield running


def test_an_account_is_set_up_and_ready_and_taken_back(mlops, again, api):
    report = mlops("setup", "sagemaker")
    assert report.next == "ipymlops setup sagemaker --yes"
    assert not [call for call in api.calls if call.action.startswith(("Create", "Put"))]
    mlops("setup", "sagemaker", "--yes")
    settings = again().config.platform("sagemaker")
    assert (settings["region"], settings["role"]) == ("us-east-1", api.role)
    api.client("s3").head_bucket(Bucket=settings["bucket"])
    assert mlops("doctor", "sagemaker").is_ok
    assert mlops("setup", "sagemaker").wanted == ()
    ((what, removal),) = mlops("setup", "sagemaker", "--undo").stays
    assert settings["bucket"] in what
    assert removal == f"aws s3 rb s3://{settings['bucket']} --force"
    assert again().config.platform("sagemaker") == {}
    assert mlops("setup", "sagemaker").next == ""  # the bucket is found again: nothing is to be made
    assert again().config.platform("sagemaker") == settings


def test_of_several_roles_the_line_chooses(mlops, again, api):
    trust = api.client("iam").get_role(RoleName=api.role.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    api.client("iam").create_role(RoleName="Second", AssumeRolePolicyDocument=json.dumps(trust))
    with pytest.raises(PlatformProblem, match="no role is set") as refused:
        mlops("setup", "sagemaker", "--yes")
    assert api.role in refused.value.why
    assert "/Second" in refused.value.why
    assert not [call for call in api.calls if call.action.startswith("CreateBucket")]
    mlops(*shlex.split(refused.value.fix)[1:], "--yes")
    chosen = refused.value.fix.partition("role=")[2].split()[0]
    assert again().config.get("sagemaker.role") == chosen
    assert chosen in (api.role, f"arn:aws:iam::{api.account}:role/Second")


def test_a_doctor_asked_for_a_machine_looks_at_its_quota(mlops, api, monkeypatch):
    for key, value in api.settings.items():
        monkeypatch.setenv(f"IPYMLOPS_SAGEMAKER_{key.upper()}", value)
    with pytest.raises(PlatformProblem, match=r"sagemaker\.quota: ml\.p4d\.24xlarge") as refused:
        mlops("doctor", "sagemaker", "--gpu", "a100")
    assert "request-service-quota-increase" in refused.value.fix
    assert mlops("doctor", "sagemaker", "--machine", "ml.g5.xlarge").is_ok


def test_a_doctor_asked_for_a_gpu_says_who_has_it(mlops):
    mlops("setup", "fake", "--yes")
    found = {
        check.id: check.status for check in mlops("doctor", "fake", "--gpu", "a100").checks if "has_gpu" in check.id
    }
    assert found == {"fake.has_gpu": "ok"}


def test_a_doctor_does_not_pass_over_what_a_platform_cannot_honour(mlops):
    with pytest.raises(PlatformProblem, match="local cannot honour that") as refused:
        mlops("doctor", "local", "--spot", "--machine", "x")
    assert "--machine, --spot" in refused.value.why


def test_a_signed_out_caller_is_told_so_and_nothing_is_written(mlops, again):
    os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")
    with pytest.raises(PlatformProblem, match="not signed in"):
        mlops("setup", "sagemaker", "--yes")
    assert again().config.platform("sagemaker") == {}


def test_a_notebook_that_nobody_sits_at_is_given_the_line_and_never_waits(api, repo):
    cells = ["%load_ext ipymlops", "%mlops setup sagemaker"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(repo)}}).execute()
    text = notebook.cells[1].outputs[-1]["data"]["text/plain"]
    assert "%mlops setup sagemaker --yes" in text
    assert not [call for call in api.calls if call.action.startswith("CreateBucket")]


def test_a_bucket_whose_making_was_denied_halfway_is_in_the_journal(mlops, api, home):
    api.faults.denied = {"s3:PutLifecycleConfiguration"}
    with pytest.raises(PlatformProblem, match="s3:PutLifecycleConfiguration"):
        mlops("setup", "sagemaker", "--yes")
    ((what, removal),) = entry_of(home, "sagemaker").made
    assert any(row["Name"] in what and row["Name"] in removal for row in api.client("s3").list_buckets()["Buckets"])
    api.faults.denied = {"s3:CreateBucket"}
    mlops("setup", "sagemaker", "--undo")
    with pytest.raises(PlatformProblem, match="s3:CreateBucket"):
        mlops("setup", "sagemaker", "--set", "bucket=never-made-by-anyone", "--yes")
    assert entry_of(home, "sagemaker") is None
