"""What `doctor sagemaker` says of an account, and of each thing that is wrong with it."""

import json
import shlex
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ipymlops.platforms.sagemaker import signing_in
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.checks import caller_rights_check, checks, role_rights_check
from ipymlops.platforms.sagemaker.identity import Caller, caller
from ipymlops.platforms.sagemaker.policies import Names, policy, rights_of
from ipymlops.platforms.sagemaker.signing_in import identity_check
from ipymlops.spec import JobSpec

CALLER_RIGHTS = [right for right in rights_of(policy("caller", Names())) if not right.sid.startswith("Setup")]
ROLE_RIGHTS = list(rights_of(policy("execution", Names())))
ONLY_BY_DOING = {
    *("sagemaker:CreateTrainingJob", "sagemaker:AddTags", "sagemaker:StopTrainingJob", "iam:PassRole"),
    "sagemaker:UpdateTrainingJob",
    *("s3:PutObject", "s3:AbortMultipartUpload", "secretsmanager:CreateSecret", "secretsmanager:RestoreSecret"),
    *("kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"),
}
KEY = "arn:aws:kms:us-east-1:123456789012:key/k-1"
NETWORK = {"subnets": "subnet-1", "security_groups": "sg-1"}


@pytest.fixture(scope="module")
def clients(aws_server, tmp_path_factory):
    """Clients of all services, made once: that is what takes the time here."""
    return Aws(tmp_path_factory.mktemp("home"), aws_server.settings, aws_server.env)


@pytest.fixture
def found(api, home, clients):
    """`found(bucket="x")` gives the checks by their last word, with settings changed; None takes one away."""

    def look(spec=None, env=None, **changed):
        clients.settings = {key: value for key, value in {**api.settings, **changed}.items() if value is not None}
        asks = Aws(home, clients.settings, {**api.env, **env}) if env else clients
        all_of_them = list(checks(asks, spec))
        assert all(check.id.startswith("sagemaker.") for check in all_of_them)
        assert all(check.why and check.fix for check in all_of_them if check.status in {"fail", "warn"})
        return {check.id.removeprefix("sagemaker."): check for check in all_of_them}

    return look


@pytest.fixture
def rights(api, clients):
    """`rights()` is the check of the caller's rights alone."""

    def look(**changed):
        clients.settings = {**api.settings, **changed}
        return caller_rights_check(clients, caller(clients))

    return look


def granted(fix):
    """The statements of the command that is to be pasted."""
    words = shlex.split(fix)
    assert words[:2] == ["aws", "iam"]
    return json.loads(words[words.index("--policy-document") + 1])["Statement"]


def test_an_account_with_everything_is_ready_and_unchanged(found, api):
    before = api.calls[:]
    seen = found()
    assert {check.status for check in seen.values()} == {"ok"}
    assert "arn:aws:sts::123456789012:assumed-role/Developer" in seen["identity"].what
    assert not [call for call in api.calls[len(before) :] if call.action.startswith(("Create", "Put", "Delete"))]


@pytest.mark.parametrize("right", CALLER_RIGHTS, ids=lambda right: right.action)
def test_a_right_that_the_caller_lacks_is_named_with_its_statement(rights, api, right):
    subnet = api.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    api.faults.denied = {right.action}
    told = rights(subnets=subnet, kms_key=KEY)
    if right.action in {"iam:SimulatePrincipalPolicy", "iam:GetRole"}:  # without these nobody tells of some others
        assert told.status == "unknown"
    else:
        assert told.status == ("fail" if right.is_needed else "warn")
    assert f"may not {right.action}" in told.what
    assert "--role-name Developer" in told.fix
    (statement,) = granted(told.fix)
    document = policy("caller", Names("aws", api.account, api.bucket, api.role, KEY))
    resource = next(one["Resource"] for one in document["Statement"] if one["Sid"] == right.sid)
    assert (statement["Action"], statement["Resource"]) == ([right.action], resource)
    if right.action == "iam:PassRole":
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


