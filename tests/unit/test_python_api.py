"""The verbs as Python functions, made from the same tables."""

import inspect
from pathlib import Path

import pytest

import ipymlops
import ipymlops.config
from ipymlops.errors import UsageProblem
from ipymlops.verbs import VERBS
from ipymlops.verbs.keywords import keywords, words_of
from ipymlops.verbs.train_options import TABLE


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_function_with_a_signature_and_a_help(verb):
    function = getattr(ipymlops, verb)
    assert callable(function)
    assert function.__name__ == verb
    assert set(inspect.signature(function).parameters) == {"words", *keywords(verb)}
    for name in keywords(verb):
        assert f"    {name}: " in function.__doc__
    assert verb in dir(ipymlops)


def test_the_verb_config_stays_a_function_beside_the_module_of_that_name():
    assert inspect.isfunction(ipymlops.config)
    assert ipymlops.config is ipymlops.config


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        ipymlops.trian  # noqa: B018


def test_every_option_of_train_is_a_keyword():
    assert {row.flag.removeprefix("--").replace("-", "_") for row in TABLE} == set(keywords("train"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gpu": "a100"}, ["--gpu=a100"]),
        ({"gpu": None, "spot": False, "label": ()}, []),
        ({"spot": True}, ["--spot"]),
        ({"name": "-x"}, ["--name=-x"]),
        ({"max_cost": 50, "nodes": 2}, ["--max-cost=50", "--nodes=2"]),
        ({"label": {"a": "b", "c": 1}}, ["--label=a=b", "--label=c=1"]),
        ({"env": ["A", "B=1"]}, ["--env=A", "--env=B=1"]),
        ({"secret": "TOKEN"}, ["--secret=TOKEN"]),
        ({"data": {"d": Path("/x")}}, ["--data=d=/x"]),
    ],
)
def test_keywords_are_the_options_of_a_line(options, words):
    assert words_of("train", ["t.py", 1, b"\xff"], options) == [*words, "t.py", "1", "\udcff"]


def test_a_misspelt_keyword_is_told():
    with pytest.raises(UsageProblem) as raised:
        ipymlops.train("t.py", gpuu="a100")
    assert "did you mean gpu?" in raised.value.why


def test_a_switch_is_true_or_false():
    with pytest.raises(UsageProblem, match="--spot is True or False"):
        ipymlops.train("t.py", spot="yes")
