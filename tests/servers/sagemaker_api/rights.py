"""Who calls, what he may not do, and what the service then says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from html import escape
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from tests.servers.sagemaker_api.answers import QUERY_SERVICES, ServiceError, xml
from tests.servers.sagemaker_api.asked import Asked, resource_of

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

IAM, STS = "https://iam.amazonaws.com/doc/2010-05-08/", "https://sts.amazonaws.com/doc/2011-06-15/"
CALLER_KEY, FRESH_KEY = "ASIAIPYMLOPSCALLER00", "ASIAIPYMLOPSFRESH000"
ROLE_KEY, WITNESS_KEY, WRONG_KEY = "ASIAIPYMLOPSROLE0000", "AKIAIPYMLOPSWITNESS0", "AKIAIPYMLOPSWRONG000"
CLOCK_TOLERANCE_S = 300
_EXPIRED = {
    "s3": ("ExpiredToken", "The provided token has expired.", 400),
    "sts": ("ExpiredToken", "The security token included in the request is expired", 403),
    "iam": ("ExpiredToken", "The security token included in the request is expired", 403),
}
_UNKNOWN = {
    "s3": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
    "sts": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
    "iam": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
}


def who(asked: Asked) -> str:
    """ "caller", "role" or "witness"; a key that is not ours is the caller's."""
    return {ROLE_KEY: "role", WITNESS_KEY: "witness"}.get(asked.access_key, "caller")


def arn_of(api: SageMakerApi, by: str) -> str:
    """As STS tells it: the path of a role is not in it."""
    if by == "witness":
        return f"arn:aws:iam::{api.account}:user/witness"
    role = api.role.rpartition("/")[2] + "/SageMaker" if by == "role" else "Developer/someone@example.com"
    return f"arn:aws:sts::{api.account}:assumed-role/{role}"


def check_signed_in(api: SageMakerApi, asked: Asked) -> None:
    """Raise what the service says to a key that has expired, is unknown, or is missing."""
    if not asked.access_key:
        if asked.service == "s3":
            raise ServiceError("AccessDenied", "Access Denied", 403)
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if api.faults.expire_token and asked.access_key == CALLER_KEY:
        text = "The security token included in the request is expired"
        raise ServiceError(*_EXPIRED.get(asked.service, ("ExpiredTokenException", text, 400)))
    if asked.access_key == WRONG_KEY:
        text = "The security token included in the request is invalid."
        raise ServiceError(*_UNKNOWN.get(asked.service, ("UnrecognizedClientException", text, 400)))
    _check_clock(api, asked)


def _check_clock(api: SageMakerApi, asked: Asked) -> None:
    """Raise where the caller's clock, which is in the signature, differs too much from the service's."""
    signed = asked.headers.get("X-Amz-Date")
    if signed is None:
        return
    at = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    if abs(at - api.now()) <= CLOCK_TOLERANCE_S:
        return
    if asked.service == "s3":
        text = "The difference between the request time and the current time is too large."
        raise ServiceError("RequestTimeTooSkewed", text, 403)
    now = datetime.fromtimestamp(api.now(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    code = "SignatureDoesNotMatch" if asked.service in QUERY_SERVICES else "InvalidSignatureException"
    raise ServiceError(code, f"Signature expired: {signed} is now earlier than {now}", 403)


def check_allowed(api: SageMakerApi, asked: Asked, needed: Iterable[tuple[str, str]]) -> None:
    """Raise AccessDenied for the first right that is denied; `needed` are (right, ARN)."""
    for right, arn in needed:
        if is_denied(api, who(asked), right):
            raise _denied(api, asked, right, arn)


def needed_for(asked: Asked, account: str) -> Iterator[tuple[str, str]]:
    """The rights of a call: its own, then those that it needs beside it."""
    yield f"{asked.service}:{asked.action}", resource_of(asked, account)
    if asked.service == "sagemaker" and asked.action == "CreateTrainingJob":
        asked.also.append(("iam:PassRole", str(asked.input.get("RoleArn"))))
        if asked.input.get("Tags"):
            asked.also.append(("sagemaker:AddTags", resource_of(asked, account)))
    if asked.service == "secretsmanager" and asked.action == "CreateSecret" and asked.input.get("Tags"):
        asked.also.append(("secretsmanager:TagResource", resource_of(asked, account)))
    key = asked.headers.get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
    if key:
        asked.also.append(("kms:GenerateDataKey", key))
    yield from asked.also


def is_denied(api: SageMakerApi, by: str, right: str) -> bool:
    """Who one is may always be asked."""
    if right == "sts:GetCallerIdentity":
        return False
    patterns = {"caller": api.faults.denied, "role": api.faults.denied_to_role}.get(by, set())
    return any(fnmatchcase(right, pattern) for pattern in patterns)


def caller_identity(api: SageMakerApi, asked: Asked) -> Response:
    arn = arn_of(api, who(asked))
    content = f"<Arn>{escape(arn)}</Arn><UserId>AROA000000000EXAMPLE:x</UserId><Account>{api.account}</Account>"
    return xml("GetCallerIdentity", STS, content)


def simulated(api: SageMakerApi, asked: Asked) -> Response:
    """SimulatePrincipalPolicy: what the two sets of denied rights make of each action."""
    source = asked.input.get("PolicySourceArn", "")
    if ":assumed-role/" in source or not source.startswith("arn:aws:iam::"):
        raise ServiceError(
            "InvalidInput", f"Invalid Entity Arn: {source} does not clearly define entity type and name."
        )
    by = "role" if source == api.role else "caller"
    arns = _members(asked, "ResourceArns") or ["*"]
    results = [_result(api, by, action, arn) for action in _members(asked, "ActionNames") for arn in arns]
    inner = f"<IsTruncated>false</IsTruncated><EvaluationResults>{''.join(results)}</EvaluationResults>"
    return xml("SimulatePrincipalPolicy", IAM, inner)


def _members(asked: Asked, name: str) -> list[str]:
    prefix = f"{name}.member."
    return [value for key, value in asked.input.items() if key.startswith(prefix)]


def _result(api: SageMakerApi, by: str, action: str, arn: str) -> str:
    decision = "implicitDeny" if is_denied(api, by, action) else "allowed"
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(arn)}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision><MatchedStatements/><MissingContextValues/></member>"
    )


def _denied(api: SageMakerApi, asked: Asked, right: str, arn: str) -> ServiceError:
    text = (
        f"User: {arn_of(api, who(asked))} is not authorized to perform: {right} on resource: {arn} "
        f"because no identity-based policy allows the {right} action"
    )
    if asked.service in ("s3", "iam"):
        return ServiceError("AccessDenied", text, 403)
    if asked.service == "ec2":
        return ServiceError("UnauthorizedOperation", text, 403)
    return ServiceError("AccessDeniedException", text)
