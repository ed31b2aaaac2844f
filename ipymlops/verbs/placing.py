"""Where a job goes: the platform that was named, or the only one that fits. Never another GPU, never in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ipymlops.context import Context
from ipymlops.errors import IpymlopsError, NotSignedIn, UsageProblem
from ipymlops.platforms.base import Platform
from ipymlops.spec import JobSpec, Plan
from ipymlops.verbs.remedy import Drop, Edit, Put, WrongLine
from ipymlops.verbs.train_options import TABLE

HERE = "local"


@dataclass(frozen=True)
class Place:
    """A platform, and one sentence for the card if it was not named on the line."""

    platform: Platform
    why: str = ""


def place_of(asked: str | None, spec: JobSpec, context: Context) -> Place:
    """The platform for a job.

    Args:
        asked: `--on`, None if it was not given.
    Raises: `UsageProblem` naming the choices where several fit, `NotSignedIn` and others where none does.
    """
    if asked:
        return Place(_checked(asked, spec, context))
    setting = context.config.setting("platform")
    if setting.value:
        return _configured(setting.value, setting.where, spec, context)
    if spec.gpu is None:
        return Place(_checked(HERE, spec, context))
    here = context.platforms[HERE]
    if here.has_gpu(spec.gpu):
        return Place(_checked(HERE, spec, context), "local: this machine has that GPU")
    return _only_one(spec, context)


def _configured(name: str, where: str, spec: JobSpec, context: Context) -> Place:
    """The platform of the settings: told on the card, but for this machine, where a job goes anyhow."""
    try:
        platform = _checked(name, spec, context)
    except UsageProblem as problem:
        problem.why = f"the setting platform of {where} names {name}; {problem.why}"
        raise
    return Place(platform, "" if name == HERE and spec.gpu is None else f"{name}: the configured platform ({where})")


def _checked(name: str, spec: JobSpec, context: Context) -> Platform:
    """The platform by its name, once it has every option that the line asks for."""
    kind = context.platforms.kind(name)
    for row in TABLE:
        if row.is_spec and row.field not in kind.options and getattr(spec, row.field) != getattr(_EMPTY, row.field):
            raise _refused(row.flag, row.field, name, spec, context)
    return context.platforms[name]


_EMPTY = JobSpec(script=None)


def _refused(flag: str, field: str, name: str, spec: JobSpec, context: Context) -> WrongLine:
    able = [other for other in context.platforms if other != name and _has(other, field, context)]
    edit: Edit = Put("--on", able[0]) if able and not (spec.gpu and able[0] == HERE) else Drop(flag)
    why = (
        f"{', '.join(able)} {'has' if len(able) == 1 else 'have'} it"
        if able
        else "no platform that is installed has it"
    )
    return WrongLine(f"{flag} is not available on {name}; nothing was sent", why=why, edit=edit)


def _has(name: str, field: str, context: Context) -> bool:
    try:
        return field in context.platforms.kind(name).options
    except IpymlopsError:  # its library is not installed
        return False


def _only_one(spec: JobSpec, context: Context) -> Place:
    ready: list[tuple[Platform, Plan]] = []
    trouble: list[IpymlopsError] = []
    for platform in _renting(spec.gpu or "", context):
        _ask(platform, spec, ready, trouble)
    if len(ready) == 1:
        platform = ready[0][0]
        return Place(platform, f"{platform.name}: the only platform that is ready and has {spec.gpu}")
    raise _choose(spec, ready) if ready else _none(spec, trouble)


def _ask(platform: Platform, spec: JobSpec, ready: list[tuple[Platform, Plan]], trouble: list[IpymlopsError]) -> None:
    try:
        plan = platform.plan(spec)
        platform.preflight(spec, plan)
    except IpymlopsError as problem:
        trouble.append(problem)
    else:
        ready.append((platform, plan))


def _renting(gpu: str, context: Context) -> Iterator[Platform]:
    """The other platforms that have the GPU. One without its library cannot be the one."""
    for name in context.platforms:
        if name == HERE or not _has(name, "gpu", context):
            continue
        platform = context.platforms[name]
        if platform.has_gpu(gpu):
            yield platform


def _choose(spec: JobSpec, ready: list[tuple[Platform, Plan]]) -> WrongLine:
    offers = ", ".join(f"{platform.name} ({_offer(plan)})" for platform, plan in ready)
    cheapest = min(ready, key=lambda one: (one[1].usd_per_hour is None, one[1].usd_per_hour or 0.0))[0]
    what = f"{len(ready)} platforms have {spec.gpu}; nothing was sent"
    return WrongLine(what, why=f"there are {offers}", edit=Put("--on", cheapest.name))


def _offer(plan: Plan) -> str:
    """`ml.p4d.24xlarge with 8 a100, $25.25 an hour`."""
    gpus = f" with {plan.accelerator_count} {plan.accelerator}" if plan.accelerator else ""
    price = "price unknown" if plan.usd_per_hour is None else f"${plan.usd_per_hour:.2f} an hour"
    return f"{plan.machine_type or 'this machine'}{gpus}, {price}"


def _none(spec: JobSpec, trouble: list[IpymlopsError]) -> IpymlopsError:
    signed_out = next((problem for problem in trouble if isinstance(problem, NotSignedIn)), None)
    if signed_out or trouble:
        return signed_out or trouble[0]
    return UsageProblem(
        f"no platform has {spec.gpu}; nothing was sent",
        why="this machine has no such GPU, and no installed platform rents one",
        fix="ipymlops gpus",
    )
