"""`gpus`: the machines with a GPU of every platform that rents some, and this one."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import ipymlops
from ipymlops.display.text import as_text
from ipymlops.errors import MissingExtra, UsageProblem
from ipymlops.hardware.machines import Machine
from ipymlops.platforms.abilities import Rents
from ipymlops.testing.fake_platform import FakePlatform, FakePlatforms
from ipymlops.verbs.dispatch import dispatch

KEYS = [
    "platform",
    "machine_type",
    "accelerator",
    "count",
    "memory_gib",
    "usd_per_hour",
    "usd_per_gpu_hour",
    "markup_pct",
    "region",
    "as_of",
]


@pytest.fixture
def gpus(context):
    return lambda *words: dispatch(["gpus", *words], None, context)


@pytest.fixture
def driver(tmp_path, context):
    """This machine with two T4 and a GPU that our table does not know."""
    folder = tmp_path / "driver"
    folder.mkdir()
    lines = "0, Tesla T4, 15360\\n1, Tesla T4, 15360\\n2, NVIDIA Titan Z9, 12288\\n"
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    (folder / "nvidia-smi").chmod(0o755)
    env = {**context.env, "PATH": f"{folder}{os.pathsep}{context.env['PATH']}"}
    return lambda *words, **more: dispatch(["gpus", *words], None, replace(context, env=env | more))


class Renting(FakePlatform, Rents):
    """The fake platform, which rents two machines."""

    def machines(self):
        yield Machine("fake", "fake.t4", "t4", 1, 16, usd_per_hour=0.5, base_usd_per_hour=0.4, region="r", as_of="d")
        yield Machine("fake", "fake.new", "t4", 1, 16)


def types(found):
    return [one.machine_type for one in found]


def test_every_machine_is_listed_cheapest_first_and_unknown_prices_last(gpus):
    found = gpus()
    assert len(found) > 50
    known = [one.usd_per_hour for one in found if one.usd_per_hour is not None]
    assert [one.usd_per_hour for one in found][: len(known)] == sorted(known)
    assert {one.usd_per_hour for one in list(found)[len(known) :]} == {None}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a100", ["ml.p4d.24xlarge", "ml.p4de.24xlarge"]),
        ("A100-80GB", ["ml.p4de.24xlarge"]),
        ("h100:2,b200", ["ml.p5.48xlarge", "ml.p6-b200.48xlarge"]),
        (
            "l4:4,a100,l4:8",
            ["ml.g6.12xlarge", "ml.g6.24xlarge", "ml.g6.48xlarge", "ml.p4d.24xlarge", "ml.p4de.24xlarge"],
        ),
        ("k80", []),
    ],
)
def test_a_name_narrows_by_the_grammar_of_the_option(name, expected, gpus):
    assert types(gpus(name)) == expected


def test_the_document_is_as_promised(gpus):
    [first, second] = gpus("a100").to_json()["machines"]
    assert list(first) == KEYS
    assert first == {
        "platform": "sagemaker",
        "machine_type": "ml.p4d.24xlarge",
        "accelerator": "a100",
        "count": 8,
        "memory_gib": 40,
        "usd_per_hour": 25.25,
        "usd_per_gpu_hour": 3.15625,
        "markup_pct": 15.0,
        "region": "us-east-1",
        "as_of": "2026-07-20",
    }
    assert second["machine_type"] == "ml.p4de.24xlarge"
    unknown = gpus("b200").to_json()["machines"][0]
    assert [unknown[key] for key in KEYS[5:]] == [None] * 5


def test_this_machine_s_own_gpus_cost_nothing(driver):
    own = driver("t4").to_json()["machines"][0]
    assert own == dict(zip(KEYS, ["local", None, "t4", 2, 16, 0.0, 0.0, None, None, None], strict=True))
    assert types(driver("t4:2"))[0] == ""
    assert [one.platform for one in driver()][:2] == ["local", "local"]
    assert {one.accelerator for one in driver("12gb+") if one.platform == "local"} == {"t4", "nvidia-titan-z9"}


def test_a_gpu_that_is_hidden_from_the_caller_is_not_his(driver):
    assert [one.count for one in driver("t4", CUDA_VISIBLE_DEVICES="1,2") if one.platform == "local"] == [1]
    assert [one for one in driver("t4", CUDA_VISIBLE_DEVICES="2") if one.platform == "local"] == []


def test_any_platform_that_rents_is_listed(gpus, monkeypatch):
    real = FakePlatforms.kind
    monkeypatch.setattr(FakePlatforms, "kind", lambda self, name: Renting if name == "fake" else real(self, name))
    found = gpus("t4")
    assert types(found)[0] == "fake.t4"
    assert found[0].markup_pct == pytest.approx(25)
    assert "fake.new" in types(found)


def test_a_platform_that_cannot_tell_is_left_out_and_named(again, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nope")
    found = dispatch(["gpus"], None, again())
    assert [one.what for one in found.missing] == ["the AWS configuration cannot be used"]
    assert "could not be found" in as_text(found)


def test_a_platform_whose_library_is_missing_is_left_out_and_named(gpus, monkeypatch):
    real = FakePlatforms.kind

    def kind(self, name):
        if name == "sagemaker":
            raise MissingExtra("sagemaker", "botocore")
        return real(self, name)

    monkeypatch.setattr(FakePlatforms, "kind", kind)
    found = gpus()
    assert len(found) == 0
    assert [one.fix for one in found.missing] == ["pip install 'ipymlops[sagemaker]'"]


def test_a_misspelt_name_is_mended_by_a_line_that_works(gpus):
    with pytest.raises(UsageProblem, match="no GPU is called 'a1000'") as refused:
        gpus("a1000")
    assert refused.value.fix == "ipymlops gpus a100"
    with pytest.raises(UsageProblem, match="too many words"):
        gpus("a100", "l4")


def test_the_list_is_made_without_asking_anybody(gpus, home):
    gpus()
    assert not (home / "prices").exists()


def test_a_new_gpu_is_a_row_in_each_table_and_nothing_else(tmp_path):
    package = tmp_path / "ipymlops"
    shutil.copytree(Path(ipymlops.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "hardware" / "accelerators.toml").open("a") as table:
        table.write('\n[x900]\ntitle = "NVIDIA X900"\nmemory_gib = 512\npatterns = ["X900"]\n')
    with (package / "platforms" / "sagemaker" / "machines.toml").open("a") as table:
        table.write(
            '\n["ml.m5.8xlarge"]\naccelerator = "x900"\ncount = 2\nmemory_gib = 512\nvcpus = 8\nram_gib = 64\n'
            "usd_per_hour = 9.0\nbase_usd_per_hour = 6.0\n"
        )
    (tmp_path / "train.py").write_text("import torch\n")
    env = os.environ | {
        "PYTHONPATH": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def said(*words):
        line = [sys.executable, "-m", "ipymlops", *words]
        return json.loads(subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, check=True).stdout)

    [row] = said("gpus", "--json", "x900")["machines"]
    assert (row["machine_type"], row["usd_per_gpu_hour"], row["markup_pct"]) == ("ml.m5.8xlarge", 4.5, 50.0)
    plan = said("train", "--json", "--plan", "--on", "sagemaker", "--gpu", "500gb+", "train.py")
    assert (plan["machine_type"], plan["accelerator"], plan["asked_count"]) == ("ml.m5.8xlarge", "x900", 1)
    assert "cu133" in plan["image"]
