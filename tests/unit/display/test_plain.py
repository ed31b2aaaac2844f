from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from ipymlops.display.plain import log_text, padded, plain, width


def test_colours_and_titles_are_dropped():
    assert plain("\x1b[1;31mred\x1b[0m \x1b]0;owned\x07ok \x1b]8;;http://x\x1b\\link") == "red ok link"


def test_direction_changes_and_other_hidden_characters_are_spelt_out():
    assert plain("a\u202eb\x00c\u2028d\x9b") == "a\\u202eb\\x00c\\u2028d\\x9b"


def test_undecodable_bytes_show_as_the_json_has_them():
    assert plain(b"x\xff".decode(errors="surrogateescape")) == "x\\udcff"


def test_ordinary_text_of_any_script_is_left_as_it_is():
    for text in ("naïve", "日本語", "👩\u200d🔬", "שלום", "a  b"):
        assert plain(text) == text


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_whatever_comes_in_only_readable_characters_come_out(text):
    out = plain(text)
    out.encode()
    assert not [one for one in out if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp", "Co", "Cn"}]
    assert not set(out) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def test_a_progress_bar_shows_its_last_state():
    assert log_text(b" 1%\r 50%\r\x1b[32m100% done\x1b[0m\r") == "100% done"


def test_a_line_of_a_megabyte_is_shortened():
    assert len(log_text(b"x" * 1_000_000)) == 4000


def test_wide_characters_keep_columns_aligned():
    assert width("日本") == 4
    assert padded("日本", 6) == "日本  "
    assert padded("e\u0301", 3, right=True) == "  e\u0301"
