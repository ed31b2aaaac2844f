"""Where our own files are kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

SAGEMAKER_NOTEBOOK = "etc/opt/ml/sagemaker-notebook-instance-config.json"
"""Only notebook instances have it; Studio has the folder beside it too."""

SAGEMAKER_STUDIO = "opt/ml/metadata/resource-metadata.json"
WORKBENCH_HOME = Path("/home/jupyter")


def home_of(env: Mapping[str, str], root: Path = Path("/")) -> Path:
    """IPYMLOPS_HOME, else a folder that outlives a stop and start of the machine, else the user's data folder.

    Args:
        root: Where the platforms' markers are looked for.
    """
    users = Path(env.get("HOME") or Path.home())
    if env.get("IPYMLOPS_HOME"):
        return _absolute(env["IPYMLOPS_HOME"], users)
    volume = users / "SageMaker"  # all else below HOME is new at each start
    if (root / SAGEMAKER_NOTEBOOK).exists() and volume.is_dir():
        return volume / ".ipymlops"
    if (root / SAGEMAKER_STUDIO).exists() or users == WORKBENCH_HOME:  # HOME is the volume that stays
        return users / ".local" / "share" / "ipymlops"
    return _data_folder(env, users) / "ipymlops"


def _absolute(text: str, users: Path) -> Path:
    """Couriers start in other folders: the path must mean the same there."""
    path = users / text[2:] if text.startswith("~/") else Path(text)
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links


def _data_folder(env: Mapping[str, str], users: Path) -> Path:
    if not sys.platform.startswith("linux"):
        import platformdirs

        return platformdirs.user_data_path()
    asked = Path(env.get("XDG_DATA_HOME", ""))
    return asked if asked.is_absolute() else users / ".local" / "share"
