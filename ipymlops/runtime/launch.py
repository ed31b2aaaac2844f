"""The order of acts of one attempt: lock, attempt, secrets, code, folders, script, end, result."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, NamedTuple, Optional

from ipymlops.runtime import config as configs
from ipymlops.runtime.config import LaunchConfig
from ipymlops.runtime.environment import lead_to_snapshot, variables
from ipymlops.runtime.folders import make_folders
from ipymlops.runtime.logwriter import LogFile
from ipymlops.runtime.problem import (
    EXIT_BAD_CONFIG,
    EXIT_HELD,
    EXIT_PLATFORM_ERROR,
    LaunchProblem,
    error_json,
    leave_failure,
)
from ipymlops.runtime.process import NotStarted, Script, adopt_orphans, send, session_members, start
from ipymlops.runtime.signals import Signals
from ipymlops.runtime.state import Attempt, State, boot_clock, new_attempt, steady_time
from ipymlops.runtime.unpack import unpack

if TYPE_CHECKING:
    from ipymlops.runtime.places import Place
    from ipymlops.runtime.pump import Pump

SECRETS_TIMEOUT_S = 60.0
EXIT_TERMINATED = 143


class Act(NamedTuple):
    """What the acts share. `deadline` is a time of `boot_clock`, `ends_at` the same in UTC epoch seconds."""

    config: LaunchConfig
    state: State
    attempt: Attempt
    signals: Signals
    log: LogFile
    deadline: float
    ends_at: float
    place: Optional[Place]


def main(words: List[str]) -> int:
    """Run the attempt that a configuration file describes; gives the script's exit code, or one of ours.

    Args:
        words: The launcher, its configuration, and where a service reads why nothing began: left out where none does.
    """
    try:
        with open(words[1], encoding="utf-8") as file:
            raw = json.load(file)
        place, signals = _place(raw), Signals()
        raw = place.adapted(raw, signals) if place else raw
        state = State(raw["state_dir"])
        lock = state.hold()
    except Exception as error:  # noqa: BLE001 - whatever it is, no other record says so
        return _not_begun(words, "no configuration that works: {!r}; usage: launcher.pyz CONFIG.json".format(error))
    if lock is None:
        return _not_begun(words, "another one holds {}".format(state.path("alive.lock")), EXIT_HELD)
    if raw.get("attempt_policy", "once") != "again":
        earlier = _earlier_exit_code(state)
        if earlier is not None:
            return earlier
    return _attempt(raw, state, signals, place)


def _not_begun(words: List[str], why: str, code: int = EXIT_BAD_CONFIG) -> int:
    print("launcher: {}".format(why), file=sys.stderr)
    for path in words[2:3]:
        with contextlib.suppress(OSError):  # the log has it
            leave_failure(path, "launcher: {}\n".format(why))
    return code


def _place(raw: Mapping[str, Any]) -> Optional[Place]:
    """The service whose container this is; None on a machine of the user's."""
    if not raw.get("place"):
        return None
    from ipymlops.runtime.places import place_called

    return place_called(raw["place"])


def _earlier_exit_code(state: State) -> Optional[int]:
    """A job that runs once has run: what it ended with. None if it never began."""
    result = state.result()
    if result is not None:
        return int(result["exit_code"])
    if state.attempt() is not None:
        print("launcher: an attempt was made before and left no result; it is not repeated", file=sys.stderr)
        return EXIT_PLATFORM_ERROR
    return None


def _attempt(raw: Dict[str, Any], state: State, signals: Signals, place: Optional[Place]) -> int:
    now = steady_time()
    attempt = new_attempt(now(), state.attempts())
    result: Dict[str, Any] = {}
    try:
        state.begin(attempt, goes_on=place is not None and attempt.number > 1)
        result = _acts(raw, state, attempt, signals, place)
    except NotStarted as problem:
        result = _failed(problem.exit_code, "exit_code", problem.to_json())
    except LaunchProblem as problem:
        result = _failed(EXIT_PLATFORM_ERROR, "platform_error", problem.to_json())
    except Exception as error:  # noqa: BLE001 - whatever it is, a job without a result would be a riddle
        result = _failed(EXIT_PLATFORM_ERROR, "platform_error", _own_failure(error))
    times = {"attempt": attempt.attempt, "started_at": attempt.started_at, "ended_at": now()}
    record = {"metrics": {}, "notes": [], **result, **times, **({"number": attempt.number} if place else {})}
    state.finish(record)
    if place:
        _deliver(place, raw, state, record, signals)
    if result["end_reason"] not in (None, "user", "timeout"):
        _end_peers(raw.get("peers") or ())
    return int(result["exit_code"])


def _deliver(place: Place, raw: Dict[str, Any], state: State, record: Dict[str, Any], signals: Signals) -> None:
    try:
        place.delivered(raw, state, record, signals)
    except Exception as error:  # noqa: BLE001 - how the script ended is written, and stays true
        print("launcher: the outputs were not handed over: {!r}".format(error), file=sys.stderr)


def _end_peers(folders: Iterable[str]) -> None:
    """A node that failed ends the others, which would wait for it; those whose folders are gone need nothing."""
    for folder in folders:
        if os.path.isdir(folder):
            State(folder).tell_to_stop()


