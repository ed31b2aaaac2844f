"""What a training job cannot carry, refused with the limit before anything is sent; what can go into a file does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ipymlops.errors import UsageProblem
from ipymlops.platforms.sagemaker.forms import listed, volume_gib
from ipymlops.platforms.sagemaker.reading import KEPT_MOST_S
from ipymlops.platforms.sagemaker.request import LONGEST_S
from ipymlops.spec import JobSpec

WORDS_MOST, WORD_MOST = 100, 256
VARIABLES_MOST, VARIABLE_MOST = 90, 512
"""SageMaker's limit is 100 variables; a few are ours."""
METRICS_MOST, METRIC_NAME_MOST, METRIC_REGEX_MOST = 40, 255, 500
LINE_ENDS = ("\n", "\r", "\x85", "\u2028", "\u2029")
NETWORK_MOST = {"subnets": 16, "security_groups": 5}
IMAGE_MOST = 255
_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def refuse_impossible(spec: JobSpec, settings: Mapping[str, str]) -> None:
    """Raise `UsageProblem` for the first thing that SageMaker would refuse."""
    volume_gib(settings)
    troubles = (*_of_limits(spec, settings), *(_of_image_as_built(spec) if spec.no_code else ()))
    if troubles:
        why, fix = troubles[0]
        raise UsageProblem("SageMaker cannot run this as it is; nothing was sent", why=why, fix=fix)


def _of_limits(spec: JobSpec, settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if spec.max_runtime_s and spec.max_runtime_s > LONGEST_S:
        yield f"--max-runtime is {spec.max_runtime_s} s, and a training job has at most 28 days", "--max-runtime 28d"
    if spec.keep_warm_s and spec.keep_warm_s > KEPT_MOST_S:
        yield f"--keep-warm is {spec.keep_warm_s} s, and a machine is kept for at most 6 hours", "--keep-warm 6h"
    if spec.keep_warm_s and spec.spot:
        yield "--keep-warm and --spot exclude each other: a spot machine cannot be kept", "leave one of them out"
    if bool(listed(settings, "subnets")) != bool(listed(settings, "security_groups")):
        yield "a network needs both subnets and security_groups, and one of them is set", "ipymlops config"
    for key, most in NETWORK_MOST.items():
        given = len(listed(settings, key))
        if given > most:
            yield f"there are {given} {key}, and SageMaker takes {most}", f"--set {key}=…"
    if spec.image and len(spec.image) > IMAGE_MOST:
        yield f"the image's name has {len(spec.image)} characters, and SageMaker takes {IMAGE_MOST}", "--image IMAGE"


def _of_image_as_built(spec: JobSpec) -> Iterator[tuple[str, str]]:
    """Without our launcher there is no file to put things into: SageMaker's own limits hold."""
    if spec.script is not None:
        yield (
            f"--no-code sends no code, but a script was named: {spec.script}",
            "leave --no-code out, or name no script",
        )
    if not spec.image:
        yield "--no-code runs an image as built, and none was named", "--image IMAGE"
    if spec.secrets:
        yield "--secret is our launcher's work, and an image as built runs without it", "leave --secret out"
    yield from _of_words(spec)
    yield from _of_variables(spec)
    yield from _of_metrics(spec)


def _of_words(spec: JobSpec) -> Iterator[tuple[str, str]]:
    remedy = "put the words into the image, or run without --no-code"
    if len(spec.argv) > WORDS_MOST:
        yield f"there are {len(spec.argv)} arguments; with --no-code SageMaker takes {WORDS_MOST}", remedy
    for number, word in enumerate(spec.argv, start=1):
        if len(word) > WORD_MOST:
            yield f"argument {number} has {len(word)} characters; with --no-code SageMaker takes {WORD_MOST}", remedy
        if _has_line_end(word) or not _is_text(word):
            yield f"argument {number} has a newline, or is no text: with --no-code SageMaker takes neither", remedy


def _of_variables(spec: JobSpec) -> Iterator[tuple[str, str]]:
    if len(spec.env) > VARIABLES_MOST:
        yield (
            f"there are {len(spec.env)} variables; with --no-code there is room for {VARIABLES_MOST}",
            "use fewer --env",
        )
    for name, value in spec.env:
        if not _VARIABLE.fullmatch(name) or len(name) > VARIABLE_MOST or not _is_text(value):
            yield f"--env {name}: with --no-code a name has letters, digits and _, and a value is text", "rename it"
        if len(value) > VARIABLE_MOST:
            what = f"--env {name} has {len(value)} characters; with --no-code SageMaker takes {VARIABLE_MOST}"
            yield what, "put the value into a file of the image"


def _of_metrics(spec: JobSpec) -> Iterator[tuple[str, str]]:
    if len(spec.metrics) > METRICS_MOST:
        yield (
            f"there are {len(spec.metrics)} metrics; with --no-code SageMaker takes {METRICS_MOST}",
            "use fewer --metric",
        )
    for name, pattern in spec.metrics:
        if len(name) > METRIC_NAME_MOST or len(pattern) > METRIC_REGEX_MOST:
            what = f"--metric {name[:40]}: with --no-code its name has at most {METRIC_NAME_MOST} characters"
            yield f"{what}, its expression {METRIC_REGEX_MOST}", "use a shorter one"
        if _has_line_end(name + pattern):
            yield f"--metric {name[:40]!r} has a newline: with --no-code SageMaker takes none", "use another one"


def _has_line_end(word: str) -> bool:
    return any(one in word for one in LINE_ENDS)


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
