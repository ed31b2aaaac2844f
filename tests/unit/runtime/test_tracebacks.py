"""The last traceback in a log, with the user's line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ipymlops.runtime.tracebacks import last_traceback

HELPER = "def fail(): raise ValueError('bad')\n"
CASES = {
    "plain": ("\n\nraise KeyError('x')", "KeyError: 'x'", "train.py", 3),
    "in a module": ("import lib.helper\nlib.helper.fail()", "ValueError: bad", "lib/helper.py", 1),
    "in a library": ("import json\n\njson.loads('{')", None, "train.py", 3),
    "from": (
        "try: 1/0\nexcept Exception as e: raise RuntimeError('worse') from e",
        "RuntimeError: worse",
        "train.py",
        2,
    ),
    "during": ("try:\n  1/0\nexcept Exception:\n  [][1]", "IndexError: list index out of range", "train.py", 4),
    "syntax": ("x = 1\nx = = 2", "SyntaxError: invalid syntax", "train.py", 2),
    "indent": ("x = 1\n  y = 2", "IndentationError: unexpected indent", "train.py", 2),
    "of a module": ("import lib.broken", "SyntaxError: invalid syntax", "lib/broken.py", 1),
    "two": (
        "import traceback\ntry: 1/0\nexcept Exception: traceback.print_exc()\n[][0]",
        "IndexError: list index out of range",
        "train.py",
        4,
    ),
    "recursion": ("def f(): f()\nf()", None, "train.py", 1),
    "long message": ("raise ValueError('one\\n\\ttwo\\nthree')", "ValueError: one", "train.py", 1),
    "no message": ("raise SystemError", "SystemError", "train.py", 1),
}


@pytest.fixture
def code(tmp_path):
    (tmp_path / "code" / "lib").mkdir(parents=True)
    (tmp_path / "code" / "lib" / "helper.py").write_text(HELPER)
    (tmp_path / "code" / "lib" / "broken.py").write_text("= 1\n")
    return tmp_path / "code"


def raised(code, script, before=b"", after=b""):
    (code / "train.py").write_text(script)
    done = subprocess.run([sys.executable, "train.py"], cwd=code, capture_output=True)
    return last_traceback(before + done.stderr + after, str(code), str(code))


@pytest.mark.parametrize(("script", "exception", "file", "line"), CASES.values(), ids=CASES)
def test_the_place_and_the_exception_are_the_users(code, script, exception, file, line):
    found = raised(code, script, before=b"epoch 1\n", after=b"cleaning up\n")
    assert (found.file, found.line) == (file, line)
    assert exception is None or found.exception == exception
    assert "cleaning up" not in found.text
    assert "epoch" not in found.text


def test_chained_ones_are_in_the_text(code):
    text = raised(code, CASES["from"][0]).text
    assert text.startswith("Traceback")
    assert text.index("ZeroDivisionError") < text.index("direct cause") < text.index("RuntimeError: worse")


def test_an_unrelated_one_before_is_not_in_the_text(code):
    assert "ZeroDivisionError" not in raised(code, CASES["two"][0]).text


@pytest.mark.parametrize("prefix", ["[rank0]: ", "(worker pid=12) "])
def test_a_prefix_of_each_line_is_seen_through(code, prefix):
    (code / "train.py").write_text(CASES["from"][0])
    done = subprocess.run([sys.executable, "train.py"], cwd=code, capture_output=True, text=True)
    lines = "".join(prefix + line for line in done.stderr.splitlines(keepends=True))
    found = last_traceback(lines.encode(), str(code), str(code))
    assert (found.exception, found.file, found.line) == ("RuntimeError: worse", "train.py", 2)
    assert prefix not in found.text


def test_colours_and_carriage_returns_are_seen_through(code):
    tail = b'\x1b[31mTraceback (most recent call last):\x1b[0m\r\n  File "\x1b[35mtrain.py\x1b[0m", line \x1b[35m7\x1b[0m, in f\r\nE: \x1b[1mx\x1b[0m\r\n'
    found = last_traceback(tail, str(code), str(code))
    assert (found.exception, found.line) == ("E: x", 7)
    assert "\x1b" not in found.text


@pytest.mark.parametrize(
    "group",
    [
        b"""  + Exception Group Traceback (most recent call last):
  |   File "train.py", line 3, in <module>
  |     raise ExceptionGroup("g", [ValueError(1)])
  | ExceptionGroup: g (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
"""
    ],
)
def test_an_exception_group_has_its_place(code, group):
    found = last_traceback(group, str(code), str(code))
    assert (found.file, found.line) == ("train.py", 3)
    assert "ExceptionGroup: g" in found.text


@pytest.mark.parametrize(
    "tail", [b"", b"no traceback", b"\xff\0\n", b"Traceback (most recent call last):", b'File "x", line 3\n']
)
def test_a_log_without_one_has_none_or_an_empty_place(code, tail):
    found = last_traceback(tail, str(code), str(code))
    assert found is None or (found.file, found.line) == (None, None)


def test_files_outside_the_repository_are_not_named(code):
    tail = b'Traceback (most recent call last):\n  File "/usr/lib/x.py", line 3, in f\nValueError: x\n'
    found = last_traceback(tail, str(code), str(code))
    assert (found.exception, found.file, found.line) == ("ValueError: x", None, None)


def test_a_path_is_relative_to_the_repository_and_not_to_the_working_folder(job):
    job.run(job.config({"a b/train.py": "1/0"}, workdir="a b"))
    assert (job.result["error"]["file"], job.result["error"]["line"]) == ("a b/train.py", 1)


def test_a_very_long_traceback_is_cut(code):
    tail = b"Traceback (most recent call last):\n" + b'  File "train.py", line 3, in f\n' * 5000 + b"ValueError: x\n"
    found = last_traceback(tail, str(code), str(code))
    assert len(found.text) == 20_000
    assert found.text.endswith("ValueError: x")


def test_many_headers_take_no_long_time(code):
    assert last_traceback(b"Traceback (most recent call last):\n" * 6000, str(code), str(code)) is not None
