"""A secret is looked for where the job will read it."""

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker import secrets

ELSEWHERE = "eu-west-1"


def test_a_secret_whose_arn_names_another_region_is_looked_for_there(aws, api):
    arn = api.client("secretsmanager", ELSEWHERE).create_secret(Name="prod/db", SecretString="{}")["ARN"]
    secrets.check(aws, "DB", f"secretsmanager:{arn}#password")
    [look] = [call for call in api.calls if call.action == "DescribeSecret"]
    assert look.region == ELSEWHERE


def test_one_that_is_not_there_is_told_with_the_region_of_its_arn(aws, api):
    arn = f"arn:aws:secretsmanager:{ELSEWHERE}:{api.account}:secret:gone-AbCdEf"
    with pytest.raises(PlatformProblem, match="nothing was sent") as missing:
        secrets.check(aws, "DB", f"secretsmanager:{arn}")
    assert missing.value.why == f"Secrets Manager has none of that name in {ELSEWHERE}"
    assert missing.value.fix == f"aws secretsmanager list-secrets --region {ELSEWHERE}"


def test_a_name_is_looked_for_in_the_region_of_the_job(aws):
    with pytest.raises(PlatformProblem) as missing:
        secrets.check(aws, "DB", "secretsmanager:gone")
    assert "us-east-1" in missing.value.why
