"""What `setup sagemaker` finds and makes: the region, the role, the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.abilities import Proposal
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.buckets import bucket_named, made_earlier, make_bucket, new_name, removal_line
from ipymlops.platforms.sagemaker.identity import METADATA, own_role, region_of_machine, roles_for_sagemaker


def proposals(aws: Aws, metadata: Path = METADATA) -> Iterator[Proposal]:
    """What is not set and could be, each by what was found; nothing where it would be a guess.

    Args:
        metadata: Where a SageMaker notebook describes itself.
    """
    region = aws.region_or_none or region_of_machine(metadata)
    if region is None:
        return
    if not aws.settings.get("region"):
        whence = "the AWS configuration names it" if aws.region_or_none else "this notebook runs there"
        yield Proposal("region", region, whence)
    there = Aws(aws.home, {**aws.settings, "region": region}, aws.env)
    yield from _role(there, metadata)
    yield from _bucket(there)


def _role(aws: Aws, metadata: Path) -> Iterator[Proposal]:
    if aws.settings.get("role"):
        return
    own = own_role(aws, metadata)
    if own:
        yield Proposal("role", own, "you are signed in as it, and SageMaker may run jobs as it")
        return
    try:
        roles = list(roles_for_sagemaker(aws))
    except PlatformProblem:  # the check of the role says what to do
        return
    if len(roles) == 1:
        yield Proposal("role", roles[0], "the only role of the account that SageMaker may assume")


def _bucket(aws: Aws) -> Iterator[Proposal]:
    named = aws.settings.get("bucket")
    if named:
        if bucket_named(aws, named) is None:
            yield _to_make(aws, named, "it is named")
        return
    earlier = made_earlier(aws)
    if earlier:
        yield Proposal("bucket", earlier[0], "setup made it earlier for this account")
        return
    yield _to_make(aws, new_name(aws.region), "there is none of ours yet")


def _to_make(aws: Aws, name: str, why: str) -> Proposal:
    what = f"the S3 bucket {name} in {aws.region}: private, encrypted, unfinished uploads removed after 7 days"
    return Proposal("bucket", name, why, what, removal_line(name))


def create(aws: Aws, proposal: Proposal) -> None:
    """Make the bucket."""
    make_bucket(aws, proposal.value)
