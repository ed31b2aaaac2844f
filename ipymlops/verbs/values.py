"""The value of an option: from the word to what it means, or one sentence that says what is wrong with it.

Each is the `type` of an argparse argument; `flag` names the option in the message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timezone

from ipymlops.errors import UsageProblem
from ipymlops.verbs.remedy import Drop, Put, WrongLine

LONGEST_NAME = 120
"""Characters of a job's name."""

Pair = tuple[str, str]


def pair(flag: str, metavar: str) -> Callable[[str], Pair]:
    """`K=V`, split at the first `=`."""

    def convert(text: str) -> Pair:
        key, has_value, value = text.partition("=")
        if not key or not has_value:
            why = f"{text!r} has no =" if not has_value else f"{text!r} has no name before the ="
            raise WrongLine(f"{flag} takes {metavar}", why=why, edit=Put(flag, _example(metavar)))
        return key, value

    return convert


def _example(metavar: str) -> str:
    return {"K=V": "team=vision", "NAME=URI": "digits=./data", "NAME=REGEX": r"loss=loss=(\S+)"}.get(
        metavar, "key=value"
    )


def optional_pair(flag: str) -> Callable[[str], tuple[str, str | None]]:
    """`NAME` or `NAME=VALUE`; NAME must be one a process can have as a variable."""

    def convert(text: str) -> tuple[str, str | None]:
        name, has_value, value = text.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            why = f"{name!r} is no name of a variable: letters, digits and _ only, no digit first"
            raise WrongLine(f"{flag} takes a variable's name", why=why, edit=Drop(flag))
        return name, value if has_value else None

    return convert


def metric(text: str) -> Pair:
    """`NAME=REGEX`, the expression with exactly one group."""
    name, pattern = pair("--metric", "NAME=REGEX")(text)
    repair = Put("--metric", rf"{name}={name}=(\S+)")
    try:
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as wrong:
        raise WrongLine(f"--metric {name} is no regular expression: {pattern!r}", why=str(wrong), edit=repair) from None
    if groups != 1:
        why = f"{pattern!r} has {groups} groups; the one group is the number, others begin with (?:"
        raise WrongLine(f"--metric {name} needs exactly one group", why=why, edit=repair)
    return name, pattern


def pattern(text: str) -> str:
    """A regular expression for `--grep`."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as wrong:
        repair = Put("--grep", re.escape(text))
        raise WrongLine(f"--grep is no regular expression: {text!r}", why=str(wrong), edit=repair) from None
    return text


def whole_number(flag: str, least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise WrongLine(
                f"{flag} takes a whole number from {least} on",
                why=f"{text!r} is none",
                edit=Put(flag, str(max(least, 1))),
            )
        return int(text)

    return convert


def seconds(flag: str) -> Callable[[str], int]:
    """A duration such as `90s`, `20m`, `4h`, `2d`, in whole seconds, at least one."""

    def convert(text: str) -> int:
        from ipymlops.units import parse_duration

        try:
            return parse_duration(text)
        except UsageProblem as wrong:
            raise WrongLine(f"{flag}: {wrong.what}", why=wrong.why, edit=Put(flag, _first(wrong.fix))) from None

    return convert


def _first(fix: str) -> str:
    """The first of the examples in a sentence like `4h, 90m or 1d12h`."""
    return fix.split(",", maxsplit=1)[0].split(" ", maxsplit=1)[0]


def dollars(flag: str) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text.removeprefix("$"))
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            why = f"{text!r} is none; it is in US dollars"
            raise WrongLine(f"{flag} takes an amount above 0", why=why, edit=Put(flag, "50"))
        return value

    return convert


def gpu(text: str) -> str:
    """`--gpu` as typed, once its grammar is known to be right."""
    from ipymlops.hardware import parse_gpu

    parse_gpu(text)
    return text


def job_name(text: str) -> str:
    """A name that can be typed again: not a number, not `last`, printable."""
    if not text or len(text) > LONGEST_NAME:
        why = f"it has {len(text)} characters; 1 to {LONGEST_NAME} are allowed"
    elif not text.isprintable() or text != text.strip():
        why = f"{text!r} has characters that cannot be seen"
    elif text.isdigit() or text == "last":
        why = f"{text!r} would read as another job's number or as the newest job"
    else:
        return text
    raise WrongLine("--name cannot be this job's name", why=why, edit=Put("--name", "my-job"))


def moment(text: str) -> str:
    """`--since` as typed, once it can be understood; what it is counted from is known when the verb runs."""
    from ipymlops.units import parse_moment

    try:
        parse_moment(text, datetime.now(timezone.utc))
    except UsageProblem as wrong:
        raise WrongLine(f"--since: {wrong.what}", why=wrong.why, edit=Put("--since", _first(wrong.fix))) from None
    return text
