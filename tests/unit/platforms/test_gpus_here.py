"""The GPUs that a job gets, and those that it does not."""

import json
import os

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.gpus_here import Chosen, busy_gpus, chosen_gpus, gpu_check, has_gpus
from ipymlops.platforms.local.platform import LocalPlatform
from ipymlops.platforms.processes import try_lock
from ipymlops.spec import JobSpec


def test_a_machine_without_one_has_none_and_says_so():
    assert not has_gpus("a10g", {"PATH": ""})
    with pytest.raises(UsageProblem, match="it has no GPU"):
        chosen_gpus("a10g", {"PATH": ""})
    assert chosen_gpus(None, {"PATH": ""}) == Chosen()
    assert gpu_check("local", {"PATH": ""}).what == "this machine has no GPU"


@pytest.mark.parametrize(
    ("asked", "name", "indexes"),
    [("a10g", "a10g", (0,)), ("a10g:2", "a10g", (0, 2)), ("h100,t4", "t4", (1,)), ("20gb+", "a10g", (0,))],
)
def test_the_first_choice_that_is_here_is_taken(machine_with, asked, name, indexes):
    env = machine_with("NVIDIA A10G", "Tesla T4", "NVIDIA A10G")
    assert chosen_gpus(asked, env) == Chosen(name, len(indexes), indexes)


def test_more_than_there_are_is_refused_with_what_there_is(machine_with):
    env = machine_with("NVIDIA A10G", "Tesla T4")
    with pytest.raises(UsageProblem, match="1 x a10g, 1 x t4"):
        chosen_gpus("a10g:2", env)
    with pytest.raises(UsageProblem, match="each of 2 nodes"):
        chosen_gpus("t4", env, nodes=2)


def test_what_the_caller_may_not_see_is_not_taken(machine_with):
    env = machine_with("NVIDIA A10G", "NVIDIA A10G", "NVIDIA A10G")
    assert chosen_gpus("a10g", env | {"CUDA_VISIBLE_DEVICES": "2,1"}).indexes == (1,)
    assert not has_gpus("a10g:3", env | {"CUDA_VISIBLE_DEVICES": "2,1"})


def test_one_that_no_other_job_has_comes_first(machine_with, folder, tmp_path):
    (folder.root / "gpus.json").write_text("[0]")
    assert busy_gpus(tmp_path) == []
    lock = try_lock(folder.node(0).lock)
    assert busy_gpus(tmp_path) == [0]
    env = machine_with("NVIDIA A10G", "NVIDIA A10G")
    assert chosen_gpus("a10g", env, busy=busy_gpus(tmp_path)).indexes == (1,)
    assert chosen_gpus("a10g:2", env, busy=busy_gpus(tmp_path)).indexes == (1, 0)
    os.close(lock)


def test_each_node_sees_its_own(machine_with):
    chosen = chosen_gpus("a10g:2", machine_with(*["NVIDIA A10G"] * 4), nodes=2)
    assert chosen.of_node(1).env == {"CUDA_VISIBLE_DEVICES": "2,3", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_a_local_job_is_shown_the_one_it_asked_for(machine_with, home):
    env = dict(os.environ) | machine_with("Tesla T4", "NVIDIA A10G")
    platform = LocalPlatform(PlatformContext(home, {}, env))
    spec = JobSpec(None, ("/bin/sh", "-c", "echo $CUDA_VISIBLE_DEVICES"), gpu="a10g")
    plan = platform.plan(spec)
    assert (plan.accelerator, plan.accelerator_count) == ("a10g", 1)
    ref = platform.submit("jgpu", "n", spec, None, plan)
    config = json.loads((home / "local" / ref / "nodes" / "0" / "config.json").read_text())
    assert config["env"]["CUDA_VISIBLE_DEVICES"] == "1"
    platform.stop(ref)
