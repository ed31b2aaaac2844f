"""What the launcher is told: its JSON configuration, checked and with every word as the bytes it will be."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ipymlops.runtime.problem import LaunchProblem

MAX_WORD_BYTES = 131_071  # Linux: MAX_ARG_STRLEN less the closing zero
NEVER_S = 10 * 365 * 24 * 3600


class Archive(NamedTuple):
    """The code as one uncompressed tar, and the checksum it must have."""

    path: str
    sha256: str


class LaunchConfig(NamedTuple):
    """One attempt at one job, on one node. All paths are absolute, as the launcher sees them.

    Attributes:
        archive: None where the code is in place already (in an image).
        root: The folder that `workdir` is below: where the archive is unpacked.
        script: `"train.py"`, `"-m pkg.mod"`, or None where `argv` is a whole command.
        python: None is the interpreter that runs the launcher.
        data: What to link below `data_dir`, by name.
        log_path: None writes the raw log to standard output.
        live_root: The user's tree; editable installs from it are led to the snapshot.
        deadline: UTC epoch seconds; None is `max_runtime_s` from the launcher's start.
        attempt_policy: `once`, or `again` where a platform starts the same job anew (a spot machine that was lost).
    """

    job_id: str
    job_name: str
    platform: str
    commit: Optional[str]
    archive: Optional[Archive]
    root: str
    workdir: str
    script: Optional[str]
    argv: Tuple[str, ...]
    python: Optional[str]
    env: Mapping[str, str]
    secret_names: Tuple[str, ...]
    metric_patterns: Tuple[Tuple[str, str], ...]
    data: Mapping[str, str]
    data_dir: str
    output_dir: str
    tensorboard_dir: str
    checkpoint_dir: str
    state_dir: str
    log_path: Optional[str]
    live_root: Optional[str]
    node_rank: int
    nodes: int
    main_address: str
    deadline: Optional[float]
    max_runtime_s: float
    stop_grace_s: float


def from_json(raw: Mapping[str, Any]) -> LaunchConfig:
    """Read a configuration; raises `LaunchProblem` that names the key."""
    try:
        config = _fields(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LaunchProblem(
            "the launcher's configuration cannot be read",
            "{}: {}".format(type(error).__name__, error),
            "use the same version of ipymlops for submitting and for the launcher",
        ) from error
    _check_words(config)
    return config


def _fields(raw: Mapping[str, Any]) -> LaunchConfig:
    archive = raw.get("archive")
    deadline = raw.get("deadline")
    return LaunchConfig(
        job_id=str(raw["job_id"]),
        job_name=str(raw["job_name"]),
        platform=str(raw["platform"]),
        commit=raw.get("commit"),
        archive=Archive(archive["path"], archive["sha256"]) if archive else None,
        root=raw["code_dir"] if archive else raw.get("workdir_root") or raw["code_dir"],
        workdir=raw.get("workdir", ""),
        script=raw["script"],
        argv=tuple(raw["argv"]),
        python=raw.get("python"),
        env=dict(raw.get("env") or {}),
        secret_names=tuple(raw.get("secret_names") or ()),
        metric_patterns=tuple((name, pattern) for name, pattern in raw.get("metric_patterns") or ()),
        data=dict(raw.get("data") or {}),
        data_dir=raw["data_dir"],
        output_dir=raw["output_dir"],
        tensorboard_dir=raw["tensorboard_dir"],
        checkpoint_dir=raw["checkpoint_dir"],
        state_dir=raw["state_dir"],
        log_path=raw.get("log_path"),
        live_root=raw.get("live_root"),
        node_rank=int(raw.get("node_rank", 0)),
        nodes=int(raw.get("nodes", 1)),
        main_address=str(raw.get("main_address") or "127.0.0.1"),
        deadline=None if deadline is None else float(deadline),
        max_runtime_s=float(raw.get("max_runtime_s") or NEVER_S),
        stop_grace_s=float(raw.get("stop_grace_s", 30)),
    )


def to_bytes(text: str, shown: str = "") -> bytes:
    """The bytes of a word: UTF-8 whatever the locale says, `\\udcXX` the byte XX.

    Args:
        shown: What a message calls the word, where its text must not be seen.
    Raises: `LaunchProblem` for what no process can be given: another lone surrogate, or a NUL.
    """
    try:
        word = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        why = "the character at {} has no bytes".format(error.start)
        raise _no_word(text, shown, why) from None
    if b"\0" in word:
        raise _no_word(text, shown, "it holds a NUL byte")
    return word


def _no_word(text: str, shown: str, why: str) -> LaunchProblem:
    what = "no process can be given {}".format(shown or ascii(text[:80]))
    return LaunchProblem(what, why, "put it in a file and pass the file's path")


def _check_words(config: LaunchConfig) -> None:
    if config.script is None and not config.argv:
        raise LaunchProblem("there is neither a script nor a command to run")
    for name, value in config.env.items():
        to_bytes(value, shown="the variable {}".format(name))
    for name in (*config.env, *config.secret_names):
        if not name or "=" in name or "\0" in name:
            raise LaunchProblem("{!a} is no name for a variable".format(name), "", "--env NAME=VALUE")
    for index, word in enumerate(config.argv, start=1):
        size = len(to_bytes(word))
        if size > MAX_WORD_BYTES:
            raise LaunchProblem(
                "argument {} is too long".format(index),
                "it has {:,} bytes; Linux allows {:,} in one argument".format(size, MAX_WORD_BYTES),
                "put the text in a file and pass its path",
            )


def command(config: LaunchConfig, python: str) -> List[bytes]:
    """The argv of the process, byte for byte."""
    return [to_bytes(word) for word in (*_interpreter(config, python), *config.argv)]


def _interpreter(config: LaunchConfig, python: str) -> List[str]:
    if config.script is None:
        return []
    if config.script.startswith("-m "):
        return [python, "-m", config.script[3:]]
    # A file whose name begins with a dash is no option of Python.
    dash = "./" if config.script.startswith("-") else ""
    return [python, dash + config.script]


def secrets_json(line: bytes, names: Tuple[str, ...]) -> Dict[str, str]:
    """The values of the secrets from the line on standard input; messages never quote it."""
    import json

    fix = "the platform writes one JSON object with their values to the launcher's standard input"
    try:
        values = json.loads(line.decode("utf-8", "surrogateescape")) if line.strip() else {}
    except ValueError as error:
        raise LaunchProblem("the secrets cannot be read", "the line on standard input is no JSON", fix) from error
    missing = [name for name in names if not isinstance(values, dict) or not isinstance(values.get(name), str)]
    if missing:
        raise LaunchProblem("no value came for the secret {}".format(", ".join(missing)), "", fix)
    for name in names:
        to_bytes(values[name], shown="the secret {}".format(name))
    return {name: values[name] for name in names}
