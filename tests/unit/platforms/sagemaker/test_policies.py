"""The two policies: as small as the calls that the code makes, and no smaller."""

import json
from dataclasses import replace

import pytest

from ipymlops.job import new_job_id
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker import secrets
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.platforms.sagemaker.policies import Names, grant_line, granting, policy, rights_of
from ipymlops.platforms.sagemaker.setup import create, proposals
from ipymlops.runtime.aws import pages, secret_value
from ipymlops.spec import JobSpec
from ipymlops.testing.job_runner import packed
from tests.servers.policies import refused, unused
from tests.servers.sagemaker_api import Scripted

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYBODY_MAY = {("sts:GetCallerIdentity", "*")}
MOMENTS = {
    *("sagemaker:ListTrainingJobs", "s3:AbortMultipartUpload", "secretsmanager:RestoreSecret"),
    *("kms:CreateGrant", "kms:Decrypt"),
}
"""Of a caller who may not search; of an upload that is broken off; of a secret that somebody else has deleted; asked by
the service in the caller's name."""
OF_THE_SERVICE = {
    *("s3:GetBucketLocation", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:PutObject", "s3:GetObject"),
    *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
    *("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability"),
    *("ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"),
    *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
    *("ec2:DeleteNetworkInterfacePermission", "ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs"),
    *("ec2:DescribeDhcpOptions", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
    *("kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"),
}
"""What SageMaker itself does as the role of jobs."""


@pytest.fixture
def names(api) -> Names:
    return Names("aws", api.account, api.bucket, api.role, KEY)


@pytest.mark.parametrize("name", ["caller", "execution"])
def test_iam_takes_the_policy_and_any_part_of_it(api, names, name):
    document = policy(name, names)
    rights = list(rights_of(document))
    assert len({(right.sid, right.action) for right in rights}) == len(rights)
    assert granting(document, rights) == {
        **document,
        "Statement": [
            {**one, "Action": [one["Action"]] if isinstance(one["Action"], str) else one["Action"]}
            for one in document["Statement"]
        ],
    }
    iam = api.client("iam")
    iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
    for number, right in enumerate(rights):
        iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=json.dumps(granting(document, [right])))


def test_the_policies_hold_in_other_partitions(names):
    document = policy("caller", Names("aws-cn", "1", "b", "arn:aws-cn:iam::1:role/r"))
    assert "arn:aws:" not in json.dumps(document)


def test_a_user_and_a_role_are_granted_by_their_own_commands():
    document = {"Statement": []}
    assert grant_line("arn:aws:iam::1:user/people/ann", document).startswith("aws iam put-user-policy --user-name ann ")
    assert grant_line("arn:aws:iam::1:role/path/r", document).startswith("aws iam put-role-policy --role-name r ")
    one, other = (grant_line("arn:aws:iam::1:role/r", {"Statement": [sid]}).split()[6] for sid in "ab")
    assert one != other  # a second grant does not replace the first


def test_the_caller_s_policy_is_what_the_caller_s_calls_need(api, home, tmp_path, names):
    env, settings = {**api.env, "TOKEN": "s3cr3t"}, {**api.settings, "kms_key": KEY}
    platform = SageMakerPlatform(PlatformContext(home, settings, env))
    _live_through_everything(platform, api, tmp_path)
    bare = Aws(home, {}, api.env)
    for proposal in proposals(bare, tmp_path / "none"):
        if proposal.creates:
            create(Aws(home, {"region": "us-east-1"}, api.env), proposal)
    document, used = policy("caller", names), api.rights_used() - EVERYBODY_MAY
    assert refused(document, used) == set()
    assert unused(document, used) - MOMENTS == set()


def _live_through_everything(platform, api, folder):
    api.client("secretsmanager").create_secret(Name="prod/db", SecretString="{}")
    secrets = (("TOKEN", "env:TOKEN"), ("DB", "secretsmanager:prod/db#password"))
    spec = JobSpec("train.py", secrets=secrets, labels=(("team", "vision"),), machine_type="ml.g5.xlarge")
    code = packed(folder, {"train.py": "print(1)"})
    plan = platform.plan(spec)
    platform.preflight(spec, plan)
    api.script = Scripted(states=("Downloading", "Training"), lines=("hello",))
    ref = platform.submit(new_job_id(), "one", spec, code, plan)
    page = platform.logs(ref)
    platform.logs(ref, page.cursor)
    platform.last_output_at(ref)
    many = replace(spec, nodes=4)
    platform.logs(platform.submit(new_job_id(), "many", many, code, platform.plan(many)))
    platform.status(ref)
    list(platform.metrics(ref))
    list(platform.artifacts(ref))
    platform.stop(ref)
    warm = replace(spec, keep_warm_s=60)
    platform.stop(platform.submit(new_job_id(), "warm", warm, code, platform.plan(warm)))
    platform.plan_of(ref)
    platform.listing("")
    subnet = api.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    looked = type(platform)(
        PlatformContext(platform.context.home, {**platform.context.settings, "subnets": subnet}, api.env)
    )
    list(looked.checks())
    list(looked.checks(spec))


def test_the_role_s_policy_is_what_the_launcher_s_calls_need(api, aws, names):
    placed = secrets.sent(Aws(aws.home, aws.settings, {**aws.env, "TOKEN": "s3cr3t"}), (("TOKEN", "env:TOKEN"),))
    assert secret_value(placed["TOKEN"]["id"], "us-east-1", api.execution_env) == "s3cr3t"
    list(pages(api.bucket, "ipymlops/", "us-east-1", api.execution_env))
    document, used = policy("execution", names), api.rights_used("role")
    assert refused(document, used) == set()
    assert unused(document, used) - OF_THE_SERVICE == set()
