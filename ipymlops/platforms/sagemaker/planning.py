"""From what was asked for to exactly what would be sent, and whether it could run: nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ipymlops.errors import PlatformProblem, UsageProblem
from ipymlops.hardware.machines import Machine
from ipymlops.platforms.honoured import refuse_impossible_words
from ipymlops.platforms.sagemaker import secrets
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.bootstrap import bootstrap_sha256
from ipymlops.platforms.sagemaker.buckets import bucket_named
from ipymlops.platforms.sagemaker.choosing import choose, machine_called
from ipymlops.platforms.sagemaker.data import data_of
from ipymlops.platforms.sagemaker.data_checks import check_data
from ipymlops.platforms.sagemaker.image_checks import image_check
from ipymlops.platforms.sagemaker.images import image_of
from ipymlops.platforms.sagemaker.names import slug_of, tags_of, training_job_name
from ipymlops.platforms.sagemaker.refusals import refuse_impossible
from ipymlops.platforms.sagemaker.request import Asked, Sent, shown
from ipymlops.spec import DEFAULT_MAX_RUNTIME_S, JobId, JobSpec, Plan
from ipymlops.units import HOUR_S, duration, usd

_ROLE = re.compile(r"arn:[a-z-]+:iam::(?P<account>\d{12}):role/.+")
SETUP = "ipymlops setup sagemaker"


@dataclass(frozen=True)
class Needed:
    """The settings without which nothing can be sent; `account` is the role's, and must own the bucket."""

    region: str
    role: str
    bucket: str
    account: str


def needed(aws: Aws) -> Needed:
    """Raises `UsageProblem` that names what is missing."""
    role, bucket = aws.settings.get("role"), aws.settings.get("bucket")
    if not role or not bucket:
        missing = " and ".join(name for name, value in (("role", role), ("bucket", bucket)) if not value)
        why = "a training job runs as a role of your account and keeps code and outputs in a bucket"
        raise UsageProblem(f"SageMaker's {missing} is not set; nothing was sent", why=why, fix=SETUP)
    found = _ROLE.fullmatch(role)
    if found is None:
        why = "it reads arn:aws:iam::123456789012:role/NAME"
        raise UsageProblem(f"{role!r} is no role's ARN; nothing was sent", why=why, fix=SETUP)
    return Needed(aws.region, role, bucket, found["account"])


def planned(aws: Aws, spec: JobSpec) -> Plan:
    """What would be sent, as far as settings and tables tell; asks nobody but, once a week, the price list."""
    aws = aws.having(spec.settings)
    _refuse(aws, spec)
    chosen = choose(aws, spec)
    image, image_note = image_of(aws, spec, chosen.machine)
    machine = chosen.machine
    plan = Plan(
        platform="sagemaker",
        machine_type=machine.machine_type,
        accelerator=machine.accelerator,
        accelerator_count=machine.count,
        asked_count=chosen.asked_count,
        nodes=spec.nodes,
        usd_per_hour=None if machine.usd_per_hour is None else machine.usd_per_hour * spec.nodes,
        price_as_of=machine.as_of,
        is_estimate=machine.is_estimate,
        max_runtime_s=spec.max_runtime_s or DEFAULT_MAX_RUNTIME_S,
        max_cost_usd=spec.max_cost_usd,
        image=image,
        notes=(*chosen.notes, image_note, *_notes(aws, spec, machine)),
    )
    return with_request(aws, spec, plan)


def with_request(aws: Aws, spec: JobSpec, plan: Plan) -> Plan:
    """The plan with the request that a submit would make of it."""
    sent = Sent.planned(spec, bootstrap_sha256())
    request = shown(asked_for(aws, spec, plan), plan, sent, secrets.planned(spec.secrets))
    return replace(plan, request=request)


def asked_for(aws: Aws, spec: JobSpec, plan: Plan) -> Asked:
    """The job as its plan has it: the machine and the image are the plan's own."""
    settings = {**aws.settings, "region": aws.region_or_none} if aws.region_or_none else aws.settings
    machine = machine_called(plan.machine_type or "")
    return Asked(spec, settings, data_of(spec.data, settings), machine, plan.image, plan.max_runtime_s)


