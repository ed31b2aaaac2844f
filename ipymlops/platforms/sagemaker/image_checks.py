"""Whether the image that is set can be pulled from here, and of what kind its manifest is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import machine_for
from ipymlops.platforms.sagemaker.images import image_of
from ipymlops.platforms.sagemaker.problems import answers, is_denied, is_not_found, text_of
from ipymlops.spec import JobSpec

ID = "sagemaker.image"
REGISTRY = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def image_check(aws: Aws, spec: JobSpec) -> Check:
    """The image of the line or the settings, else the stock one."""
    image, _ = image_of(aws, spec, machine_for(spec))
    if not image:
        return Check(ID, "unknown", "no image is named, and no stock one is known here", why="--image IMAGE names one")
    parts = REGISTRY.fullmatch(image)
    if parts is None:
        why = "SageMaker takes images from the registry (ECR) of the region that a job runs in"
        return Check(ID, "warn", f"the image {image} is in no such registry", why=why, fix=_push_line(aws, image))
    if parts["region"] != aws.region:
        why = f"it is in {parts['region']}, and jobs run in {aws.region}"
        return Check(ID, "fail", f"the image {image} is elsewhere", why=why, fix=_push_line(aws, image))
    return _in_registry(aws, image, parts.groupdict())


def _in_registry(aws: Aws, image: str, parts: Mapping[str, str | None]) -> Check:
    by = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"] or "latest"}
    names = {"registryId": parts["account"], "repositoryName": parts["repository"]}
    with answers(f"the image {image} cannot be looked at"):
        try:
            found = aws.client("ecr").describe_images(**names, imageIds=[by])["imageDetails"]
        except ClientError as error:
            if is_denied(error):
                why = f"ecr:DescribeImages: {text_of(error)}"
                return Check(ID, "unknown", f"whether the image {image} is there is not known", why=why)
            if not is_not_found(error):
                raise
            fix = f"aws ecr describe-images --registry-id {parts['account']} --repository-name {parts['repository']}"
            return Check(
                ID, "fail", f"there is no image {image}", why=text_of(error), fix=f"{fix} --region {aws.region}"
            )
    return Check(ID, "ok", f"the image {image} is there{_kind(found[0])}")


def _kind(detail: Mapping[str, Any]) -> str:
    """The manifest's type, and what is known of it: endpoints refuse one of the open standard."""
    media = detail.get("imageManifestMediaType")
    if not media:
        return ""
    return f"; {media}" + (", which endpoints refuse" if ".oci." in media else "")


def _push_line(aws: Aws, image: str) -> str:
    name = image.rpartition("/")[2]
    target = f"{aws.account()}.dkr.ecr.{aws.region}.amazonaws.com/{name}"
    return f"docker tag {image} {target} && docker push {target}"
