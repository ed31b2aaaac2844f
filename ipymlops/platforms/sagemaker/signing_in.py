"""The first checks of `doctor sagemaker`: the library, the region, the credentials, the clock."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import botocore
from botocore.exceptions import ClientError

from ipymlops.errors import IpymlopsError
from ipymlops.nearest import nearest
from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.identity import Caller
from ipymlops.platforms.sagemaker.problems import SET_CLOCK, SKEW_FAIL_S, answers, clock_off_s, clock_words

FIELDS = {
    "AlgorithmSpecification": ("ContainerEntrypoint", "ContainerArguments"),
    "ResourceConfig": ("KeepAlivePeriodInSeconds",),
    "StoppingCondition": ("MaxWaitTimeInSeconds",),
}
"""What our requests say and older libraries refuse."""
SKEW_WARN_S = 60
SOON_S = 900


def library_check(aws: Aws) -> Check:
    """By what it knows, not by its version."""
    model = aws.session().get_service_model("sagemaker")
    missing = [
        f"{shape}.{field}"
        for shape, fields in FIELDS.items()
        for field in fields
        if field not in model.shape_for(shape).members
    ]
    if not missing:
        return Check("sagemaker.library", "ok", f"botocore {botocore.__version__} knows what jobs need")
    why = f"it has no {', '.join(missing)}"
    fix = "pip install --upgrade 'ipymlops[sagemaker]'"
    return Check("sagemaker.library", "fail", f"botocore {botocore.__version__} is too old", why=why, fix=fix)


def region_check(aws: Aws) -> Check:
    region = aws.region_or_none
    if region is None:
        why = "neither the setting sagemaker.region nor the AWS configuration names one; none is guessed"
        fix = "ipymlops setup sagemaker --set region=us-east-1"
        return Check("sagemaker.region", "fail", "no AWS region is set", why=why, fix=fix)
    session = aws.session()
    known = [
        one
        for partition in session.get_available_partitions()
        for one in session.get_available_regions("sagemaker", partition)
    ]
    if region in known:
        return Check("sagemaker.region", "ok", f"the region is {region}")
    near = nearest(region, known)
    if near is None:
        why = "this version of the AWS library does not list it; a newer region works all the same"
        return Check("sagemaker.region", "unknown", f"the region is {region}", why=why)
    fix = f"ipymlops setup sagemaker --set region={near}"
    return Check("sagemaker.region", "fail", f"there is no region {region}", why=f"did you mean {near}?", fix=fix)


def identity_checks(aws: Aws) -> tuple[Caller | None, tuple[Check, ...]]:
    """Who asks, None where AWS does not say; and what the clock is worth, by the Date of the same answer."""
    try:
        with answers("AWS does not say whose these credentials are"):
            told = aws.client("sts").get_caller_identity()
    except IpymlopsError as error:
        answer = error.__cause__.response if isinstance(error.__cause__, ClientError) else {}
        why = f"{error.why}; the region {aws.region} may not be enabled for the account"
        checks = (Check("sagemaker.identity", "fail", error.what, why, error.fix), *_clock_checks(answer))
        return None, checks
    who = Caller(told["Account"], told["Arn"])
    return who, (identity_check(aws, who), *_clock_checks(told))


def identity_check(aws: Aws, who: Caller) -> Check:
    what = f"signed in as {who.arn}, account {who.account}"
    ends = getattr(aws.session().get_credentials(), "_expiry_time", None)
    if not isinstance(ends, datetime):
        return Check("sagemaker.identity", "ok", what)
    left_s = (ends - datetime.now(timezone.utc)).total_seconds()
    what = f"{what}; the credentials hold until {ends.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    if left_s > SOON_S:
        return Check("sagemaker.identity", "ok", what)
    why = "they are renewed by themselves only while the sign-in behind them holds"
    return Check("sagemaker.identity", "warn", what, why=why, fix="aws sso login")


def _clock_checks(answer: Any) -> tuple[Check, ...]:
    """How far this machine's clock is from the service's; nothing where no answer tells."""
    off_s = clock_off_s(answer)
    if off_s is None:
        return ()
    if abs(off_s) < SKEW_WARN_S:
        return (Check("sagemaker.clock", "ok", "the clock agrees with AWS"),)
    return (
        Check(
            "sagemaker.clock",
            "fail" if abs(off_s) >= SKEW_FAIL_S else "warn",
            f"the clock is {clock_words(off_s)} AWS",
            why="AWS refuses requests that are signed five minutes off",
            fix=SET_CLOCK,
        ),
    )
