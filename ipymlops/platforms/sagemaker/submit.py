"""Starting a training job exactly once, however often the submit is cut off, answered twice, or repeated.

The name ends with the job's id and is used once, so the service itself keeps a second one out. What an answer leaves
open is asked with DescribeTrainingJob; what even that leaves open is `Unreachable`, and asked for again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ipymlops.errors import PlatformProblem, QuotaExceeded, Unreachable, UsageProblem
from ipymlops.platforms.sagemaker import secrets
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.bootstrap import bootstrap_files, bootstrap_sha256
from ipymlops.platforms.sagemaker.layout import JobKeys, code_prefix, launcher_prefix, s3_uri
from ipymlops.platforms.sagemaker.names import training_job_name
from ipymlops.platforms.sagemaker.planning import Needed, as_planned, asked_for, needed
from ipymlops.platforms.sagemaker.problems import code_of, is_not_found, translated
from ipymlops.platforms.sagemaker.reference import read_reference
from ipymlops.platforms.sagemaker.request import Sent, launch_config, training_job
from ipymlops.platforms.sagemaker.uploads import Uploads
from ipymlops.spec import CodeArchive, JobId, JobSpec, Plan, PlatformRef

WHAT = "the training job could not be started"
SETTLING_S = 60.0
"""So long after the first try to start it, a job that is not seen may still come into being."""


@dataclass(frozen=True)
class Order:
    """What a submit is given."""

    job_id: JobId
    name: str
    spec: JobSpec
    code: CodeArchive | None
    plan: Plan


def submitted(aws: Aws, order: Order) -> PlatformRef:
    """The reference of the one training job of this id, started now or before."""
    with aws.signed_in():
        return _submitted(as_planned(aws, order.spec, order.plan), order)


def found(aws: Aws, order: Order) -> PlatformRef | None:
    """The reference of the training job of this id, None if there is none; nothing is started.

    Raises: `Unreachable` where it cannot be seen, or may come into being yet.
    """
    with aws.signed_in():
        aws = as_planned(aws, order.spec, order.plan)
        need, name = needed(aws), training_job_name(order.name, order.job_id)
        told = _told(aws, need, name)
        if told is not None:
            return _reference(told["TrainingJobArn"], name) if _is_of(told, order.job_id) else None
        claimed_at = _claimed_at(Uploads(aws, need.bucket, need.account), JobKeys(order.job_id))
        if time.time() - claimed_at < SETTLING_S:
            why = "it may have been asked for a moment ago, and not be seen yet"
            raise Unreachable(f"whether {name} was started cannot be seen", why=why)
        return None


def _submitted(aws: Aws, order: Order) -> PlatformRef:
    need, keys = needed(aws), JobKeys(order.job_id)
    uploads = Uploads(aws, need.bucket, need.account)
    claim = {"name": order.name, "at": time.time()}
    if not uploads.claim(keys.claim, json.dumps(claim).encode()):
        ours = _ours(aws, need, training_job_name(order.name, order.job_id), order.job_id)
        if ours is not None:
            return ours
        _refuse_second_run(uploads, keys, need)
    return _started(aws, uploads, order)


def _claimed_at(uploads: Uploads, keys: JobKeys) -> float:
    """When the first try began, in epoch seconds; 0 where none did."""
    content = uploads.read(keys.claim)
    return 0.0 if content is None else float(json.loads(content)["at"])


def _started(aws: Aws, uploads: Uploads, order: Order) -> PlatformRef:
    code, spec = order.code, order.spec
    sent = Sent.now(
        order.job_id,
        order.name,
        launcher_sha256=bootstrap_sha256(),
        code_sha256=code.sha256 if code else None,
        commit=code.commit if code else None,
        submitted_at=time.time(),
    )
    try:
        asked = asked_for(aws, spec, order.plan)
        if not spec.no_code:
            places = _secrets(aws, uploads, order)
            config = None if places is None else launch_config(asked, order.plan, sent, places)
            _send(uploads, sent, code, config)
        return _created(aws, training_job(asked, sent), order.job_id)
    except (QuotaExceeded, Unreachable):
        raise
    except PlatformProblem as problem:
        problem.why += _left(uploads, sent, secrets.names_of(aws, spec.secrets))
        raise


def _secrets(aws: Aws, uploads: Uploads, order: Order) -> secrets.Places | None:
    """Where the job finds its secrets; None where they are not to be had here and an earlier try has said it."""
    try:
        return secrets.sent(aws, order.spec.secrets)
    except UsageProblem as missing:
        if uploads.is_any_below(JobKeys(order.job_id).config):
            return None
        # Without that object nothing was ever created, so this ends the job.
        raise PlatformProblem(f"{WHAT}: {missing.what}", why=missing.why, fix=missing.fix) from missing


def _send(uploads: Uploads, sent: Sent, code: CodeArchive | None, config: dict[str, Any] | None) -> None:
    uploads.write_once(launcher_prefix(sent.launcher_sha256, uploads.kms_key), bootstrap_files())
    if code is not None:
        uploads.send_once(f"{code_prefix(code.sha256, uploads.kms_key)}code.tar", code.path)
    if config is not None:
        # Surrogates stand for bytes that are no UTF-8: escaped, the text is plain ASCII.
        uploads.write(JobKeys(sent.job_id).config, json.dumps(config).encode("ascii"))


def _left(uploads: Uploads, sent: Sent, its_secrets: Sequence[str]) -> str:
    """What a refused job leaves behind, and how it goes."""
    own = s3_uri(uploads.bucket, JobKeys(sent.job_id).root)
    words = f"; what was sent for it is below {own} and can go: aws s3 rm --recursive {own}"
    if sent.code_sha256 is not None:
        code = s3_uri(uploads.bucket, code_prefix(sent.code_sha256, uploads.kms_key))
        words += f"; its code, which jobs of equal code share, is below {code}"
    for name in its_secrets:
        words += f"; its secret, which jobs of an equal value share, is {name} of Secrets Manager"
    return words


def _created(aws: Aws, request: dict[str, Any], job_id: JobId) -> PlatformRef:
    client = aws.client("sagemaker", attempts=1)
    try:
        return _reference(client.create_training_job(**request)["TrainingJobArn"], request["TrainingJobName"])
    except (ClientError, BotoCoreError, OSError) as error:
        return _after(error, aws, request, job_id)


def _after(error: Exception, aws: Aws, request: dict[str, Any], job_id: JobId) -> PlatformRef:
    """What became of a create that was not answered, or refused: perhaps because our own first try was let in."""
    problem, is_taken = translated(error, WHAT), isinstance(error, ClientError) and code_of(error) == "ResourceInUse"
    if not is_taken and not isinstance(problem, (Unreachable, QuotaExceeded)):
        raise problem from error  # it was looked at and refused: there is nothing to ask
    ours = _ours(aws, needed(aws), request["TrainingJobName"], job_id)
    if ours is not None:
        return ours
    if is_taken:
        why = "a job of that name exists, and cannot be seen yet"
        raise Unreachable(f"{WHAT}: {request['TrainingJobName']} is taken", why=why) from error
    raise problem from error


def _ours(aws: Aws, need: Needed, name: str, job_id: JobId) -> PlatformRef | None:
    """The job of this name; raises `PlatformProblem` if it is somebody else's."""
    told = _told(aws, need, name)
    if told is None:
        return None
    if not _is_of(told, job_id):
        raise PlatformProblem(
            f"{WHAT}: another job has the name {name} in {need.region}",
            why="it was not started with this job's id, so it is another tool's",
            fix="--name another-name",
        )
    return _reference(told["TrainingJobArn"], name)


