"""What an AWS client raises, as our errors: by its code, never by an English phrase where a code will do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as boto

from ipymlops.errors import IpymlopsError, NotSignedIn, PlatformProblem, QuotaExceeded, Unreachable, UsageProblem

THROTTLED = frozenset(
    {
        *("Throttling", "ThrottledException", "TooManyRequests", "RequestLimitExceeded", "LimitExceeded", "SlowDown"),
        *("ProvisionedThroughputExceeded", "RequestThrottled", "TransactionInProgress", "BandwidthLimitExceeded"),
    }
)
SIGNED_OUT = frozenset(
    {
        *("ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        *("RequestExpired", "AuthFailure", "InvalidToken", "MissingAuthenticationToken", "TokenRefreshRequired"),
        *("ExpiredTokenException", "InvalidSignature", "IncompleteSignature", "RequestTimeTooSkewed"),
    }
)
NO_ANSWER = frozenset(
    {"RequestTimeout", "InternalFailure", "InternalError", "InternalServerError", "ServiceUnavailable", "Unavailable"}
)
QUOTA = frozenset({"ResourceLimitExceeded"})
UNSAID = {"HeadObject": "it needs s3:GetObject and s3:ListBucket", "HeadBucket": "it needs s3:ListBucket"}
"""What an answer without a body does not say."""
SIGN_IN = "aws sso login   (or: aws configure)"
SET_CLOCK = "sudo timedatectl set-ntp true"
SKEW_FAIL_S = 240
"""AWS refuses a request that is signed five minutes off."""


def code_of(error: boto.ClientError) -> str:
    """The error's code without the `Exception` that some services add."""
    return str(error.response.get("Error", {}).get("Code", "")).removesuffix("Exception")


def text_of(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) or str(error)


def http_status_of(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_not_found(error: boto.ClientError) -> bool:
    """SageMaker says "not found" with the code of any wrong value; only its text tells the two apart."""
    if code_of(error) in {
        "ResourceNotFound",
        "NoSuchKey",
        "NoSuchBucket",
        "404",
        "NotFound",
        "RepositoryNotFound",
        "ImageNotFound",
    }:
        return True
    return code_of(error) == "Validation" and "not found" in text_of(error).lower()


def is_denied(error: boto.ClientError) -> bool:
    return code_of(error) in {"AccessDenied", "403", "Forbidden", "UnauthorizedOperation", "NotAuthorized"}


def clock_off_s(answer: Mapping[str, Any]) -> float | None:
    """Seconds that this machine's clock is ahead of an answer's; None where it has no date."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return (datetime.now(timezone.utc) - parsedate_to_datetime(date)).total_seconds() if date else None


def clock_words(off_s: float) -> str:
    return f"{abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'}"


@contextmanager
def answers(what: str) -> Iterator[None]:
    """Turn what a client raises inside into our errors.

    Args:
        what: What could not be done, as a sentence without its end: "the job could not be started".
    """
    try:
        yield
    except (boto.ClientError, boto.BotoCoreError, OSError) as error:
        raise translated(error, what) from error


def translated(error: Exception, what: str) -> IpymlopsError:
    """One of ours: `NotSignedIn`, `QuotaExceeded`, `Unreachable` where it may have happened, else `PlatformProblem`."""
    if isinstance(error, boto.ClientError):
        return _answered(error, what)
    if isinstance(error, boto.NoRegionError):
        return UsageProblem(f"{what}: no AWS region is set", why=str(error), fix="ipymlops setup sagemaker")
    if isinstance(error, _NO_CONFIGURATION):
        return NotSignedIn(what, why=str(error), fix="aws configure list-profiles   (AWS_PROFILE names one)")
    if isinstance(error, _NO_CREDENTIALS):
        return NotSignedIn(f"{what}: not signed in to AWS", why=str(error), fix=SIGN_IN)
    if isinstance(error, _NOT_SENT):
        return PlatformProblem(f"{what}: the request is not as AWS wants it", why=str(error))
    return Unreachable(f"{what}: no answer from AWS", why=str(error) or repr(error), fix="ipymlops doctor sagemaker")


_NO_CONFIGURATION: tuple[type[Exception], ...] = (
    boto.ProfileNotFound,
    boto.ConfigNotFound,
    boto.ConfigParseError,
)
_NO_CREDENTIALS: tuple[type[Exception], ...] = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.TokenRetrievalError,
    boto.UnauthorizedSSOTokenError,
    boto.SSOTokenLoadError,
)
_NOT_SENT: tuple[type[Exception], ...] = (boto.ParamValidationError, boto.UnknownParameterError, boto.ConfigParseError)


def _not_signed_in(error: boto.ClientError, what: str, why: str) -> NotSignedIn:
    off_s = clock_off_s(error.response) or 0.0
    if abs(off_s) < SKEW_FAIL_S:
        return NotSignedIn(f"{what}: AWS does not accept these credentials", why=why, fix=SIGN_IN)
    why = f"this machine's clock is {clock_words(off_s)} AWS, and what is signed five minutes off is refused; {why}"
    return NotSignedIn(f"{what}: AWS does not accept what this machine signs", why=why, fix=SET_CLOCK)


def _answered(error: boto.ClientError, what: str) -> IpymlopsError:
    code, text, status = code_of(error), text_of(error), http_status_of(error)
    why = f"{code}: {text}" if code else text
    if code in SIGNED_OUT:
        return _not_signed_in(error, what, why)
    if code in QUOTA:
        return QuotaExceeded(f"{what}: the account's quota is reached", why=text, fix="ipymlops doctor sagemaker")
    if code in THROTTLED or status == 429:  # noqa: PLR2004 - too many requests
        return Unreachable(f"{what}: AWS asks to go slower", why=why)
    if code in NO_ANSWER or status >= 500:  # noqa: PLR2004 - the server's own trouble
        return Unreachable(f"{what}: AWS had an error of its own", why=why)
    if is_denied(error):
        why = UNSAID.get(error.operation_name, text)
        return PlatformProblem(f"{what}: these credentials may not do that", why=why, fix="ipymlops doctor sagemaker")
    return PlatformProblem(what, why=why, fix="ipymlops doctor sagemaker")
