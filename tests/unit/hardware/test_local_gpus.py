"""The GPUs of this machine, from a driver's program that is real but ours."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ipymlops.hardware import matches, parse_gpu
from ipymlops.hardware.local import LocalGpu, local_gpus


@pytest.fixture
def driver(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """An environment whose nvidia-smi is this shell script."""

    def make(script: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {"PATH": f"{folder}:/usr/bin:/bin"}

    return make


def test_each_line_is_a_gpu(driver) -> None:
    env = driver(r"printf '0, NVIDIA A10G, 23028\n1, NVIDIA A100-SXM4-40GB, 40960\n'")
    assert local_gpus(env) == (
        LocalGpu("a10g", "NVIDIA A10G", 24, 0),
        LocalGpu("a100", "NVIDIA A100-SXM4-40GB", 40, 1),
    )


def test_it_is_asked_for_what_we_read(driver) -> None:
    env = driver(
        'test "$*" = "--query-gpu=index,name,memory.total --format=csv,noheader,nounits" && echo "0, Tesla T4, 15360"'
    )
    assert local_gpus(env) == (LocalGpu("t4", "Tesla T4", 16, 0),)


def test_a_gpu_that_we_do_not_know_has_a_name_made_from_the_drivers(driver) -> None:
    (gpu,) = local_gpus(driver("echo '0, NVIDIA Z900 (Turbo), 49140'"))
    assert (gpu.name, gpu.memory_gib) == ("nvidia-z900-turbo", 48)
    assert matches(parse_gpu("40gb+")[0], gpu.accelerator())
    assert not matches(parse_gpu("a100")[0], gpu.accelerator())


def test_a_card_answers_to_what_it_is(driver) -> None:
    (gpu,) = local_gpus(driver("echo '0, NVIDIA A100-SXM4-80GB, 81920'"))
    assert [matches(parse_gpu(text)[0], gpu.accelerator()) for text in ("a100", "a100-80gb", "80gb+", "h100")] == [
        True,
        True,
        True,
        False,
    ]


def test_memory_shared_with_the_processor_is_unknown(driver) -> None:
    (gpu,) = local_gpus(driver("echo '0, NVIDIA Tegra, [N/A]'"))
    assert gpu.memory_gib == 0


@pytest.mark.parametrize(
    "script",
    [
        "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9",
        "echo 'No devices were found'",
        "echo '0, NVIDIA A10G, 23028'; exit 1",
        "true",
        r"printf '\377\376\n'",
    ],
)
def test_a_driver_that_does_not_work_has_no_gpus(script: str, driver) -> None:
    assert local_gpus(driver(script)) == ()


def test_a_driver_that_hangs_is_given_up_and_ended(driver, tmp_path: Path) -> None:
    env = driver(f"echo $$ > {tmp_path}/pid; sleep 300; true")
    assert local_gpus(env, timeout_s=2) == ()
    begun = (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""
    if begun:  # a busy machine may have ended it before its first act
        wait_until_gone(int(begun))


def wait_until_gone(group: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"process group {group} is still there")


def test_a_machine_without_the_program_has_none(tmp_path: Path) -> None:
    assert local_gpus({"PATH": str(tmp_path)}) == ()
    assert local_gpus({}) == local_gpus({"PATH": "/bin:/usr/bin"})
