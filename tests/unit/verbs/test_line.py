"""A notebook line becomes words."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipymlops.errors import UsageProblem
from ipymlops.verbs.line import put_in, split, words_of


def variable(name: str) -> str:
    if name != "lr":
        raise UsageProblem(f"no {name}")
    return "3 e"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=20)))
def test_quoted_words_arrive_as_they_are(words):
    assert split(shlex.join(words)) == words


def test_bytes_that_are_no_text_stay():
    assert split("a\udcff 'b \udc80'") == ["a\udcff", "b \udc80"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("{{lr}}", "3 e"),
        ("{{{{lr}}}}", "{{lr}}"),
        ("{{{{lr}}", "{{lr}}"),
        ("--lr={{lr}}", "--lr={{lr}}"),
        ('{"a":{"b":{}}}', '{"a":{"b":{}}}'),
        ("{lr}", "{lr}"),
        ("$lr", "$lr"),
        ("{{}}", "{{}}"),
        ("{{{{", "{{"),
        ("{{a},{b}}", "{{a},{b}}"),
    ],
)
def test_only_a_whole_word_is_a_variable(word, expected):
    assert put_in(word, variable) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("{}a "), max_size=12))
def test_every_text_can_be_written(text):
    """What begins with two braces is written with four; and four at its end where it has two."""
    if text.startswith("{{"):
        ended = text + "}}" if text.endswith("}}") else text
        assert put_in("{{" + ended, variable) == text


def test_an_unknown_variable_is_an_error():
    with pytest.raises(UsageProblem, match="no epochs"):
        words_of("train t.py {{epochs}}", variable)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("train --name don't t.py", "an apostrophe (') at character 17 is never closed: 't t.py"),
        ('jobs "a', 'a double quote (") at character 6 is never closed: "a'),
        ("jobs 'a\\' b'c", "an apostrophe (') at character 12 is never closed: 'c"),
        ("jobs a\\", "the line ends with a backslash that has nothing to escape"),
    ],
)
def test_an_open_quote_is_shown(line, what):
    with pytest.raises(UsageProblem) as raised:
        split(line)
    assert raised.value.what == what
    split(raised.value.fix.removeprefix("%mlops "))
