"""The variables of the script."""

from __future__ import annotations

import os
from typing import Dict, Iterable, List, Mapping

from ipymlops.runtime.config import LaunchConfig, to_bytes


def variables(config: LaunchConfig, secrets: Mapping[str, str], deadline: float) -> Dict[bytes, bytes]:
    """The launcher's own environment, the user's `--env` over it, the secrets, and what we promise above all."""
    env = dict(os.environb)
    env.setdefault(b"PYTHONUNBUFFERED", b"1")
    for pairs in (config.env, secrets, _promised(config, deadline)):
        env.update((to_bytes(name), to_bytes(value)) for name, value in pairs.items())
    return env


def _promised(config: LaunchConfig, deadline: float) -> Dict[str, str]:
    values = {
        "JOB_ID": config.job_id,
        "JOB_NAME": config.job_name,
        "PLATFORM": config.platform,
        "COMMIT": config.commit or "",
        "DATA_DIR": config.data_dir,
        "OUTPUT_DIR": config.output_dir,
        "TENSORBOARD_DIR": config.tensorboard_dir,
        "CHECKPOINT_DIR": config.checkpoint_dir,
        "METRICS_FILE": os.path.join(config.state_dir, "metrics.jsonl"),
        "NODE_RANK": str(config.node_rank),
        "NODES": str(config.nodes),
        "MAIN_ADDRESS": config.main_address,
        "DEADLINE": str(int(deadline)),  # rounded down: never later than the real end
    }
    return {"IPYMLOPS_" + name: value for name, value in values.items()}


def lead_to_snapshot(env: Dict[bytes, bytes], first: Iterable[str], live_root: str, root: str) -> None:
    """Put the snapshot's folders first on PYTHONPATH, and turn what the user has there from the live tree to it."""
    paths: List[bytes] = [to_bytes(path) for path in first]
    users = env.get(b"PYTHONPATH", b"")
    for path in users.split(b":") if users else []:
        moved = to_bytes(in_snapshot(os.fsdecode(path), live_root, root)) if path.startswith(b"/") else path
        paths.append(moved if os.path.lexists(moved) else path)
    if paths:
        env[b"PYTHONPATH"] = b":".join(dict.fromkeys(paths))


def in_snapshot(path: str, live_root: str, root: str) -> str:
    """Where a path of the live tree is in the snapshot; a path that is not in the live tree as it is."""
    live, real = os.path.realpath(live_root), os.path.realpath(path)
    if real != live and not real.startswith(live.rstrip("/") + "/"):
        return path
    return os.path.normpath(os.path.join(root, os.path.relpath(real, live)))
