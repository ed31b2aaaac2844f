"""What `setup sagemaker` finds and makes, against an account."""

import json

import pytest
from botocore.exceptions import ClientError

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.abilities import Proposal
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.buckets import is_made_by_setup
from ipymlops.platforms.sagemaker.identity import own_role, region_of_machine
from ipymlops.platforms.sagemaker.setup import create, proposals

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        },
    }
)


@pytest.fixture
def proposed(api, home, tmp_path):
    """`proposed(role="x")` gives the proposals by key, with these settings and no others."""

    def look(env=None, metadata=tmp_path / "none", **settings):
        found = list(proposals(Aws(home, settings, {**api.env, **(env or {})}), metadata))
        assert len({one.key for one in found}) == len(found)
        return {one.key: one for one in found}

    return look


@pytest.fixture
def notebook(api, tmp_path):
    """The description that a notebook instance has of itself."""
    path = tmp_path / "resource-metadata.json"
    arn = f"arn:aws:sagemaker:eu-central-1:{api.account}:notebook-instance/mine"
    path.write_text(json.dumps({"ResourceArn": arn, "ResourceName": "mine"}))
    return path


def test_region_role_and_bucket_are_found_or_proposed_and_nothing_is_made(proposed, api):
    found = proposed()
    assert found["region"] == Proposal("region", "us-east-1", "the AWS configuration names it")
    assert (found["role"].value, found["role"].creates) == (api.role, "")
    assert is_made_by_setup(found["bucket"].value, "us-east-1")
    assert found["bucket"].value in found["bucket"].creates
    assert api.account not in found["bucket"].value
    assert not [call for call in api.calls if call.action.startswith(("Create", "Put", "Delete"))]


def test_two_proposals_have_two_names(proposed):
    assert proposed()["bucket"].value != proposed()["bucket"].value


def test_what_is_set_and_there_is_not_proposed_again(proposed, api):
    assert proposed(**api.settings) == {}


def test_without_a_region_nothing_is_guessed(proposed):
    assert proposed(env={"AWS_DEFAULT_REGION": ""}) == {}


def test_a_notebook_instance_tells_its_region_and_role(proposed, api, notebook):
    arn = f"arn:aws:iam::{api.account}:role/team/notebooks"
    api.client("sagemaker", "eu-central-1").create_notebook_instance(
        NotebookInstanceName="mine", InstanceType="ml.t3.medium", RoleArn=arn
    )
    found = proposed(env={"AWS_DEFAULT_REGION": ""}, metadata=notebook)
    assert (found["region"].value, found["role"].value) == ("eu-central-1", arn)
    assert found["bucket"].value.endswith("-eu-central-1")


def test_studio_tells_the_role_itself(aws, tmp_path):
    path = tmp_path / "metadata.json"
    path.write_text(
        json.dumps({"ResourceName": "default", "DomainId": "d-1", "ExecutionRoleArn": "arn:aws:iam::1:role/r"})
    )
    assert own_role(aws, path) == "arn:aws:iam::1:role/r"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ResourceArn": "x"}'])
def test_a_description_that_tells_nothing_is_none(tmp_path, content):
    path = tmp_path / "metadata.json"
    path.write_text(content)
    assert region_of_machine(path) is None


def test_the_caller_s_own_role_comes_first_where_sagemaker_may_assume_it(aws, api, proposed, tmp_path):
    assert own_role(aws, tmp_path / "none") is None
    api.client("iam").update_assume_role_policy(RoleName="Developer", PolicyDocument=TRUST)
    assert own_role(aws, tmp_path / "none") == api.developer
    assert proposed()["role"].value == api.developer


def test_of_several_roles_none_is_chosen(proposed, api):
    api.client("iam").create_role(RoleName="Second", AssumeRolePolicyDocument=TRUST)
    assert "role" not in proposed()


def test_roles_that_may_not_be_listed_are_not_proposed(proposed, api):
    api.faults.denied = {"iam:*"}
    assert set(proposed()) == {"region", "bucket", "image"}


def test_the_newest_image_of_the_account_s_own_is_offered_and_no_more(proposed, api):
    api.client("ecr").create_repository(repositoryName="empty")
    api.client("ecr").create_repository(repositoryName="zoo")
    api.client("ecr").put_image(
        repositoryName="zoo", imageManifest="{}", imageManifestMediaType="application/x", imageTag="t"
    )
    found = proposed()["image"]
    assert (found.value, found.creates, found.is_optional) == (api.uri("zoo:t"), "", True)
    assert "AWS's own is taken" in found.why
    assert "image" not in proposed(image="mine:1")
    assert "image" not in proposed(region="eu-west-1")  # no repository there


def test_images_that_may_not_be_listed_are_not_offered(proposed, api):
    api.faults.denied = {"ecr:DescribeRepositories"}
    assert "image" not in proposed()


def test_a_bucket_that_is_named_and_not_there_is_to_be_made(proposed, api):
    found = proposed(bucket="named-by-hand", region="us-east-1")["bucket"]
    assert (found.value, "named-by-hand" in found.creates) == ("named-by-hand", True)
    assert "bucket" not in proposed(bucket=api.foreign_bucket)  # the check says whose it is


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_bucket_is_made_closed_encrypted_and_tidy_and_is_found_again(proposed, api, home, region):
    wanted = proposed(region=region)["bucket"]
    aws = Aws(home, {"region": region}, api.env)
    assert wanted.removal == f"aws s3 rb s3://{wanted.value} --force"
    create(aws, wanted)
    s3 = api.client("s3", region)
    block = s3.get_public_access_block(Bucket=wanted.value)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert s3.get_bucket_encryption(Bucket=wanted.value)["ServerSideEncryptionConfiguration"]["Rules"]
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=wanted.value)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert s3.get_bucket_location(Bucket=wanted.value)["LocationConstraint"] == (
        None if region == "us-east-1" else region
    )
    again = proposed(region=region)["bucket"]
    assert (again.value, again.creates) == (wanted.value, "")
    create(aws, wanted)  # harmless


def test_a_bucket_that_was_half_made_is_completed(proposed, api, aws):
    wanted = proposed()["bucket"]
    api.faults.denied = {"s3:PutLifecycleConfiguration"}
    with pytest.raises(PlatformProblem, match="s3:PutLifecycleConfiguration"):
        create(aws, wanted)
    api.faults.denied = set()
    create(aws, wanted)
    assert api.client("s3").get_bucket_lifecycle_configuration(Bucket=wanted.value)["Rules"]


def test_a_bucket_of_the_user_s_that_is_there_is_left_as_it_is(aws, api):
    create(aws, Proposal("bucket", api.bucket, "", "the bucket"))
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        api.client("s3").get_bucket_lifecycle_configuration(Bucket=api.bucket)


def test_a_name_that_another_account_has_is_a_problem(aws, api):
    with pytest.raises(PlatformProblem, match="another account"):
        create(aws, Proposal("bucket", api.foreign_bucket, "", "the bucket"))
