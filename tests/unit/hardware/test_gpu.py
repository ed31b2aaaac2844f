"""The grammar of `--gpu`, and the table of accelerators."""

import re

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.hardware import GpuAsk, matches, parse_gpu
from ipymlops.hardware.accelerators import accelerator_called, accelerator_printed, accelerators


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("a100", [GpuAsk("a100", None)]),
        ("a100:2", [GpuAsk("a100", None, 2)]),
        ("A100-80GB", [GpuAsk("a100-80gb", None)]),
        ("40gb+", [GpuAsk(None, 40)]),
        ("40GB+:4", [GpuAsk(None, 40, 4)]),
        ("l4,a10g,t4", [GpuAsk("l4", None), GpuAsk("a10g", None), GpuAsk("t4", None)]),
        ("l4, a10g:2", [GpuAsk("l4", None), GpuAsk("a10g", None, 2)]),
        ("h100-80gb", [GpuAsk("h100", None)]),
        ("trainium", [GpuAsk("trainium", None)]),
    ],
)
def test_every_form_is_read(text: str, asks: list[GpuAsk]) -> None:
    assert parse_gpu(text) == tuple(asks)


def test_an_ask_is_written_as_it_was_read() -> None:
    assert ",".join(map(str, parse_gpu("a100:2,40gb+,16gb+:3"))) == "a100:2,40gb+,16gb+:3"


@pytest.mark.parametrize(
    "text",
    ["", ",", "a100,", "a100:", "a100:0", "a100:-1", "a100:x", "a100:1:2", ":2", "a100:²", "40gb", "40+", "x" * 500],
)
def test_what_is_no_gpu_is_refused_with_a_fix_that_is_one(text: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_gpu(text)
    assert caught.value.why
    assert parse_gpu(caught.value.fix.removeprefix("--gpu "))


def test_a_misspelt_name_is_told_the_nearest_and_the_list() -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_gpu("a100-80g")
    assert caught.value.what == "no GPU is called 'a100-80g'"
    assert caught.value.why.startswith("did you mean 'a100-80gb'? there are: ")
    assert "mi300x" in caught.value.why
    assert caught.value.fix == "--gpu a100-80gb"


def test_more_memory_than_any_has_is_refused() -> None:
    with pytest.raises(UsageProblem, match="no GPU has 999 GB"):
        parse_gpu("999gb+")


@pytest.mark.parametrize(
    ("text", "name", "is_match"),
    [
        ("a100", "a100", True),
        ("a100", "a100-80gb", True),
        ("a100-80gb", "a100", False),
        ("a10", "a10g", False),
        ("h100", "h100-mega", True),
        ("40gb+", "a100", True),
        ("40gb+", "l4", False),
        ("24gb+", "l4", True),
    ],
)
def test_never_another_gpu(text: str, name: str, *, is_match: bool) -> None:
    (ask,) = parse_gpu(text)
    assert matches(ask, accelerators()[name]) is is_match


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("Tesla T4", "t4"),
        ("NVIDIA T4G", "t4g"),
        ("Tesla P4", "p4"),
        ("Tesla P40", "p40"),
        ("Tesla P100-PCIE-16GB", "p100"),
        ("Tesla K80", "k80"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("Tesla V100-SXM2-32GB", "v100-32gb"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA L40S", "l40s"),
        ("A100-SXM4-40GB", "a100"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA A100-PCIE-40GB", "a100"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA H200 NVL", "h200"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA GB200", "gb200"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA Something New", None),
        ("", None),
    ],
)
def test_names_as_the_driver_prints_them_are_known(printed: str, name: str | None) -> None:
    found = accelerator_printed(printed)
    assert (found and found.name) == name


def test_the_table_is_sound() -> None:
    rows = accelerators()
    words = [word for one in rows.values() for word in (one.name, *one.aliases)]
    assert len(words) == len(set(words))
    for one in rows.values():
        assert re.fullmatch(r"[a-z0-9-]+", one.name)
        assert one.title
        assert one.memory_gib > 0
        assert one.kind_of is None or one.kind_of in rows
        assert all(accelerator_called(word.upper()) == one for word in (one.name, *one.aliases))


def test_the_names_of_the_clouds_are_there() -> None:
    named = ["t4", "p4", "p100", "v100", "a10g", "l4", "l40s", "a100", "a100-80gb", "h100", "h200", "b200", "gb200"]
    assert set(named) <= set(accelerators())
