"""The folders that a script is promised, and the data that appears in them."""

from __future__ import annotations

import os
import shutil

from ipymlops.runtime.config import LaunchConfig, to_bytes
from ipymlops.runtime.problem import LaunchProblem


def make_folders(config: LaunchConfig) -> bytes:
    """Make every promised folder and link the data; gives the working folder."""
    for folder in (config.data_dir, config.output_dir, config.tensorboard_dir, config.checkpoint_dir):
        os.makedirs(to_bytes(folder), exist_ok=True)
    workdir = _workdir(config)
    for name, target in config.data.items():
        _link_data(config, workdir, name, target)
    return workdir


def _workdir(config: LaunchConfig) -> bytes:
    workdir = to_bytes(os.path.join(config.root, config.workdir))
    if not os.path.isdir(workdir):
        raise LaunchProblem(
            "the working folder does not exist: {}".format(config.workdir or config.root),
            "no file in it was sent: git knows no empty folders",
            "put a file in it, or run the line from another folder",
        )
    return workdir


def _link_data(config: LaunchConfig, workdir: bytes, name: str, target: str) -> None:
    parts = name.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise LaunchProblem(
            "{!a} is no name for data".format(name), "it would lead out of the folder for data", "--data NAME=PATH"
        )
    if not os.path.exists(to_bytes(target)):
        raise LaunchProblem(
            "the data {!a} is not there".format(name),
            "there is no {}".format(target),
            "give a path that is there: --data {}=PATH".format(name),
        )
    _link(to_bytes(config.data_dir), name, target, is_ours=False)
    if len(parts) > 1:
        _link(workdir, name, target, is_ours=config.archive is not None)


def _link(folder: bytes, name: str, target: str, *, is_ours: bool) -> None:
    """Put a link at `name` below `folder`.

    Args:
        is_ours: Nothing but the unpacked snapshot is there, and that gives way: the line names the data.
    """
    *above, last = (to_bytes(part) for part in name.split("/"))
    for part in above:
        folder = os.path.join(folder, part)
        if os.path.islink(folder):
            raise _in_the_way(name, "{} is a link that leads elsewhere".format(os.fsdecode(folder)))
        os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, last)
    if os.path.exists(path) and os.path.samefile(path, to_bytes(target)):
        return  # a platform that mounts it in place, or the attempt before this one
    _make_way(path, name, is_ours=is_ours)
    os.symlink(to_bytes(target), path)


def _make_way(path: bytes, name: str, *, is_ours: bool) -> None:
    if os.path.islink(path):
        os.unlink(path)
    elif os.path.isdir(path) and not os.listdir(path):
        os.rmdir(path)
    elif os.path.isdir(path) and is_ours:
        shutil.rmtree(path)
    elif os.path.exists(path) and is_ours:
        os.unlink(path)
    elif os.path.exists(path):
        raise _in_the_way(name, "there are files at {}".format(os.fsdecode(path)))


def _in_the_way(name: str, why: str) -> LaunchProblem:
    return LaunchProblem(
        "the data {!a} cannot appear in the working folder".format(name), why, "give it another name: --data NAME=URI"
    )