def _acts(
    raw: Dict[str, Any], state: State, attempt: Attempt, signals: Signals, place: Optional[Place]
) -> Dict[str, Any]:
    config = configs.from_json(raw)
    ends_at = attempt.started_at + config.max_runtime_s if config.deadline is None else config.deadline
    log = LogFile(config.log_path, steady_time())
    act = Act(config, state, attempt, signals, log, boot_clock() + ends_at - steady_time()(), ends_at, place)
    secrets = place.secrets(raw) if place and raw.get("secrets_from") else _secrets(config)
    if config.archive:
        kept = [config.archive.path, config.state_dir, config.output_dir, config.live_root or config.state_dir]
        unpack(config.archive, config.root, kept)
    workdir = make_folders(config)
    env = variables(config, secrets, ends_at)
    notes = _lead_to_snapshot(config, env)
    early = _early_end(act)
    if early is not None:
        return early
    return _run(act, secrets, workdir, env, notes)


def _run(
    act: Act, secrets: Mapping[str, str], workdir: bytes, env: Dict[bytes, bytes], notes: List[str]
) -> Dict[str, Any]:
    adopt_orphans()
    script = start(configs.command(act.config, act.config.python or sys.executable), env, workdir)
    try:
        return _watch(act, script, secrets, os.fsdecode(workdir), notes)
    except Exception:
        send(session_members(script.pid), signal.SIGKILL)  # nobody would watch it
        raise


def _watch(act: Act, script: Script, secrets: Mapping[str, str], workdir: str, notes: List[str]) -> Dict[str, Any]:
    # What only a started script needs is loaded while its own Python starts; what only its end needs, at the end.
    from ipymlops.runtime.memory import kills
    from ipymlops.runtime.supervise import Supervisor

    before = kills()
    pump = _pump(act, secrets)
    act.state.write_attempt(act.attempt._replace(pgid=script.pid))
    beat = partial(act.place.beat, act.state) if act.place else None
    ended = Supervisor(script, pump, act.signals, act.deadline, act.config.stop_grace_s, beat=beat).run()
    pump.finish()
    from ipymlops.runtime import metrics, outcome

    where = outcome.Place(act.config.job_id, act.config.root, workdir)
    asked = act.state.stop_was_asked()
    how = outcome.of_script(ended, pump.tail, where, asked=asked, before=before, after=kills())
    how = act.place.explained(how, pump.tail) if act.place else how
    notes += [*ended.notes, *pump.notes]
    values: Dict[str, float] = {}
    try:
        values = metrics.last_values(metrics.records(act.state.metrics_path))
    except OSError as error:  # the script may have done anything to it; how it ended stays true
        notes.append("the metrics cannot be read: {}".format(error))
    lines = {} if act.log.lines is None else {"log_lines": act.log.lines}
    return {**how._asdict(), "metrics": metrics.to_json(values), "notes": notes, **lines}


def _early_end(act: Act) -> Optional[Dict[str, Any]]:
    """The result of a job that was stopped, or out of time, before its script began."""
    if act.state.stop_was_asked():
        return _failed(EXIT_TERMINATED, "user", None, signal.SIGTERM)
    what = "the script was not started"
    if act.signals.has(signal.SIGTERM):
        error = error_json(what, "the job was told to stop from outside (SIGTERM) before that")
        return _failed(EXIT_TERMINATED, "exit_code", error, signal.SIGTERM)
    if boot_clock() >= act.deadline:
        error = error_json(what, "the job reached its time limit before that", "give it longer with --max-runtime")
        return _failed(EXIT_TERMINATED, "timeout", error, signal.SIGTERM)
    return None


def _secrets(config: LaunchConfig) -> Dict[str, str]:
    if not config.secret_names:
        return {}
    line = b""
    ends_at = boot_clock() + SECRETS_TIMEOUT_S
    while not line.endswith(b"\n"):
        if not select.select([0], [], [], max(0.0, ends_at - boot_clock()))[0]:
            why = "waited {:.0f} s for them on standard input".format(SECRETS_TIMEOUT_S)
            raise LaunchProblem("no secrets came", why, "run the line again where they can be read")
        piece = os.read(0, 1 << 16)
        if not piece:
            break
        line += piece
    return configs.secrets_json(line, config.secret_names)


def _pump(act: Act, secrets: Mapping[str, str]) -> Pump:
    from ipymlops.runtime.pump import Pump

    mask = scanner = file = None
    if secrets:
        from ipymlops.runtime.mask import Mask

        mask = Mask(secrets.values())
    if act.config.metric_patterns:
        from ipymlops.runtime.metrics import MetricsFile, Scanner

        file = MetricsFile(act.state.metrics_path)
        scanner = Scanner(act.config.metric_patterns, file.add)
    return Pump(act.log, mask, scanner, file)


def _lead_to_snapshot(config: LaunchConfig, env: Dict[bytes, bytes]) -> List[str]:
    if config.live_root is None or config.archive is None:
        return []
    from ipymlops.runtime.editable import redirection, site_folders

    found = redirection(
        config.live_root, config.root, site_folders(config.python, env), os.path.join(config.state_dir, "editable")
    )
    lead_to_snapshot(env, found.paths, config.live_root, config.root)
    return list(found.notes)


def _failed(
    exit_code: int, end_reason: str, error: Optional[Dict[str, object]], number: Optional[int] = None
) -> Dict[str, Any]:
    return {"exit_code": exit_code, "signal": number, "end_reason": end_reason, "error": error}


def _own_failure(error: BaseException) -> Dict[str, object]:
    import traceback

    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    what = "the launcher failed: {}: {}".format(type(error).__name__, error)
    return error_json(what, "this is an error of ipymlops or of the machine, not of the script", traceback=text)
