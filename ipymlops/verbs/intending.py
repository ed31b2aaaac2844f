"""From what a `train` line says to an intent: the script, the code, the place and the plan. Nothing is started here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import UsageProblem
from ipymlops.spec import DEFAULT_MAX_RUNTIME_S, Intent, JobSpec, Plan, Snapshot
from ipymlops.verbs.placing import Place, place_of
from ipymlops.verbs.remedy import Put, WrongLine
from ipymlops.verbs.script import Script, in_code, script_of
from ipymlops.verbs.since import since_last_job
from ipymlops.verbs.snapshot import snapshot_of
from ipymlops.verbs.train_options import TrainOptions
from ipymlops.verbs.variables import data_of, refuse_collisions, secrets_of, variables_of

SHORTEST_CAP_S = 60
"""A `--max-cost` that buys less than this is a slip."""


@dataclass(frozen=True)
class Intended:
    """An intent, the stem of the job's default name, and sentences for the card."""

    intent: Intent
    stem: str
    hints: tuple[str, ...]


def intended(options: TrainOptions, context: Context) -> Intended:
    """Everything a submit needs, every refusal made. Raises `UsageProblem`, `SourceProblem`, `PlatformProblem`."""
    from ipymlops.platforms.honoured import refuse_impossible_words
    from ipymlops.source import relative_folder

    script = script_of(options, context)
    spec = spec_of(options, script, context)
    refuse_impossible_words(spec)
    place = place_of(options.on, spec, context)
    code = None if options.no_code else snapshot_of(context)
    if code is not None:
        script = in_code(script, code, context)
        spec = replace(spec, script=script.script, workdir=relative_folder(code, context.cwd))
    spec = replace(spec, python=_python(place, context), imports=_imports(place, spec, code))
    plan = _planned(place, spec)
    if not options.plan:  # a plan needs no sign-in, and no engine that runs
        place.platform.preflight(spec, plan)
    plan = place.platform.pinned(spec, plan)
    code = code and since_last_job(code, context)
    hints = (*script.hints, *([place.why] if place.why else []), *_word_hints(script, options))
    return Intended(Intent(spec, plan, code, _to_send_bytes(code, context)), script.stem, hints)


def spec_of(options: TrainOptions, script: Script, context: Context) -> JobSpec:
    """The line as plain data."""
    if options.no_code and options.image is None:
        raise WrongLine("--no-code needs an image", why="it runs an image as built", edit=Put("--image", "python:3"))
    env, secrets = variables_of(options.env, context), secrets_of(options.secrets)
    refuse_collisions(env, secrets)
    return JobSpec(
        script=script.script,
        argv=options.argv,
        name=options.name,
        gpu=options.gpu,
        machine_type=options.machine_type,
        nodes=options.nodes,
        image=options.image,
        bake=options.bake,
        no_code=options.no_code,
        labels=_once("--label", options.labels),
        data=_once("--data", data_of(options.data, context)),
        env=env,
        secrets=secrets,
        metrics=_once("--metric", options.metrics),
        spot=options.spot,
        keep_warm_s=options.keep_warm_s,
        max_runtime_s=options.max_runtime_s or _usual_cap_s(context),
        max_cost_usd=options.max_cost_usd,
        settings=_once("--set", options.settings),
    )


def _planned(place: Place, spec: JobSpec) -> Plan:
    """The plan; where `--max-cost` shortens it, planned once more, so that the request it shows has the cap too."""
    plan = capped(place.platform.plan(spec), spec)
    if spec.max_cost_usd is None:
        return plan
    return capped(place.platform.plan(replace(spec, max_runtime_s=plan.max_runtime_s)), spec)


def capped(plan: Plan, spec: JobSpec) -> Plan:
    """The plan with its cap in seconds: the least of `--max-runtime`, what `--max-cost` buys, and 24 hours."""
    if spec.max_cost_usd is None:
        return plan
    if plan.usd_per_hour is None:
        raise UsageProblem(
            "--max-cost needs a price, and this machine's is unknown",
            why=f"{plan.platform} does not tell what {plan.machine_type or 'it'} costs an hour",
            fix="--max-runtime 4h",
        )
    kept_s = spec.keep_warm_s or 0  # paid for as well, once the job is over
    bought_s = int(spec.max_cost_usd / plan.usd_per_hour * 3600) if plan.usd_per_hour else DEFAULT_MAX_RUNTIME_S
    if bought_s < SHORTEST_CAP_S + kept_s:
        least = plan.usd_per_hour * (SHORTEST_CAP_S + kept_s) / 3600
        why = f"at ${plan.usd_per_hour:.2f} an hour it buys {bought_s} s; a job needs at least {SHORTEST_CAP_S} s"
        why += f", and the machine is kept for {kept_s} s more" if kept_s else ""
        raise WrongLine(
            f"--max-cost {spec.max_cost_usd:g} is too little", why=why, edit=Put("--max-cost", f"{least:.2f}")
        )
    return replace(plan, max_runtime_s=min(plan.max_runtime_s, bought_s - kept_s), max_cost_usd=spec.max_cost_usd)


def _usual_cap_s(context: Context) -> int | None:
    """The setting `max_runtime`; None leaves the 24 hours that every platform has."""
    from ipymlops.units import parse_duration

    setting = context.config.setting("max_runtime")
    if setting.value is None:
        return None
    try:
        return parse_duration(setting.value)
    except UsageProblem as wrong:
        what = f"the setting max_runtime of {setting.where} is no duration: {setting.value!r}"
        raise UsageProblem(what, why=wrong.why, fix="--max-runtime 24h") from None


def _once(flag: str, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        values = " and ".join(repr(value) for name, value in pairs if name == twice)
        raise UsageProblem(f"{flag} {twice} is given twice", why=f"with {values}")
    return pairs


def _python(place: Place, context: Context) -> str:
    """Our caller's interpreter, for a platform that runs one of this machine's."""
    if "python" not in place.platform.options:
        return ""
    if not context.python:
        raise UsageProblem(
            "there is no Python to run the job with",
            why="VIRTUAL_ENV and CONDA_PREFIX are not set, and no python3 is on PATH",
            fix="python3 -m venv .venv && . .venv/bin/activate",
        )
    return context.python


def _imports(place: Place, spec: JobSpec, code: Snapshot | None) -> tuple[str, ...]:
    """What the code imports, for a platform that chooses an image by it."""
    from ipymlops.source.imports import imported_packages

    if code is None or spec.image or "imports" not in place.platform.options:
        return ()
    return imported_packages(Path(code.root), spec.workdir, spec.script)


def _to_send_bytes(code: Snapshot | None, context: Context) -> int:
    """What a submit has to pack: nothing if this very code was packed before."""
    from ipymlops.source import is_packed

    return 0 if code is None or is_packed(code, context.home / "code") else code.bytes


def _word_hints(script: Script, options: TrainOptions) -> tuple[str, ...]:
    """Words of the script that are probably a slip: pointed out, never blocked."""
    comment = ("the words from # on are the script's own: a line has no comments",) if "#" in options.argv else ()
    if script.path is None:
        return comment
    from ipymlops.scriptflags import misspelt

    return (*comment, *misspelt(script.path, options.argv))
