"""Names that the launcher in a container of SageMaker and whoever sends it and reads what it leaves must agree on."""

from __future__ import annotations

ML = "/opt/ml"
CONFIG_CHANNEL, LAUNCHER_CHANNEL, CODE_CHANNEL = "ipymlops", "ipymlops-launcher", "ipymlops-code"
OUR_CHANNELS = (CONFIG_CHANNEL, LAUNCHER_CHANNEL, CODE_CHANNEL)

OUTPUT, TENSORBOARD, CHECKPOINTS, OURS = "output", "tensorboard", "checkpoints", "ipymlops"
"""The folders of the mirror."""
LATE = "late"
"""Beside `OURS` in the archive of the end: what may not have come to the mirror, by its path there."""


def node_folder(rank: int) -> str:
    """The launcher's own of one node, in the mirror and in the archive of the end."""
    return "{}/node-{}".format(OURS, rank)