@pytest.mark.parametrize("right", CALLER_RIGHTS, ids=lambda right: right.action)
def test_where_iam_may_not_be_asked_calls_that_only_read_tell(rights, api, right):
    subnet = api.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    api.faults.denied = {right.action, "iam:SimulatePrincipalPolicy"}
    told = rights(subnets=subnet, kms_key=KEY)
    if right.action in ONLY_BY_DOING:
        assert told.status == "unknown"
        assert right.action in told.why
        assert right.action not in told.what
    else:
        assert told.status == ("fail" if right.is_needed else "unknown")
        assert right.action in told.what
        assert right.action in [action for one in granted(told.fix) for action in one["Action"]]


@pytest.mark.parametrize("right", ROLE_RIGHTS, ids=lambda right: right.action)
def test_a_right_that_the_role_of_jobs_lacks_is_named_with_its_statement(clients, api, right):
    api.faults.denied_to_role = {right.action}
    clients.settings = {**api.settings, **NETWORK, "kms_key": KEY}
    told = role_rights_check(clients)
    assert told.status == ("fail" if right.is_needed else "warn")
    assert f"may not {right.action}" in told.what
    assert "--role-name AmazonSageMaker-ExecutionRole" in told.fix
    assert granted(told.fix)[0]["Action"] == [right.action]


def test_rights_of_a_network_and_of_a_key_are_asked_only_where_they_are_set(clients, rights, api):
    api.faults.denied = api.faults.denied_to_role = {"ec2:*", "kms:*"}
    for settings, sids in (({}, set()), (NETWORK, {"Network"}), ({"kms_key": KEY}, {"Key"})):
        clients.settings = {**api.settings, **settings}
        told = role_rights_check(clients)
        assert ("ok" if told.status == "ok" else {one["Sid"] for one in granted(told.fix)}) == (sids or "ok")
    assert rights().status == "ok"
    assert "no job can do without kms:CreateGrant, kms:Decrypt" in rights(kms_key=KEY).why


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        (KEY, KEY),
        ("k-1", "arn:aws:kms:*:123456789012:key/k-1"),
        ("alias/mine", "arn:aws:kms:*:123456789012:key/*"),
        ("arn:aws:kms:us-east-1:123456789012:alias/mine", "arn:aws:kms:*:123456789012:key/*"),
    ],
)
def test_a_key_is_granted_as_policies_name_it(rights, api, key, resource):
    api.faults.denied = {"kms:Decrypt"}
    (statement,) = granted(rights(kms_key=key).fix)
    assert statement["Resource"] == resource


def test_what_nobody_tells_of_the_role_is_unknown(found, api):
    api.faults.denied = {"iam:*"}
    seen = found()
    assert {seen[name].status for name in ("role", "rights", "role_rights")} == {"unknown"}


def test_several_missing_rights_are_one_policy(found, api):
    api.faults.denied = {"sagemaker:CreateTrainingJob", "iam:PassRole", "pricing:GetProducts"}
    told = found()["rights"]
    assert [one["Sid"] for one in granted(told.fix)] == ["Jobs", "Role", "Doctor"]
    assert "no job can do without sagemaker:CreateTrainingJob, iam:PassRole" in told.why


def test_an_old_library_is_told_by_what_it_lacks(found, monkeypatch):
    monkeypatch.setitem(signing_in.FIELDS, "StoppingCondition", ("MaxWaitTimeInSeconds", "OfTheFuture"))
    told = found()["library"]
    assert (told.status, told.why) == ("fail", "it has no StoppingCondition.OfTheFuture")


def test_without_a_region_nothing_is_asked(found, api):
    seen = found(region=None, env={"AWS_DEFAULT_REGION": ""})
    assert list(seen) == ["library", "region"]
    assert seen["region"].status == "fail"
    assert api.calls == []


def test_a_misspelt_region_is_told_with_the_one_that_was_meant(found):
    told = found(region="us-east1")["region"]
    assert (told.status, told.why) == ("fail", "did you mean us-east-1?")
    assert told.fix == "ipymlops setup sagemaker --set region=us-east-1"


def test_a_region_that_the_library_does_not_know_is_no_failure(found):
    assert found(region="xx-moon-9", image=None, bucket=None)["region"].status == "unknown"


