"""What `setup sagemaker` finds and makes: the region, the role, the bucket; and an image that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.abilities import Proposal
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.buckets import bucket_named, made_earlier, make_bucket, new_name, removal_line
from ipymlops.platforms.sagemaker.identity import METADATA, own_role, region_of_machine, roles_for_sagemaker
from ipymlops.platforms.sagemaker.images import registry
from ipymlops.platforms.sagemaker.problems import answers

REPOSITORIES = 10
"""So many of the account's are looked into."""
STOCK_WILL_DO = "the newest of your own; without one AWS's own is taken, for what the code imports and the machine"


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
    yield from _image(there)


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


def _image(aws: Aws) -> Iterator[Proposal]:
    """The newest of the account's own, of some repositories; an offer, as the stock one follows code and machine."""
    if aws.settings.get("image"):
        return
    try:
        with answers("the account's images cannot be listed"):
            rows = list(_own_images(aws.client("ecr")))
    except PlatformProblem:
        return
    if rows:
        _, repository, tag = max(rows)
        image = f"{registry(aws, aws.account(), aws.region)}/{repository}:{tag}"
        yield Proposal("image", image, STOCK_WILL_DO, is_optional=True)


def _own_images(ecr: Any) -> Iterator[tuple[datetime, str, str]]:
    """(when it was pushed, its repository, a tag of it)."""
    for one in ecr.describe_repositories(maxResults=REPOSITORIES)["repositories"]:
        name = one["repositoryName"]
        for row in ecr.describe_images(repositoryName=name, filter={"tagStatus": "TAGGED"})["imageDetails"]:
            yield row["imagePushedAt"], name, row["imageTags"][0]


def create(aws: Aws, proposal: Proposal) -> None:
    """Make the bucket."""
    make_bucket(aws, proposal.value)