def as_planned(aws: Aws, spec: JobSpec, plan: Plan) -> Aws:
    """With the settings that the plan was made with: another region by now would be another job."""
    recorded = (plan.request or {}).get("settings")
    return aws.having(spec.settings) if recorded is None else aws.set_to(recorded)


def preflight(aws: Aws, spec: JobSpec, plan: Plan) -> None:
    """Look at everything that can be looked at before a job is recorded, all at once; raises the first trouble."""
    with aws.signed_in():
        _look(as_planned(aws, spec, plan), spec, plan)


def _look(aws: Aws, spec: JobSpec, plan: Plan) -> None:
    aws.need_credentials()
    need = needed(aws)
    looks: list[Callable[[], None]] = [
        lambda: _check_bucket(aws, need),
        lambda: _check_image(aws, replace(spec, image=plan.image)),
        *(lambda one=one: check_data(aws, one) for one in data_of(spec.data, aws.settings)),
        *(lambda one=one: secrets.check(aws, *one) for one in spec.secrets),
    ]
    with ThreadPoolExecutor(len(looks)) as pool:
        for done in [pool.submit(look) for look in looks]:
            done.result()


def _refuse(aws: Aws, spec: JobSpec) -> None:
    refuse_impossible_words(spec)
    refuse_impossible(spec, aws.settings)
    data_of(spec.data, aws.settings)
    secrets.refuse_bad(spec.secrets, aws.env)


def _notes(aws: Aws, spec: JobSpec, machine: Machine) -> Iterator[str]:
    price = machine.usd_per_hour
    missing = [name for name in ("role", "bucket") if not aws.settings.get(name)]
    if aws.region_or_none is None:
        missing.insert(0, "region")
    if missing:
        yield f"not set yet: {', '.join(missing)}; {SETUP} finds them"
    if spec.name and slug_of(spec.name) != spec.name:
        native = training_job_name(spec.name, JobId("ID"))
        yield f"SageMaker calls it {native}: names there are short, of letters, digits and dashes"
    if spec.no_code and not spec.argv:
        yield "without arguments SageMaker starts an image with one: train"
    yield from tags_of(spec.labels)[1]
    if spec.spot:
        yield "spot: the price is the most it can be, that of a machine that stays; the job may wait a day for one"
    if spec.keep_warm_s:
        paid = "" if price is None else f", for up to {usd(price * spec.nodes * spec.keep_warm_s / HOUR_S)} more"
        yield f"the machine is kept for {duration(spec.keep_warm_s)} after the job, and paid{paid}"
    if spec.keep_warm_s and spec.keep_warm_s > HOUR_S:
        yield "some accounts keep a machine for no more than an hour"
    if machine.has_own_disk and aws.settings.get("volume_gib"):
        yield f"this machine has its own disk: volume_gib={aws.settings['volume_gib']} is ignored there"


def _check_bucket(aws: Aws, need: Needed) -> None:
    found = bucket_named(aws, need.bucket)
    if aws.account() != need.account:
        why = f"they are of the account {aws.account()}, and {need.role} of {need.account}"
        raise PlatformProblem("these credentials cannot run jobs as that role; nothing was sent", why=why, fix=SETUP)
    if found is None:
        raise PlatformProblem(f"there is no bucket {need.bucket}; nothing was sent", fix=SETUP)
    if found.is_ours is False:
        why = f"the bucket {need.bucket} is not of the account {need.account}, or may not be seen"
        raise PlatformProblem("the bucket is somebody else's; nothing was sent", why=why, fix=SETUP)
    if found.region and found.region != need.region:
        why = f"it is in {found.region}, and the job would run in {need.region}"
        raise PlatformProblem(f"the bucket {need.bucket} is elsewhere; nothing was sent", why=why, fix=SETUP)


def _check_image(aws: Aws, spec: JobSpec) -> None:
    found = image_check(aws, spec)
    if found.status == "fail":
        raise PlatformProblem(f"{found.what}; nothing was sent", why=found.why, fix=found.fix)