@pytest.mark.parametrize("whose", ["expired", "unknown"])
def test_credentials_that_are_refused_are_the_finding(found, api, whose):
    api.faults.expire_token = whose == "expired"
    seen = found(env=api.wrong_env if whose == "unknown" else None)
    assert list(seen)[:3] == ["library", "region", "identity"]
    assert "role" not in seen
    assert seen["identity"].status == "fail"
    assert seen["identity"].fix.startswith("aws sso login")


def test_no_credentials_are_the_finding(found):
    empty = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "")
    told = found(env=empty)["identity"]
    assert "not signed in" in told.what


def test_credentials_that_end_soon_are_told_with_their_end(found, aws, monkeypatch):
    who = Caller("123456789012", "arn:aws:iam::123456789012:user/u")
    aws.session().get_credentials()._expiry_time = datetime.now(timezone.utc) + timedelta(minutes=5)
    assert identity_check(aws, who).status == "warn"
    aws.session().get_credentials()._expiry_time = datetime.now(timezone.utc) + timedelta(hours=5)
    assert (identity_check(aws, who).status, "UTC" in identity_check(aws, who).what) == ("ok", True)


@pytest.mark.parametrize(
    ("ahead_s", "status", "word"), [(900, "fail", "behind"), (-900, "fail", "ahead of"), (120, "warn", "behind")]
)
def test_a_wrong_clock_is_told(found, api, ahead_s, status, word):
    api.faults.clock_skew_s = ahead_s
    told = found(env={"AWS_REGION": "us-east-1"})["clock"]
    assert told.status == status
    assert word in told.what


def test_without_a_role_those_that_would_do_are_named(found, api):
    told = found(role=None)["role"]
    assert told.status == "fail"
    assert api.role in told.why
    assert told.fix == f"ipymlops setup sagemaker --set role={api.role}"


def test_without_any_role_the_line_that_makes_one_stands_there(found, api):
    api.client("iam").delete_role(RoleName=api.role.rpartition("/")[2])
    told = found(role=None)["role"]
    words = shlex.split(told.fix)
    assert words[:3] == ["aws", "iam", "create-role"]
    assert json.loads(words[-1])["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}


def test_a_role_that_sagemaker_may_not_assume_is_refused(found, api):
    told = found(role=api.developer)["role"]
    assert told.status == "fail"
    assert "trust policy" in told.why
    assert "update-assume-role-policy --role-name Developer" in told.fix


def test_a_role_without_its_path_is_no_role(found):
    assert found(role="AmazonSageMaker-ExecutionRole")["role"].status == "fail"


def test_a_role_that_iam_does_not_know_is_unknown(found, api):
    assert found(role=f"arn:aws:iam::{api.account}:role/never")["role"].status == "unknown"


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("none", "there is no bucket"),
        ("other_bucket", "elsewhere"),
        ("foreign_bucket", "another account's"),
        ("", "no bucket is set"),
    ],
)
def test_a_bucket_that_will_not_do_is_told_why(found, api, which, words):
    name = getattr(api, which, "never-there-at-all") if which else None
    told = found(bucket=name)["bucket"]
    assert told.status == "fail"
    assert words in told.what


def test_a_bucket_that_nobody_may_look_at_is_unknown(found, api):
    api.faults.denied = {"s3:ListBucket", "s3:ListAllMyBuckets"}
    assert found()["bucket"].status == "unknown"


@pytest.mark.parametrize(
    ("image", "status", "words"),
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/python:oci", "warn", "application/vnd.oci.image"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/python:never", "fail", "there is no image"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/never:1", "fail", "there is no image"),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/python:1", "fail", "elsewhere"),
        ("python:3.12", "fail", "in no such registry"),
        (None, "ok", "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.13-cpu"),
    ],
)
def test_an_image_is_looked_at_in_its_registry(found, image, status, words):
    told = found(image=image)["image"]
    assert told.status == status
    assert words in told.what


def test_an_image_that_may_not_be_looked_at_is_unknown(found, api):
    api.faults.denied = {"ecr:DescribeImages"}
    assert found()["image"].status == "unknown"


def test_quotas_above_nothing_are_summed_up(found):
    told = found()["quota"]
    assert told.status == "ok"
    assert "1 x ml.g4dn.xlarge" in told.what
    assert "ml.p4d" not in told.what


