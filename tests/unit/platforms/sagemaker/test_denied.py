"""One right taken away at a time: the verb that needs it names it, before or after it has asked."""

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.job import new_job_id
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.runtime.places.sagemaker import SageMaker
from ipymlops.runtime.problem import LaunchProblem
from ipymlops.spec import JobSpec
from ipymlops.testing.job_runner import packed

SPEC = JobSpec("train.py", secrets=(("TOKEN", "env:TOKEN"),), labels=(("team", "vision"),))


class User:
    """Somebody with a job that runs."""

    def __init__(self, platform, folder):
        self.platform, self.folder = platform, folder
        self.plan = platform.plan(SPEC)
        self.job = self.submit()

    def submit(self):
        code = packed(self.folder, {"train.py": f"print('{new_job_id()}')"})
        return self.platform.submit(new_job_id(), "one", SPEC, code, self.plan)

    def status(self):
        self.platform.status(self.job)

    def plan_of(self):
        self.platform.plan_of(self.job)

    def stop(self):
        self.platform.stop(self.job)

    def logs(self):
        self.platform.logs(self.job)

    def artifacts(self):
        list(self.platform.artifacts(self.job))

    def listing(self):
        self.platform.listing("")


@pytest.fixture
def user(api, home, tmp_path) -> User:
    api.script = type(api.script)(states=("Downloading", "Training"), lines=("hello",))
    context = PlatformContext(home, api.settings, {**api.env, "TOKEN": "s3cr3t"})
    return User(SageMakerPlatform(context), tmp_path)


@pytest.mark.parametrize(
    ("right", "act"),
    [
        ("sagemaker:CreateTrainingJob", User.submit),
        ("sagemaker:AddTags", User.submit),
        ("iam:PassRole", User.submit),
        ("s3:PutObject", User.submit),
        ("s3:GetObject", User.submit),
        ("secretsmanager:CreateSecret", User.submit),
        ("sagemaker:DescribeTrainingJob", User.status),
        ("sagemaker:DescribeTrainingJob", User.plan_of),
        ("sagemaker:StopTrainingJob", User.stop),
        ("s3:ListBucket", User.artifacts),
        ("logs:DescribeLogStreams", User.logs),
        ("logs:GetLogEvents", User.logs),
        ("sagemaker:Search sagemaker:ListTrainingJobs", User.listing),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_what_may_not_be_done_is_named(user, api, right, act):
    if right == "secretsmanager:CreateSecret":
        user.platform.context.env["TOKEN"] = "another"
    api.faults.denied = set(right.split())
    with pytest.raises(PlatformProblem) as refused:
        act(user)
    assert any(one in "\n".join(refused.value.lines()) for one in right.split())
    assert refused.value.fix


def test_a_secret_that_the_role_may_not_read_is_named_by_the_launcher(api, monkeypatch):
    api.faults.denied_to_role = {"secretsmanager:GetSecretValue"}
    raw = {"region": "us-east-1", "secrets_from": {"TOKEN": {"id": "AmazonSageMaker-ipymlops-TOKEN", "key": None}}}
    for name, value in api.execution_env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LaunchProblem) as refused:
        SageMaker().secrets(raw)
    assert "secretsmanager:GetSecretValue" in str(refused.value.fix)
