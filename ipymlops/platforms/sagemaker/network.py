"""Whether jobs in a VPC of the user's can reach what every job needs. Nothing is asked where no subnet is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.forms import listed
from ipymlops.platforms.sagemaker.problems import answers, is_denied, text_of

NEEDED = ("s3", "ecr.api", "ecr.dkr", "logs")
"""By the end of their endpoint's name: files, the image, the log."""
ID = "sagemaker.network"


def network_check(aws: Aws) -> Check:
    subnets = listed(aws.settings, "subnets")
    if not subnets:
        return Check(
            ID, "ok", "jobs run outside any VPC of yours: they reach S3, the registry, the logs and the internet"
        )
    with answers("the subnets of jobs cannot be looked at"):
        try:
            return _in_vpc(aws.client("ec2"), subnets, aws.region)
        except ClientError as error:
            if is_denied(error):
                return Check(ID, "unknown", "whether jobs in your subnets reach S3 is not known", why=text_of(error))
            if error.response["Error"]["Code"].startswith("InvalidSubnet"):
                return _no_such_subnet(text_of(error))
            raise


def _in_vpc(ec2: Any, subnets: list[str], region: str) -> Check:
    rows = ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
    vpc = rows[0]["VpcId"]
    if _has_way_out(ec2, vpc, subnets):
        return Check(ID, "ok", f"jobs run in {vpc}, whose routes lead out through a NAT gateway")
    services = {one["ServiceName"] for one in _of_vpc(ec2.describe_vpc_endpoints, vpc)["VpcEndpoints"]}
    missing = [name for name in NEEDED if f"com.amazonaws.{region}.{name}" not in services]
    if not missing:
        return Check(
            ID, "ok", f"jobs run in {vpc}, which has endpoints for {', '.join(NEEDED)}; no internet from there"
        )
    return Check(
        ID,
        "warn",
        f"jobs in {vpc} do not reach {', '.join(missing)}",
        why="its subnets have no NAT gateway and it has no such endpoint: a job waits long and fails",
        fix=f"aws ec2 create-vpc-endpoint --vpc-id {vpc} --service-name com.amazonaws.{region}.{missing[0]}",
    )


def _has_way_out(ec2: Any, vpc: str, subnets: list[str]) -> bool:
    """A default route through NAT, of the subnets' own tables, else of the VPC's main one."""
    tables = _of_vpc(ec2.describe_route_tables, vpc)["RouteTables"]
    own = [table for table in tables if any(one.get("SubnetId") in subnets for one in table["Associations"])]
    main = [table for table in tables if any(one.get("Main") for one in table["Associations"])]
    routes = [route for table in own or main for route in table["Routes"]]
    return any(one.get("DestinationCidrBlock") == "0.0.0.0/0" and one.get("NatGatewayId") for one in routes)


def _of_vpc(describe: Any, vpc: str) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = describe(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    return answer


def _no_such_subnet(text: str) -> Check:
    return Check(ID, "fail", "a subnet of sagemaker.subnets is not there", why=text, fix="aws ec2 describe-subnets")
