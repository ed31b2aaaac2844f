"""Whether the image of a job can be pulled where it runs, and of what kind its manifest is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from botocore.exceptions import ClientError

from ipymlops.nearest import nearest
from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import machine_for
from ipymlops.platforms.sagemaker.images import image_of, registry
from ipymlops.platforms.sagemaker.manifests import Stored, stored
from ipymlops.platforms.sagemaker.problems import answers, is_denied, is_not_found, text_of
from ipymlops.spec import JobSpec

ID = "sagemaker.image"
REGISTRY = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
GALLERY = "public.ecr.aws/"
PROCESSOR = "amd64"
TAGS = 5
"""So many tags of a repository are named."""


def image_check(aws: Aws, spec: JobSpec) -> Check:
    """The image of the line or the settings, else the stock one; `fail` where a job could not pull it."""
    image, _ = image_of(aws, spec, machine_for(spec))
    if not image:
        return Check(ID, "unknown", "no image is named, and no stock one is known here", why="--image IMAGE names one")
    parts = REGISTRY.fullmatch(image)
    if image.startswith(GALLERY):
        why = "its use for training is not proven; in a registry of your own it is"
        return Check(ID, "warn", f"the image {image} is in the public gallery", why=why, fix=_mirror_line(aws, image))
    if parts is None:
        why = "SageMaker takes images from the registry (ECR) of the region that a job runs in"
        return Check(ID, "fail", f"the image {image} is in no such registry", why=why, fix=_mirror_line(aws, image))
    if parts["region"] != aws.region:
        why = f"it is in {parts['region']}, and jobs run in {aws.region}"
        return Check(ID, "fail", f"the image {image} is elsewhere", why=why, fix=_mirror_line(aws, image))
    return _in_registry(aws, image, parts)


def asked_for_image(parts: re.Match[str]) -> tuple[dict[str, str], dict[str, str]]:
    """How ECR is asked for it: (the registry and the repository, the digest or the tag)."""
    by = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"] or "latest"}
    return {"registryId": parts["account"], "repositoryName": parts["repository"]}, by


def _in_registry(aws: Aws, image: str, parts: re.Match[str]) -> Check:
    names, by = asked_for_image(parts)
    with answers(f"the image {image} cannot be looked at"):
        try:
            return _there(image, stored(aws, names, by))
        except ClientError as error:
            if is_denied(error):
                why = f"ecr:DescribeImages: {text_of(error)}"
                return Check(ID, "unknown", f"whether the image {image} is there is not known", why=why)
            if not is_not_found(error):
                raise
            return _missing(aws, image, names, by.get("imageTag", ""), text_of(error))


def _missing(aws: Aws, image: str, names: Mapping[str, str], tag: str, why: str) -> Check:
    """With the tags that there are, the nearest first."""
    tags = _tags(aws, names)
    near = nearest(tag, tags) if tag else None
    there = f"; there are {_list(tags)}" if tags else ""
    what = f"there is no image {image}"
    if near:
        fix = f"--image {image.partition(':')[0]}:{near}"
        return Check(ID, "fail", what, why=f"did you mean {near}?{there}", fix=fix)
    look = f"aws ecr describe-images --registry-id {names['registryId']} --repository-name {names['repositoryName']}"
    return Check(ID, "fail", what, why=why + there, fix=f"{look} --region {aws.region}")


def _list(tags: list[str]) -> str:
    more = f" and {len(tags) - TAGS} more" if len(tags) > TAGS else ""
    return ", ".join(tags[:TAGS]) + more


def _tags(aws: Aws, names: Mapping[str, str]) -> list[str]:
    """Those of a page of the repository's images, the newest first; none where there is no such repository."""
    try:
        page = aws.client("ecr").describe_images(**names, filter={"tagStatus": "TAGGED"}, maxResults=100)
    except ClientError:
        return []
    rows = sorted(page["imageDetails"], key=lambda row: str(row.get("imagePushedAt", "")), reverse=True)
    return [tag for row in rows for tag in row.get("imageTags", ())]


def _there(image: str, found: Stored) -> Check:
    """What is known of the manifest: with the type of the open standard training is not proven."""
    if found.processors and PROCESSOR not in found.processors:
        why = f"it is for {', '.join(found.processors)}, and the machines for training have {PROCESSOR}"
        fix = f"docker buildx build --platform linux/{PROCESSOR} --provenance=false --push -t {shlex.quote(image)} ."
        return Check(ID, "fail", f"the image {image} cannot run", why=why, fix=fix)
    what = f"the image {image} is there{f'; {found.media_type}' if found.media_type else ''}"
    unread = f"its processor was not checked: {found.unread}" if found.unread else ""
    if ".oci." in found.media_type:
        why = "endpoints refuse this type, and whether training takes it is not proven"
        return Check(ID, "warn", what, why="; ".join(filter(None, (why, unread))), fix=_docker_type_line(image))
    return Check(ID, "unknown" if unread else "ok", what, why=unread)


def _docker_type_line(image: str) -> str:
    build = f"docker buildx build --platform linux/{PROCESSOR} --provenance=false --output type=docker"
    return f"{build} -t {shlex.quote(image)} . && docker push {shlex.quote(image)}"


def _mirror_line(aws: Aws, image: str) -> str:
    """A shell line that copies the image into this account's registry."""
    name = image.partition("@")[0].rpartition("/")[2]
    host, repository = registry(aws, aws.account(), aws.region), name.partition(":")[0]
    source, target = shlex.quote(image), shlex.quote(f"{host}/{name}")
    make = f"aws ecr create-repository --region {aws.region} --repository-name {shlex.quote(repository)}"
    sign_in = f"aws ecr get-login-password --region {aws.region} | docker login -u AWS --password-stdin {host}"
    copy = f"docker pull --platform linux/{PROCESSOR} {source} && docker tag {source} {target} && docker push {target}"
    return f"{make}; {sign_in} && {copy}"
