"""The values of options, and what is said of the wrong ones."""

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.verbs.request import parse


def option(*words: str):
    return parse(["train", *words, "t.py"]).options


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--max-runtime", "4h"], "max_runtime_s", 14400),
        (["--max-runtime", "1d12h"], "max_runtime_s", 129600),
        (["--keep-warm", "20m"], "keep_warm_s", 1200),
        (["--max-cost", "50"], "max_cost_usd", 50.0),
        (["--max-cost", "$0.5"], "max_cost_usd", 0.5),
        (["--nodes", "2"], "nodes", 2),
        (["--gpu", "l4,a10g:2,40gb+"], "gpu", "l4,a10g:2,40gb+"),
        (["--label", "a=b=c"], "labels", (("a", "b=c"),)),
        (["--label", "a="], "labels", (("a", ""),)),
        (["--env", "A=1", "--env", "B"], "env", (("A", "1"), ("B", None))),
        (["--secret", "A", "--secret", "B=keyring"], "secrets", (("A", None), ("B", "keyring"))),
        (["--metric", r"loss=loss=(\S+)"], "metrics", (("loss", r"loss=(\S+)"),)),
        (["--set", "a=b"], "settings", (("a", "b"),)),
        (["--data", "d/x=s3://b/k=1"], "data", (("d/x", "s3://b/k=1"),)),
    ],
)
def test_a_value_is_read(words, field, value):
    assert getattr(option(*words), field) == value


@pytest.mark.parametrize(
    "words",
    [
        ["--max-runtime", "4"],
        ["--max-runtime", "0s"],
        ["--max-runtime", "-4h"],
        ["--max-runtime", ""],
        ["--keep-warm", "soon"],
        ["--max-cost", "0"],
        ["--max-cost", "nan"],
        ["--max-cost", "inf"],
        ["--max-cost", "-1"],
        ["--max-cost", "ten"],
        ["--nodes", "0"],
        ["--nodes", "1.5"],
        ["--nodes", "٣"],
        ["--label", "a"],
        ["--label", "=b"],
        ["--env", "1A=b"],
        ["--env", "=b"],
        ["--secret", "A B"],
        ["--metric", "loss"],
        ["--metric", "loss=("],
        ["--metric", "loss=x"],
        ["--metric", "loss=(a)(b)"],
        ["--gpu", "a1000"],
        ["--gpu", "a100:0"],
        ["--gpu", ""],
        ["--name", ""],
        ["--name", "12"],
        ["--name", "last"],
        ["--name", "a\nb"],
        ["--name", " a"],
        ["--name", "x" * 121],
    ],
)
def test_a_wrong_value_is_refused_and_its_fix_is_right(words):
    import shlex

    with pytest.raises(UsageProblem) as raised:
        option(*words)
    assert raised.value.what
    command, *fixed = shlex.split(raised.value.fix)
    assert command == "ipymlops"
    parse(fixed)


def test_a_pair_says_what_is_missing():
    with pytest.raises(UsageProblem) as raised:
        option("--label", "vision")
    assert raised.value.lines() == [
        "--label takes K=V",
        "  why: 'vision' has no =",
        "  fix: ipymlops train --label team=vision t.py",
    ]
