"""Secrets are taken out of the log, wherever the pieces of the stream are cut."""

from __future__ import annotations

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from ipymlops.runtime.mask import Mask


def masked(secrets, pieces):
    mask = Mask(secrets)
    return b"".join([*(mask.feed(piece) for piece in pieces), mask.flush()])


def pieces_of(data, cuts):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(
    secret=st.text("ab", min_size=1, max_size=6),
    text=st.text("ab\n", max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=10),
)
def test_one_secret_is_masked_wherever_the_stream_is_cut(secret, text, cuts):
    data = text.encode()
    assert masked([secret], pieces_of(data, cuts)) == data.replace(secret.encode(), b"***")


@given(
    secrets=st.lists(st.text("abc", min_size=1, max_size=6), max_size=4),
    text=st.text("abc", max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=10),
)
def test_several_secrets_that_overlap_are_all_masked(secrets, text, cuts):
    out = masked(secrets, pieces_of(text.encode(), cuts))
    assert not [secret for secret in secrets if secret.encode() in out]


def test_a_longer_secret_that_begins_with_a_shorter_one_goes_whole():
    assert masked(["abc", "abcdef"], [b"x abc", b"def y abc", b"de"]) == b"x *** y ***de"


def test_what_is_no_secret_is_not_kept_back():
    mask = Mask(["hunter2"])
    assert mask.feed(b"progress 10%\r") == b"progress 10%\r"
    assert mask.feed(b"hunt") == b""
    assert mask.feed(b"er\n") == b"hunter\n"
    assert mask.feed(b"hunte") + mask.flush() == b"hunte"


def test_the_forms_in_which_programs_print_a_secret_are_masked():
    secret = 'p"w\nwith lines\té/+'
    for form in (
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret),
        "p%22w%0Awith%20lines%09%C3%A9%2F%2B",
    ):
        assert b"with" not in masked([secret], [form.encode()]), form


def test_each_long_line_of_a_key_is_masked_by_itself():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nabc\n-----END KEY-----\n"
    assert masked([key], [b"line 2: MIIEvQIBADANBg\nabc\n"]) == b"line 2: ***\nabc\n"


def test_an_empty_secret_masks_nothing():
    assert masked([""], [b"abc"]) == b"abc"


def test_a_large_secret_and_many_small_pieces_take_no_memory_of_the_stream():
    mask = Mask(["k" * 50_000])
    assert sum(len(mask.feed(b"k" * 1000)) for _ in range(200)) == 4 * 3
    assert mask.flush() == b""