def test_without_any_quota_the_line_that_asks_for_one_stands_there(found, api):
    api.quotas.applied = {}
    told = found()["quota"]
    assert told.status == "warn"
    assert "request-service-quota-increase" in told.fix


def test_a_machine_that_the_account_may_not_run_is_told_with_the_line_that_raises_the_quota(found, api):
    told = found(JobSpec(None, machine_type="ml.p4d.24xlarge"))["quota"]
    assert told.status == "fail"
    words = shlex.split(told.fix)
    asked = dict(zip(words[3::2], words[4::2], strict=True))
    assert asked["--quota-code"] == "L-09B4A649"
    api.client("service-quotas").request_service_quota_increase(
        ServiceCode=asked["--service-code"],
        QuotaCode=asked["--quota-code"],
        DesiredValue=float(asked["--desired-value"]),
    )


def test_a_gpu_is_looked_at_as_the_machine_that_has_it(found):
    assert found(JobSpec(None, gpu="a100"))["quota"].what.startswith("ml.p4d.24xlarge in us-east-1")


def test_what_is_in_use_is_counted_from_the_jobs_in_progress(found, api):
    jobs = api.seed_jobs(8)
    for job in jobs[1::4]:  # two of the other teams' jobs on this machine go on
        job.status, job.request["ResourceConfig"]["InstanceCount"] = "InProgress", 1
    told = found(JobSpec(None, machine_type="ml.g5.xlarge"))["quota"]
    assert "2 in use" in told.what
    assert told.status == "warn"
    assert "queued" in told.why


def test_in_use_is_unknown_where_jobs_may_not_be_searched(found, api):
    api.faults.denied = {"sagemaker:Search"}
    told = found(JobSpec(None, machine_type="ml.g5.xlarge"))["quota"]
    assert (told.status, "not known" in told.what) == ("unknown", True)


def test_spot_machines_and_warm_pools_have_quotas_of_their_own(found):
    spec = JobSpec(None, machine_type="ml.g5.xlarge")
    assert found(replace(spec, spot=True))["quota"].status == "ok"
    assert found(replace(spec, spot=True, nodes=2))["quota"].status == "fail"
    assert "--keep-warm" in found(replace(spec, keep_warm_s=600))["quota"].why


def test_quotas_that_may_not_be_read_are_unknown(found, api):
    api.faults.denied = {"servicequotas:*"}
    assert found()["quota"].status == "unknown"


@pytest.fixture
def vpc(api):
    """A VPC without a way out, its subnet, and the client that made them."""
    ec2 = api.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    return ec2, vpc_id, subnet


def test_a_vpc_without_a_way_out_is_told_with_the_endpoint_that_is_missing(found, vpc):
    ec2, vpc_id, subnet = vpc
    for name in ("ecr.api", "ecr.dkr", "logs"):
        ec2.create_vpc_endpoint(VpcId=vpc_id, ServiceName=f"com.amazonaws.us-east-1.{name}")
    told = found(subnets=subnet)["network"]
    assert (told.status, told.what) == ("warn", f"jobs in {vpc_id} do not reach s3")
    ec2.create_vpc_endpoint(VpcId=vpc_id, ServiceName="com.amazonaws.us-east-1.s3")
    assert found(subnets=subnet)["network"].status == "ok"


def test_a_vpc_with_a_nat_gateway_reaches_everything(found, vpc):
    ec2, vpc_id, subnet = vpc
    gateway = ec2.create_nat_gateway(SubnetId=subnet)["NatGateway"]["NatGatewayId"]
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"][0]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
    assert "NAT gateway" in found(subnets=subnet)["network"].what


def test_subnets_that_are_not_there_or_not_to_be_seen_are_told(found, api, vpc):
    assert found(subnets="subnet-00000000000000000")["network"].status == "fail"
    api.faults.denied = {"ec2:*"}
    assert found(subnets=vpc[2])["network"].status == "unknown"


def test_a_machine_that_there_is_not_is_told_with_the_one_that_was_meant(found):
    told = found(JobSpec(None, machine_type="ml.g6.xlrge"))["quota"]
    assert (told.status, told.fix) == ("fail", "--machine ml.g6.xlarge")
