"""The image that a job runs, by its digest: a tag may mean another one by the time that the job is sent."""

from __future__ import annotations

import re
from dataclasses import replace
from threading import Thread

from ipymlops.errors import IpymlopsError
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.image_checks import REGISTRY, asked_for_image
from ipymlops.platforms.sagemaker.manifests import Stored, stored
from ipymlops.platforms.sagemaker.planning import as_planned, with_request
from ipymlops.platforms.sagemaker.problems import answers
from ipymlops.spec import JobSpec, Plan

PATIENCE_S = 3.0
"""So long a plan waits for the registry."""
NO_ANSWER = "the registry does not answer"
BY_TAG = "the image goes by its tag: what it means now is not known"


def pinned(aws: Aws, spec: JobSpec, plan: Plan) -> Plan:
    """The plan with the digest in place of the tag, and what could not be seen of the image among its notes."""
    image, aws = plan.image or "", as_planned(aws, spec, plan)
    parts = REGISTRY.fullmatch(image)
    if parts is None or parts["region"] != aws.region_or_none:
        return plan
    found, is_pinned = _seen(aws, parts), bool(parts["digest"])
    if not isinstance(found, Stored):
        return plan if is_pinned else _noted(plan, f"{BY_TAG}; {found}")
    if found.unread:
        plan = _noted(plan, f"the image's processor was not checked: {found.unread}")
    if is_pinned:
        return plan
    repository = image.removesuffix(f":{parts['tag']}")
    noted = _noted(plan, f"the tag {parts['tag'] or 'latest'} means {found.digest} now, and the job runs that")
    return with_request(aws, spec, replace(noted, image=f"{repository}@{found.digest}"))


def _noted(plan: Plan, note: str) -> Plan:
    return replace(plan, notes=(*plan.notes, note))


def _seen(aws: Aws, parts: re.Match[str]) -> Stored | str:
    """The image, or why it cannot be seen. A registry that does not answer never stands in the way of a plan."""
    found: list[Stored | str] = []

    def look() -> None:
        try:
            aws.need_credentials()
            with answers("the image cannot be looked at"):
                found.append(stored(aws, *asked_for_image(parts)))
        except IpymlopsError as problem:
            found.append(problem.why or problem.what)

    looking = Thread(target=look, daemon=True)
    looking.start()
    looking.join(PATIENCE_S)
    return found[0] if found else NO_ANSWER
