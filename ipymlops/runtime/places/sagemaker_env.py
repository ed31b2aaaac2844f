"""Variables for scripts that were written for SageMaker's own toolkit, and caches off the small root disk."""

from __future__ import annotations

import glob
import json
import os
from typing import Any, Dict, List, Mapping

from ipymlops.runtime.places.sagemaker_layout import OUR_CHANNELS

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
LONGEST = 100_000
"""Linux gives no process a longer variable than 131,071 bytes, and all share one room with the script's words."""


def script_variables(raw: Mapping[str, Any], host: str, hosts: List[str], env: Mapping[str, str]) -> Dict[str, str]:
    """What is not set already. One that is too long is left out: the script's own words matter more."""
    values = {**_toolkit(raw, host, hosts), **_caches(env)}
    return {name: value for name, value in values.items() if name not in env and len(value) <= LONGEST}


def described(root: str, name: str) -> Dict[str, Any]:
    """One of the service's descriptions of the job, {} where there is none."""
    try:
        with open(os.path.join(root, "input", "config", name), encoding="utf-8") as file:
            told = json.load(file)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _toolkit(raw: Mapping[str, Any], host: str, hosts: List[str]) -> Dict[str, str]:
    root = str(raw["ml_root"])
    parameters, resources = described(root, "hyperparameters.json"), described(root, "resourceconfig.json")
    channels = {name: one for name, one in described(root, "inputdataconfig.json").items() if name not in OUR_CHANNELS}
    folders = {name: os.path.join(root, "input", "data", name) for name in sorted(channels)}
    values = {
        "SM_MODEL_DIR": os.path.join(root, "model"),
        "SM_INPUT_DIR": os.path.join(root, "input"),
        "SM_INPUT_CONFIG_DIR": os.path.join(root, "input", "config"),
        "SM_OUTPUT_DIR": os.path.join(root, "output"),
        "SM_OUTPUT_DATA_DIR": os.path.join(root, "output", "data"),
        "SM_CHANNELS": json.dumps(list(folders)),
        "SM_HPS": json.dumps(parameters),
        "SM_USER_ARGS": json.dumps(raw.get("argv") or []),
        "SM_HOSTS": json.dumps(hosts),
        "SM_CURRENT_HOST": host,
        "SM_HOST_COUNT": str(len(hosts)),
        "SM_CURRENT_HOST_RANK": str(raw["node_rank"]),
        "SM_CURRENT_INSTANCE_TYPE": str(resources.get("current_instance_type", "")),
        "SM_NETWORK_INTERFACE_NAME": str(resources.get("network_interface_name", "")),
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": str(len(glob.glob("/dev/nvidia[0-9]*"))),
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_INPUT_DATA_CONFIG": json.dumps(channels),
        "SM_MASTER_ADDR": hosts[0],
        "SM_MASTER_PORT": MASTER_PORT,
    }
    values.update({"SM_CHANNEL_" + _variable(name): folder for name, folder in folders.items()})
    values.update({"SM_HP_" + _variable(name): str(value) for name, value in parameters.items()})
    return {**values, "SM_TRAINING_ENV": _as_one(values, parameters, folders)}


def _as_one(values: Mapping[str, str], parameters: Mapping[str, Any], folders: Mapping[str, str]) -> str:
    """The same as one document, with the toolkit's names."""
    numbers = {"num_cpus", "num_gpus", "host_count", "current_host_rank"}
    lists = {"hosts", "channels", "user_args", "resource_config", "input_data_config"}
    told: Dict[str, Any] = {"hyperparameters": parameters, "channel_input_dirs": folders}
    for variable, value in values.items():
        name = variable[len("SM_") :].lower()
        if name not in {"hps"} and not name.startswith(("hp_", "channel_")):
            told[name] = int(value) if name in numbers else json.loads(value) if name in lists else value
    return json.dumps(told)


def _caches(env: Mapping[str, str]) -> Dict[str, str]:
    folder = env.get(WARM) or SCRATCH
    return {name: os.path.join(folder, below) for name, below in CACHES.items()}


def _variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()
