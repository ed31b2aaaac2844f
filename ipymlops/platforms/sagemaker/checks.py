"""What `doctor sagemaker` looks at, in the order in which one thing needs the other. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ipymlops.errors import IpymlopsError, UsageProblem
from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker import signing_in
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.buckets import bucket_named
from ipymlops.platforms.sagemaker.choosing import machine_for, offers
from ipymlops.platforms.sagemaker.identity import Caller, role_named, roles_for_sagemaker
from ipymlops.platforms.sagemaker.image_checks import image_check
from ipymlops.platforms.sagemaker.key_checks import key_check
from ipymlops.platforms.sagemaker.network import network_check
from ipymlops.platforms.sagemaker.policies import Names, Right, Verdict, policy, rights_of
from ipymlops.platforms.sagemaker.probes import probed
from ipymlops.platforms.sagemaker.quotas import machine_check, summary_check
from ipymlops.platforms.sagemaker.rights import rights_check, simulated
from ipymlops.spec import JobSpec

SETUP_LINE = "ipymlops setup sagemaker --yes"
OF_SETUP = frozenset({"Setup", "SetupBucket"})
"""Statements that only `setup` needs."""


def checks(aws: Aws, spec: JobSpec | None = None) -> Iterator[Check]:
    """The library, region and credentials; once these are right, everything of the account.

    Args:
        spec: A job whose machine is to be looked at; None looks at all machines with a GPU.
    """
    yield signing_in.library_check(aws)
    region = signing_in.region_check(aws)
    yield region
    if region.status == "fail":
        return
    who, seen = signing_in.identity_checks(aws)
    yield from seen
    if who is not None:
        yield from _of_account(aws, who, spec or JobSpec(script=None))


def _of_account(aws: Aws, who: Caller, spec: JobSpec) -> Iterator[Check]:
    yield _tried("sagemaker.role", lambda: role_check(aws))
    yield _tried("sagemaker.bucket", lambda: bucket_check(aws))
    bucket, key = aws.settings.get("bucket"), aws.settings.get("kms_key")
    if bucket and key:
        yield _tried("sagemaker.key", lambda: key_check(aws, bucket, key))
    yield _tried("sagemaker.rights", lambda: caller_rights_check(aws, who))
    yield _tried("sagemaker.role_rights", lambda: role_rights_check(aws))
    yield _tried("sagemaker.image", lambda: image_check(aws, spec))
    yield _tried("sagemaker.quota", lambda: quota_check(aws, spec))
    yield _tried("sagemaker.network", lambda: network_check(aws))


def _tried(check_id: str, look: Callable[[], Check]) -> Check:
    """One thing that cannot be looked at is unknown, and the others are looked at all the same."""
    try:
        return look()
    except UsageProblem as wrong:
        return Check(check_id, "fail", wrong.what, wrong.why, wrong.fix)
    except IpymlopsError as error:
        return Check(check_id, "unknown", error.what, error.why, error.fix)


def role_check(aws: Aws) -> Check:
    role = aws.settings.get("role")
    if not role:
        return _no_role(aws)
    if not role.startswith("arn:"):
        fix = f"aws iam get-role --role-name {role} --query Role.Arn"
        return Check("sagemaker.role", "fail", f"the role {role} is no ARN", why="a name alone lacks its path", fix=fix)
    found = role_named(aws, role.rpartition("/")[2])
    if found is None:
        return Check(
            "sagemaker.role", "unknown", f"jobs run as {role}", why="IAM may not be asked, or has no such role"
        )
    if not found.is_for_sagemaker:
        return Check(
            "sagemaker.role",
            "fail",
            f"SageMaker may not assume {role}",
            why="its trust policy does not name sagemaker.amazonaws.com",
            fix=f"aws iam update-assume-role-policy --role-name {role.rpartition('/')[2]} --policy-document '{TRUST}'",
        )
    return Check("sagemaker.role", "ok", f"jobs run as {role}")


TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
)


def _no_role(aws: Aws) -> Check:
    try:
        there = list(roles_for_sagemaker(aws))
    except IpymlopsError:
        there = []
    if there:
        why = f"SageMaker may assume {', '.join(there)}"
        fix = f"ipymlops setup sagemaker --set role={there[0]}"
    else:
        why = "no role that can be seen from here may be assumed by SageMaker; the platform's README has its policy"
        fix = f"aws iam create-role --role-name ipymlops-jobs --assume-role-policy-document '{TRUST}'"
    return Check("sagemaker.role", "fail", "no role is set that jobs run as", why=why, fix=fix)


def bucket_check(aws: Aws) -> Check:
    name = aws.settings.get("bucket")
    if not name:
        why = "code, configuration and outputs of jobs lie there"
        return Check("sagemaker.bucket", "fail", "no bucket is set", why=why, fix=SETUP_LINE)
    bucket = bucket_named(aws, name)
    if bucket is None:
        return Check("sagemaker.bucket", "fail", f"there is no bucket {name}", why="S3 has none", fix=SETUP_LINE)
    if bucket.is_ours is False:
        why = f"its owner is not {aws.account()}, the account of these credentials"
        return Check("sagemaker.bucket", "fail", f"the bucket {name} is another account's", why=why, fix=SETUP_LINE)
    if bucket.region and bucket.region != aws.region:
        why = f"it is in {bucket.region}, and a job reads only buckets of its own region, {aws.region}"
        return Check("sagemaker.bucket", "fail", f"the bucket {name} is elsewhere", why=why, fix=SETUP_LINE)
    if bucket.is_ours is None:
        why = "S3 tells nothing of it: another account's, or s3:ListBucket is missing"
        return Check("sagemaker.bucket", "unknown", f"the bucket {name} cannot be looked at", why=why)
    return Check("sagemaker.bucket", "ok", f"the bucket {name} is this account's, in {aws.region}")


def caller_rights_check(aws: Aws, who: Caller) -> Check:
    if who.arn.endswith(":root"):
        return Check("sagemaker.rights", "ok", "the root user of the account may do everything")
    name, document = who.role_name, policy("caller", names_of(aws, who.arn, who.account))
    role = role_named(aws, name) if name else None
    principal = role.arn if role else None if name else who.arn
    rights = [right for right in rights_of(document) if _is_asked(right, aws)]
    verdict = (simulated(aws, principal, rights) if principal else None) or probed(
        aws, aws.settings.get("bucket"), rights
    )
    return rights_check("sagemaker.rights", who.arn, principal or who.iam_arn, document, verdict)


def role_rights_check(aws: Aws) -> Check:
    role = aws.settings.get("role")
    if not role or not role.startswith("arn:"):
        return Check("sagemaker.role_rights", "unknown", "no role is set that jobs run as, or not by its ARN")
    document = policy("execution", names_of(aws, role, role.split(":")[4]))
    rights = [right for right in rights_of(document) if right.is_asked_with(aws.settings)]
    verdict = simulated(aws, role, rights) or Verdict(unknown=tuple(rights))
    return rights_check("sagemaker.role_rights", f"the role of jobs, {role},", role, document, verdict)


def _is_asked(right: Right, aws: Aws) -> bool:
    return right.sid not in OF_SETUP and right.is_asked_with(aws.settings)


def names_of(aws: Aws, arn: str, account: str) -> Names:
    """What the policies' capital words stand for here."""
    partition = arn.split(":")[1]
    return Names(
        partition=partition,
        account=account,
        bucket=aws.settings.get("bucket") or "*",
        role=aws.settings.get("role") or "*",
        key=_key_arn(aws.settings.get("kms_key", ""), partition, account),
    )


def _key_arn(key: str, partition: str, account: str) -> str:
    """The setting as policies name a key: an alias means nothing there, so any key of the account is meant."""
    if key.startswith("arn:") and ":alias/" not in key:
        return key
    return f"arn:{partition}:kms:*:{account}:key/{'*' if 'alias/' in key or not key else key}"


def quota_check(aws: Aws, spec: JobSpec) -> Check:
    if spec.gpu or spec.machine_type:
        return machine_check(aws, machine_for(spec).machine_type, spec)
    return summary_check(aws, (one.machine_type for one in offers(aws)))
