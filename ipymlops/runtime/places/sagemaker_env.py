"""Variables for scripts that were written for SageMaker's own toolkit, and caches off the small root disk."""

from __future__ import annotations

import glob
import json
import os
from typing import Any, Dict, List

MASTER_PORT = "7777"
CACHES = {
    "XDG_CACHE_HOME": "cache",
    "HF_HOME": "huggingface",
    "TORCH_HOME": "torch",
    "PIP_CACHE_DIR": "pip",
    "CONDA_PKGS_DIRS": "conda",
    "UV_CACHE_DIR": "uv",
}
SCRATCH = "/tmp/ipymlops/cache"  # noqa: S108 - the container is the job's alone
"""On the large disk, as /opt/ml is."""
WARM = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
"""A folder that the next job on a machine that is kept finds again."""


def script_variables(root: str, host: str, hosts: List[str], env: Dict[str, str]) -> Dict[str, str]:
    """What is not set already."""
    values = {**_toolkit(root, host, hosts), **_caches(env)}
    return {name: value for name, value in values.items() if name not in env}


def _toolkit(root: str, host: str, hosts: List[str]) -> Dict[str, str]:
    config = os.path.join(root, "input", "config")
    parameters, channels = _read(config, "hyperparameters.json"), _read(config, "inputdataconfig.json")
    resources = _read(config, "resourceconfig.json")
    names = sorted(name for name in channels if not name.startswith("ipymlops"))
    values = {
        "SM_MODEL_DIR": os.path.join(root, "model"),
        "SM_INPUT_DIR": os.path.join(root, "input"),
        "SM_INPUT_CONFIG_DIR": config,
        "SM_OUTPUT_DIR": os.path.join(root, "output"),
        "SM_OUTPUT_DATA_DIR": os.path.join(root, "output", "data"),
        "SM_CHANNELS": json.dumps(names),
        "SM_HPS": json.dumps(parameters),
        "SM_HOSTS": json.dumps(hosts),
        "SM_CURRENT_HOST": host,
        "SM_HOST_COUNT": str(len(hosts)),
        "SM_CURRENT_HOST_RANK": str(hosts.index(host) if host in hosts else 0),
        "SM_CURRENT_INSTANCE_TYPE": str(resources.get("current_instance_type", "")),
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": str(len(glob.glob("/dev/nvidia[0-9]*"))),
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_INPUT_DATA_CONFIG": json.dumps(channels),
        "SM_MASTER_ADDR": hosts[0],
        "SM_MASTER_PORT": MASTER_PORT,
    }
    for name in names:
        values["SM_CHANNEL_" + _variable(name)] = os.path.join(root, "input", "data", name)
    for name, value in parameters.items():
        values["SM_HP_" + _variable(name)] = str(value)
    return values


def _caches(env: Dict[str, str]) -> Dict[str, str]:
    folder = env.get(WARM) or SCRATCH
    return {name: os.path.join(folder, below) for name, below in CACHES.items()}


def _variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def _read(folder: str, name: str) -> Dict[str, Any]:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            told = json.load(file)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