def _is_of(told: Mapping[str, Any], job_id: JobId) -> bool:
    return bool(told.get("Environment", {}).get("IPYMLOPS_JOB_ID") == job_id)


def _told(aws: Aws, need: Needed, name: str) -> dict[str, Any] | None:
    """What the service tells of the job of this name in the account that it was sent to, None if there is none.

    Raises: `Unreachable` for whatever keeps us from seeing it: it may run, and be paid.
    """
    what = "whether the training job was started cannot be seen"
    try:
        if aws.account() != need.account:
            why = f"it was sent to the account {need.account}, and these credentials are of {aws.account()}"
            raise Unreachable(what, why=why, fix="sign in as before")
        told: dict[str, Any] = aws.client("sagemaker").describe_training_job(TrainingJobName=name)
    except (ClientError, BotoCoreError, OSError) as error:
        if isinstance(error, ClientError) and is_not_found(error):
            return None
        problem = translated(error, what)
        raise Unreachable(problem.what, why=problem.why, fix=problem.fix) from error
    return told


def _refuse_second_run(uploads: Uploads, keys: JobKeys, need: Needed) -> None:
    """A training job that ran and was deleted must not run, and be paid, again."""
    if uploads.is_any_below(keys.root, but=(keys.claim, keys.config)):
        raise PlatformProblem(
            "the training job ran before, and was deleted since; it is not started again",
            why=f"what it wrote is below {s3_uri(need.bucket, keys.root)}",
            fix=f"aws s3 ls --recursive {s3_uri(need.bucket, keys.root)}",
        )


def _reference(arn: str, name: str) -> PlatformRef:
    """The ARN with the name as it was given: the service may have changed its letters' case."""
    return read_reference(PlatformRef(f"{arn.rpartition('/')[0]}/{name}")).ref
